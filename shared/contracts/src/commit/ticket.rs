//! Stored form of a whole ticket and of its parts.

use super::event::QueueState;
use super::is_zero;
use super::progress::{ForecastBasis, VisitProgress};
use crate::tagged::tagged_enum;
use crate::ticket_link::TicketKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A ticket number in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Letters in front of the serial.
    pub prefix: Arc<str>,
    /// Serial of the business day.
    pub serial: u32,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:03}", self.prefix, self.serial)
    }
}

/// Position in a line, as a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// Priority class.
    pub class: u8,
    /// Effective arrival, in Unix milliseconds.
    pub arrival: i64,
    /// Tie breaker.
    pub sequence: u32,
    /// Offset before or behind the ticket of that sequence.
    #[serde(skip_serializing_if = "is_zero", default)]
    #[serde(rename = "turn")]
    pub offset: i32,
}

/// A waiting time that was quoted to the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedWait {
    /// Number of people ahead.
    pub ahead: u32,
    /// Quoted range in minutes, from and to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minutes: Option<(u32, u32)>,
    /// True if the estimate rests on little data.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub cold: bool,
}

/// Reasons for which a ticket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum CloseReason {
    ByCustomer,
    ByStaff,
    Expired,
    DayClosed,
    QueueCleared,
    Duplicate,
}

/// Name of a ticket's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum TicketStatus {
    #[default]
    Waiting,
    Called,
    Serving,
    Held,
    Missed,
    Done,
    Closed,
}

impl TicketStatus {
    /// True for the default status, which is not written.
    pub(super) fn is_usual(&self) -> bool {
        *self == TicketStatus::Waiting
    }
}

/// A whole ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's ticket")]
pub struct Ticket {
    pub id: u32,
    /// Secret of the holder's link to the ticket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<TicketKey>,
    pub number: Number,
    pub queue: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub former_person: Option<Arc<str>>,
    pub taken_at: i64,
    pub arrived: i64,
    pub rank: Rank,
    #[serde(rename = "told")]
    pub quoted: QuotedWait,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basis: Option<ForecastBasis>,
    #[serde(rename = "stage")]
    pub state: TicketState,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub counts: TicketCounts,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub marks: Marks,
    #[serde(skip_serializing_if = "is_zero", default)]
    #[serde(rename = "notices")]
    pub notifications: NotificationHistory,
    #[serde(skip_serializing_if = "is_zero", default)]
    #[serde(rename = "trail")]
    pub progress: VisitProgress,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub worked_ms: i64,
}

tagged_enum! { "state", "TicketState",
    /// State of a ticket, with the facts of that state.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[allow(missing_docs, reason = "each field is documented at the domain's state of the same name")]
    pub enum TicketState {
        Waiting,
        Called {
            counter: Arc<str>,
            at: i64,
            call: u32,
            round: u32,
            last: i64,
            deadline: i64,
        },
        Serving {
            counter: Arc<str>,
            since: i64,
            at: i64,
        },
        Held {
            at: i64,
            hold: Hold,
        },
        Missed {
            at: i64,
            until: Option<i64>,
        },
        Done {
            at: i64,
        },
        Closed {
            at: i64,
            reason: CloseReason,
            /// Words of staff; absent in the entries of older programs.
            #[serde(skip_serializing_if = "Option::is_none", default)]
            note: Option<Arc<str>>,
        },
    }
}

impl TicketState {
    /// The status of this state.
    pub fn status(&self) -> TicketStatus {
        match self {
            TicketState::Waiting => TicketStatus::Waiting,
            TicketState::Called { .. } => TicketStatus::Called,
            TicketState::Serving { .. } => TicketStatus::Serving,
            TicketState::Held { .. } => TicketStatus::Held,
            TicketState::Missed { .. } => TicketStatus::Missed,
            TicketState::Done { .. } => TicketStatus::Done,
            TicketState::Closed { .. } => TicketStatus::Closed,
        }
    }
}

/// Reason and end of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct Hold {
    #[serde(rename = "why")]
    pub kind: HoldKind,
    #[serde(skip_serializing_if = "str::is_empty", default = "empty")]
    pub reason: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<Arc<str>>,
}

fn empty() -> Arc<str> {
    Arc::from("")
}

/// Kinds of hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum HoldKind {
    LetPass,
    Staff,
    Suspended,
}

/// Counters of the events of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct TicketCounts {
    pub calls: u32,
    pub misses: u32,
    pub holds: u32,
    pub let_pass: u32,
    #[serde(rename = "hops")]
    pub transfers: u32,
}

/// Notes about the holder beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct Marks {
    pub arrived: bool,
    pub party: u32,
    #[serde(rename = "tell_at")]
    pub notify_ahead: Option<u32>,
    /// Absent in older forms, and unless it is so.
    #[serde(skip_serializing_if = "is_zero")]
    pub coming: bool,
    /// Absent in older forms, and unless it is so.
    #[serde(skip_serializing_if = "is_zero")]
    pub limit_lifted: bool,
}

impl Marks {
    /// True if a mark is set that the first versions did not have.
    pub(crate) fn is_new(&self) -> bool {
        self.coming || self.limit_lifted
    }
}

/// The notifications that a ticket has triggered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct NotificationHistory {
    pub order: u32,
    #[serde(rename = "templates")]
    pub template_count: u32,
    #[serde(rename = "last")]
    pub last_template_at: Option<i64>,
    #[serde(rename = "expected")]
    pub expected_turn_at: Option<i64>,
    #[serde(rename = "told")]
    pub count_by_kind: Vec<u32>,
    #[serde(rename = "call")]
    pub last_call: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_stop: Option<QueueState>,
}
