//! Stored form of what was told about a ticket, beside its status and its wait.

use super::event::QueueState;
use super::is_zero;
use super::ticket::{CloseReason, HoldKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was told about a ticket. The fields that its status does not have are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's standing")]
pub struct Standing {
    #[serde(rename = "queue")]
    pub queue_state: QueueState,
    /// Estimated range in minutes, of an outcome that has no other place for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minutes: Option<(u32, u32)>,
    /// True if that estimate rests on little data.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub cold: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<Arc<str>>,
    /// Deadline: of the call, of the hold, or of the return, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<i64>,
    /// Initiator of a hold; absent for the holder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<HoldKind>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub others: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub places: Option<u32>,
    /// Reason of the closing; absent for a miss that expired.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed: Option<CloseReason>,
    /// Words of staff: about the hold, or about the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Arc<str>>,
    /// Names of the acts that the holder may take.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub may: Vec<Arc<str>>,
}
