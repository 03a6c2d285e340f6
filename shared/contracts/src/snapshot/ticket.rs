//! Stored form of a ticket in a snapshot.

use crate::commit::{
    self, ActorRef, Marks, NotificationHistory, Rank, TicketCounts, TicketState, VisitProgress,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Ticket with what an event does not carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The ticket as events carry it.
    pub ticket: commit::Ticket,
    /// Number of its line's overtakings that its progress includes.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub overtakes_counted: u32,
    /// The ticket before its last step towards an end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undo: Option<UndoPoint>,
}

/// Ticket before its last step towards an end. A field that is absent is as the ticket has it now,
/// which halves the snapshot of a busy day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoPoint {
    /// Time of the step, in Unix milliseconds.
    pub at: i64,
    /// Actor of the step; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<ActorRef>,
    /// State before the step.
    pub state: TicketState,
    /// Queue before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue: Option<Arc<str>>,
    /// Rank before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rank: Option<Rank>,
    /// Counts before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counts: Option<TicketCounts>,
    /// Marks before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub marks: Option<Marks>,
    /// Notifications before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notifications: Option<NotificationHistory>,
    /// Progress before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub progress: Option<VisitProgress>,
    /// Number of overtakings that the progress included before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub overtakes_counted: Option<u32>,
    /// Milliseconds of service before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub worked_ms: Option<i64>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}
