//! Stored form of a visit that has ended: in the event that ended it, and in the history. It holds
//! no person.

use super::is_zero;
use super::progress::{ForecastBasis, OvertakeCounts};
use super::ticket::{CloseReason, QuotedWait, TicketCounts};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A visit that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitRecord {
    /// Business day on which it ended, in days since 1970-01-01.
    pub day: i32,
    /// Queue at the end of the visit.
    pub queue: Arc<str>,
    /// Counter at the end of the visit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<Arc<str>>,
    /// Time at which the number was taken, in Unix milliseconds. The other times are milliseconds
    /// after it.
    pub taken_at: i64,
    /// Time of the first call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[serde(rename = "called")]
    pub called_at: Option<i64>,
    /// Time of the first start of service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[serde(rename = "started")]
    pub started_at: Option<i64>,
    /// Time of the end.
    #[serde(rename = "ended")]
    pub ended_at: i64,
    /// Milliseconds for which the visit occupied counters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slot_ms: Option<i64>,
    /// Milliseconds of service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serving_ms: Option<i64>,
    /// True if the slot is too long to be plausible.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub implausible: bool,
    /// Counters of the events of the ticket.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub counts: TicketCounts,
    /// True if the ticket was called before its turn.
    #[serde(skip_serializing_if = "is_zero", default)]
    #[serde(rename = "jumped")]
    pub called_out_of_order: bool,
    /// Wait quoted when the number was taken.
    #[serde(rename = "told")]
    pub quoted: QuotedWait,
    /// Basis of that quote.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basis: Option<ForecastBasis>,
    /// Number of others that went before, by cause.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub overtaken: OvertakeCounts,
    /// Outcome of the visit.
    pub end: VisitOutcome,
}

/// Outcome of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitOutcome {
    /// Served.
    Served,
    /// Closed, with the reason.
    Closed(CloseReason),
}
