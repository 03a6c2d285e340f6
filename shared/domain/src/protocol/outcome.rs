//! Outcomes of commands: the answer to the caller.

use crate::model::ids::{CounterId, Number, QueueId, TicketId};
use crate::model::quoted_wait::QuotedWait;
use crate::model::ticket::TicketStatus;
use crate::model::time::{Day, Timestamp};
use crate::protocol::command::QueueState;

/// What the asker is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This is your ticket.
    Holding {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// Its queue.
        queue: QueueId,
        /// What the holder is told.
        told: QuotedWait,
        /// Where the ticket is called to, if it has been.
        called_to: Option<CounterId>,
        /// Whether it was given out just now, rather than held before.
        new: bool,
        /// Its state.
        state: TicketStatus,
    },
    /// This ticket was called to the counter.
    Called {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// Its queue.
        queue: QueueId,
        /// The counter.
        counter: CounterId,
        /// Until when the person is expected.
        deadline: Timestamp,
    },
    /// The ticket is served; the counter is free.
    Finished {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// The counter.
        counter: CounterId,
    },
    /// The ticket is missed; the counter is free.
    Missed {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// The counter.
        counter: CounterId,
    },
    /// The ticket is closed.
    Left {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
    },
    /// This is how the ticket stands now.
    Stands {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// Its queue.
        queue: QueueId,
        /// Its state.
        state: TicketStatus,
        /// People ahead, if it waits.
        ahead: u32,
    },
    /// Somebody is known no longer.
    Forgotten,
    /// The counter is open.
    CounterOpen(CounterId),
    /// The counter has a break.
    CounterPaused(CounterId),
    /// The counter is closed.
    CounterClosed(CounterId),
    /// The queue is so now.
    QueueIs(QueueId, QueueState),
    /// The queue is empty.
    QueueCleared {
        /// Which.
        queue: QueueId,
        /// How many tickets were void.
        voided: u32,
    },
    /// The day that was over has ended.
    DayBegun(Day),
    /// The day that was over is ending.
    DayTurning {
        /// How many tickets are still to be voided or carried over.
        left: u32,
    },
    /// People were told.
    Told {
        /// How many.
        people: u32,
    },
}

impl Outcome {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Holding { .. } => "holding",
            Outcome::Called { .. } => "called",
            Outcome::Finished { .. } => "finished",
            Outcome::Missed { .. } => "missed",
            Outcome::Left { .. } => "left",
            Outcome::Stands { .. } => "stands",
            Outcome::Forgotten => "forgotten",
            Outcome::CounterOpen(_) => "counter_open",
            Outcome::CounterPaused(_) => "counter_paused",
            Outcome::CounterClosed(_) => "counter_closed",
            Outcome::QueueIs(..) => "queue_is",
            Outcome::QueueCleared { .. } => "queue_cleared",
            Outcome::DayBegun(_) => "day_begun",
            Outcome::DayTurning { .. } => "day_turning",
            Outcome::Told { .. } => "told",
        }
    }
}
