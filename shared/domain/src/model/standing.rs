//! Standing of a ticket: what is told about it, whatever the channel.

use crate::model::ids::CounterId;
use crate::model::quoted_wait::QuotedWait;
use crate::model::ticket::{CloseReason, HoldKind, TicketStatus};
use crate::model::ticket_act::TicketAct;
use crate::model::time::Timestamp;
use crate::protocol::command::QueueState;
use std::sync::Arc;

/// Standing of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketStanding {
    /// State, with what is told of it.
    pub state: StandingState,
    /// State of its queue.
    pub queue_state: QueueState,
    /// Wait, if the ticket has a place in the line; without minutes while the queue calls nobody.
    pub wait: Option<QuotedWait>,
    /// Acts that its holder may take.
    pub may: Vec<TicketAct>,
}

/// States of a ticket, each with what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandingState {
    /// In the line.
    Waiting,
    /// Called to a counter.
    Called {
        /// Counter that called.
        counter: CounterId,
        /// Time by which the holder is expected.
        deadline: Timestamp,
    },
    /// Being served.
    Serving {
        /// Counter that serves.
        counter: CounterId,
    },
    /// Out of the line for a while, with its place kept.
    Held {
        /// Initiator of the hold.
        kind: HoldKind,
        /// Reason given by staff; empty when a holder lets others pass.
        reason: Arc<str>,
        /// Time at which it resumes by itself.
        until: Option<Timestamp>,
        /// Number of calls of its queue after which it resumes by itself.
        others: Option<u32>,
    },
    /// Missed.
    Missed {
        /// Deadline for a return; `None` if the holder may not return.
        until: Option<Timestamp>,
        /// Places that the ticket goes back on return, if the queue's rule counts places.
        places: Option<u32>,
    },
    /// Served.
    Done,
    /// Given up or void.
    Closed {
        /// Reason of the closing.
        reason: CloseReason,
        /// Words of staff about it.
        note: Option<Arc<str>>,
    },
}

impl TicketStanding {
    /// Status of the ticket.
    pub fn status(&self) -> TicketStatus {
        match self.state {
            StandingState::Waiting => TicketStatus::Waiting,
            StandingState::Called { .. } => TicketStatus::Called,
            StandingState::Serving { .. } => TicketStatus::Serving,
            StandingState::Held { .. } => TicketStatus::Held,
            StandingState::Missed { .. } => TicketStatus::Missed,
            StandingState::Done => TicketStatus::Done,
            StandingState::Closed { .. } => TicketStatus::Closed,
        }
    }

    /// Counter to which the ticket is called, or at which it is served.
    pub fn counter(&self) -> Option<&CounterId> {
        match &self.state {
            StandingState::Called { counter, .. } | StandingState::Serving { counter } => {
                Some(counter)
            }
            StandingState::Waiting
            | StandingState::Held { .. }
            | StandingState::Missed { .. }
            | StandingState::Done
            | StandingState::Closed { .. } => None,
        }
    }

    /// Number of people ahead; 0 for a ticket that has no place in the line.
    pub fn ahead(&self) -> u32 {
        self.wait.map_or(0, |wait| wait.ahead)
    }

    /// Returns `true` if the holder may take the act.
    pub fn allows(&self, act: TicketAct) -> bool {
        self.may.contains(&act)
    }
}
