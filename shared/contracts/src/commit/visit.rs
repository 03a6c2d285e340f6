//! A visit that has ended, as it is stored: beside the event that ended it, and in the history. It
//! names nobody.

use super::is_zero;
use super::ticket::{CloseReason, QuotedWait, TicketCounts};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A visit that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitRecord {
    /// The business day on which it ended, in days since 1970-01-01.
    pub day: i32,
    /// The queue it was in at the end.
    pub queue: Arc<str>,
    /// The counter it ended at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<Arc<str>>,
    /// When the number was taken, in Unix milliseconds. The other times are milliseconds after it.
    pub taken_at: i64,
    /// The first call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub called: Option<i64>,
    /// The first beginning of service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<i64>,
    /// The end.
    pub ended: i64,
    /// Milliseconds that it kept counters busy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slot_ms: Option<i64>,
    /// Milliseconds of service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serving_ms: Option<i64>,
    /// Whether the slot is too long to be true.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub implausible: bool,
    /// How often what happened to it.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub counts: TicketCounts,
    /// Whether it was called before its turn.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub jumped: bool,
    /// What was told when the number was taken.
    pub told: QuotedWait,
    /// What that rested on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basis: Option<ForecastBasis>,
    /// How often others went before.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub overtaken: OvertakeCounts,
    /// How it ended.
    pub end: VisitOutcome,
}

/// What a told range rested on: predicted seconds, median seconds, version of the method.
pub type ForecastBasis = (u32, u32, u8);

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitOutcome {
    /// Served.
    Served,
    /// Closed, for this reason.
    Closed(CloseReason),
}

/// How often somebody was overtaken, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct OvertakeCounts {
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub returned: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub transferred: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub taken_back: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub out_of_order: u32,
}

/// What a ticket remembers on its way, where all of it has to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct VisitProgress {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub jumped: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub coming_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_ms: Option<i64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub overtaken: OvertakeCounts,
    /// The range told last, in minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<(u32, u32)>,
    /// When its upper bound was last shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortened_at: Option<i64>,
}
