//! Stored form of the domain's events.

use super::is_zero;
use super::notification::NotificationTrigger;
use super::progress::ForecastBasis;
use super::ticket::{CloseReason, Hold, Number, QuotedWait, Rank, Ticket};
use super::visit::VisitRecord;
use crate::tagged::tagged_enum;
use crate::ticket_link::TicketKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

tagged_enum! { "event", "Event",
    /// An event of a site.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[allow(missing_docs, reason = "each field is documented at the domain's event of the same name")]
    pub enum Event {
        DayClosed {
            day: i32,
            voided: u32,
            carried: u32,
        },
        DayOpened {
            day: i32,
            #[serde(skip_serializing_if = "is_zero", default)]
            carrying: u32,
        },
        DayReset {
            from: i32,
            day: i32,
        },
        CounterOpened {
            counter: Arc<str>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            login: Option<Arc<str>>,
        },
        CounterPaused {
            counter: Arc<str>,
        },
        CounterClosed {
            counter: Arc<str>,
        },
        QueueSet {
            queue: Arc<str>,
            state: QueueState,
            #[serde(skip_serializing_if = "is_zero", default)]
            #[serde(rename = "untold")]
            unnotified: u32,
        },
        #[serde(rename = "queue_told")]
        QueueBatchNotified {
            queue: Arc<str>,
            people: u32,
        },
        QueueCleared {
            queue: Arc<str>,
            voided: u32,
            #[serde(skip_serializing_if = "is_zero", default)]
            #[serde(rename = "unswept")]
            remaining: u32,
        },
        #[serde(rename = "queue_swept")]
        QueueBatchCleared {
            queue: Arc<str>,
            tickets: u32,
        },
        TicketTaken {
            ticket: u32,
            queue: Arc<str>,
            number: Number,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            person: Option<Arc<str>>,
            rank: Rank,
            #[serde(rename = "told")]
            quoted: QuotedWait,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            basis: Option<ForecastBasis>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            #[serde(rename = "via")]
            scan_session: Option<Arc<str>>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            key: Option<TicketKey>,
        },
        TicketCarried {
            ticket: Box<Ticket>,
        },
        TicketShown {
            ticket: u32,
            #[serde(rename = "told")]
            quoted: QuotedWait,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            #[serde(rename = "via")]
            scan_session: Option<Arc<str>>,
        },
        TicketCalled {
            ticket: u32,
            counter: Arc<str>,
            call: u32,
            deadline: i64,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            reason: Option<Arc<str>>,
            #[serde(skip_serializing_if = "Vec::is_empty", default)]
            #[serde(rename = "over")]
            passed_over: Vec<Arc<str>>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            #[serde(rename = "turn")]
            interleave_step: Option<u32>,
        },
        TicketRecalled {
            ticket: u32,
            counter: Arc<str>,
            call: u32,
            round: u32,
            deadline: i64,
        },
        TicketStarted {
            ticket: u32,
            counter: Arc<str>,
        },
        TicketPutBack {
            ticket: u32,
        },
        TicketFinished {
            ticket: u32,
            counter: Arc<str>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            slot_ms: Option<i64>,
            #[serde(skip_serializing_if = "is_zero", default)]
            implausible: bool,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            visit: Option<Box<VisitRecord>>,
        },
        TicketMissed {
            ticket: u32,
            counter: Arc<str>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            until: Option<i64>,
        },
        TicketReturned {
            ticket: u32,
            rank: Rank,
        },
        TicketHeld {
            ticket: u32,
            hold: Hold,
            worked_ms: i64,
        },
        TicketResumed {
            ticket: u32,
        },
        TicketTransferred {
            ticket: u32,
            queue: Arc<str>,
            rank: Rank,
        },
        TicketClosed {
            ticket: u32,
            reason: CloseReason,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            note: Option<Arc<str>>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            visit: Option<Box<VisitRecord>>,
        },
        TicketRestored {
            ticket: Box<Ticket>,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            retracts: Option<i32>,
        },
        TicketPrioritised {
            ticket: u32,
            rank: Rank,
            reason: Arc<str>,
        },
        TicketMarked {
            ticket: u32,
            mark: Mark,
        },
        HolderForgotten {
            ticket: u32,
        },
        HolderMigrated {
            ticket: u32,
            person: Arc<str>,
        },
        #[serde(rename = "milestone_reached")]
        NotificationTriggered(NotificationTrigger),
    }
}

impl Event {
    /// True for an event of a decision that was written in several batches.
    pub(super) fn is_batch_part(&self) -> bool {
        match self {
            Event::DayOpened { carrying: left, .. }
            | Event::QueueSet { unnotified: left, .. }
            | Event::QueueCleared { remaining: left, .. } => *left > 0,
            Event::QueueBatchNotified { .. } | Event::QueueBatchCleared { .. } => true,
            _ => false,
        }
    }

    /// True for an event that tells of a holder who is coming, or whose limit was lifted.
    pub(super) fn tells_new_mark(&self) -> bool {
        match self {
            Event::TicketMarked { mark, .. } => matches!(mark, Mark::Coming | Mark::LimitLifted),
            Event::TicketCarried { ticket } | Event::TicketRestored { ticket, .. } => {
                ticket.marks.is_new()
            }
            _ => false,
        }
    }

    /// True for an event that tells of the migration of an account.
    pub(super) fn tells_migration(&self) -> bool {
        match self {
            Event::HolderMigrated { .. } => true,
            Event::TicketCarried { ticket } | Event::TicketRestored { ticket, .. } => {
                ticket.former_person.is_some()
            }
            _ => false,
        }
    }
}

/// The originator of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum ActorRef {
    Customer,
    Staff(Arc<str>),
    Manager(Arc<str>),
    Api(Arc<str>),
    System,
}

/// State of a queue, set by staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum QueueState {
    Open,
    Paused,
    Halted,
    Closed,
}

/// A note about the holder of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum Mark {
    Arrived,
    Party(u32),
    #[serde(rename = "tell_at")]
    NotifyAhead(Option<u32>),
    Coming,
    LimitLifted,
}
