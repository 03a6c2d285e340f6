//! A ticket as it is stored, where all of it has to be, and its parts.

use super::is_zero;
use super::visit::{ForecastBasis, VisitProgress};
use crate::ticket_link::TicketKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A number in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Letters in front.
    pub prefix: Arc<str>,
    /// The daily serial.
    pub serial: u32,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:03}", self.prefix, self.serial)
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// Priority class.
    pub class: u8,
    /// Effective arrival, in Unix milliseconds.
    pub arrival: i64,
    /// Tie breaker.
    pub sequence: u32,
    /// Before or behind the ticket of that sequence.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub turn: i32,
}

/// What a holder was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedWait {
    /// People ahead.
    pub ahead: u32,
    /// Minutes, from and to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minutes: Option<(u32, u32)>,
    /// Whether that is rough.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub cold: bool,
}

/// Why a ticket was closed.
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

/// The name of a state.
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
    /// Whether it is the one that is not written down.
    pub(super) fn is_usual(&self) -> bool {
        *self == TicketStatus::Waiting
    }
}

/// A whole ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's ticket")]
pub struct Ticket {
    pub id: u32,
    /// What opens it to its holder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<TicketKey>,
    pub number: Number,
    pub queue: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<Arc<str>>,
    pub taken_at: i64,
    pub arrived: i64,
    pub rank: Rank,
    pub told: QuotedWait,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basis: Option<ForecastBasis>,
    pub stage: TicketState,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub counts: TicketCounts,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub marks: Marks,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub notices: NotificationHistory,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub trail: VisitProgress,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub worked_ms: i64,
}

/// A state with what is true in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each field is documented at the domain's stage of the same name")]
pub enum TicketState {
    Waiting,
    Called { counter: Arc<str>, at: i64, call: u32, round: u32, last: i64, deadline: i64 },
    Serving { counter: Arc<str>, since: i64, at: i64 },
    Held { at: i64, hold: Hold },
    Missed { at: i64, until: Option<i64> },
    Done { at: i64 },
    Closed { at: i64, reason: CloseReason },
}

impl TicketState {
    /// Its name.
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

/// Why a ticket is held and what ends that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct Hold {
    pub why: HoldKind,
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

/// On whose wish a ticket is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum HoldKind {
    LetPass,
    Staff,
    Suspended,
}

/// How often what has happened to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct TicketCounts {
    pub calls: u32,
    pub misses: u32,
    pub holds: u32,
    pub let_pass: u32,
    pub hops: u32,
}

/// What is known of a holder beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct Marks {
    pub arrived: bool,
    pub party: u32,
    pub tell_at: Option<u32>,
}

/// What a ticket remembers of what its holder was told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct NotificationHistory {
    pub order: u32,
    pub templates: u32,
    pub last: Option<i64>,
    pub expected: Option<i64>,
    pub told: Vec<u32>,
    pub call: u32,
}
