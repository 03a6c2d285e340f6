//! Change of one value of a document.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Change of one value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ValueDifference {
    /// Path of the value: `queues.cash.minutes`.
    pub key: String,
    /// Value before; `null` if there was none.
    pub before: Value,
    /// Value after; `null` if there is none.
    pub after: Value,
}
