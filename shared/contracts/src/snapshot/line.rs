//! Stored form of the line of a queue.

use crate::commit::{Number, QueueState, Rank};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Line of a queue, without its tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Id of the queue.
    pub queue: Arc<str>,
    /// State that staff set today.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<QueueState>,
    /// Tickets taken today.
    pub taken: u32,
    /// Calls of today, without recalls.
    pub calls: u32,
    /// Calls of today that were out of order.
    pub out_of_order: u32,
    /// Step of the interleaving.
    pub interleave_step: u32,
    /// Number called last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_called: Option<Number>,
    /// Tickets of a better class that were called before one that had come earlier.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub priority_passes: Vec<LinePosition>,
    /// Latest position changes, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub position_changes: Vec<PositionChange>,
    /// Overtakings of today, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub overtakes: Vec<Overtake>,
    /// Tickets whose holders are still to be notified of the queue's state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unnotified: Option<Remainder>,
    /// Tickets that a clearing has still to void.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uncleared: Option<Remainder>,
    /// Wait in seconds of the person called last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_wait_s: Option<u32>,
}

/// Position of a ticket in a line: rank and id of the ticket.
pub type LinePosition = (Rank, u32);

/// Overtaking of the tickets between two places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtake {
    /// Tickets behind this place were overtaken; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub behind: Option<LinePosition>,
    /// Tickets before this place were overtaken; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<LinePosition>,
    /// Cause of the overtaking.
    pub cause: PositionChangeCause,
}

/// Change of a ticket's place other than by waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct PositionChange {
    pub ticket: u32,
    pub number: Number,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Rank>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<Rank>,
    pub cause: PositionChangeCause,
    pub at: i64,
    pub newest_ticket: u32,
}

/// Causes of a position change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum PositionChangeCause {
    Priority,
    Return,
    Transfer,
    Hold,
    Resume,
    OutOfOrder,
    TakenBack,
}

/// Tickets for which a decision is still to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remainder {
    /// Time of the decision, in Unix milliseconds.
    pub since: i64,
    /// Remaining tickets, in order.
    pub tickets: Vec<u32>,
}
