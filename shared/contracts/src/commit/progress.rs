//! Stored form of the progress of a visit, which a ticket carries and a visit record sums up.

use super::is_zero;
use serde::{Deserialize, Serialize};

/// Basis of a quoted range: predicted seconds, median seconds, version of the method.
pub type ForecastBasis = (u32, u32, u8);

/// Number of times that a ticket was overtaken, by cause.
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

/// Progress of a visit that has not ended, where the whole ticket is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct VisitProgress {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(skip_serializing_if = "is_zero")]
    #[serde(rename = "jumped")]
    pub called_out_of_order: bool,
    #[serde(skip_serializing_if = "is_zero")]
    #[serde(rename = "coming_ms")]
    pub approach_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_ms: Option<i64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub overtaken: OvertakeCounts,
    /// The range quoted last, in minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "shown")]
    pub displayed: Option<(u32, u32)>,
    /// Number of people who were ahead then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "shown_ahead")]
    pub displayed_ahead: Option<u32>,
    /// Time at which the upper bound was last shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortened_at: Option<i64>,
}
