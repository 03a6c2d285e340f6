//! Stored form of the triggers of notifications.

use super::is_zero;
use super::ticket::{Number, QuotedWait};
use crate::ticket_link::TicketKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A trigger of one notification to the holder of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTrigger {
    /// Id of the ticket, unique within the business day.
    pub ticket: u32,
    /// The business day, in days since 1970-01-01.
    pub day: i32,
    /// Openid of the recipient.
    pub person: Arc<str>,
    /// Secret of the holder's link to the ticket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<TicketKey>,
    /// The number.
    pub number: Number,
    /// Name of the queue.
    pub queue_name: Arc<str>,
    /// Kind of the notification.
    pub kind: NotificationKind,
    /// Ordinal among the triggers of this kind for the ticket; 0 in version 1, which had only
    /// calls.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub occurrence: u32,
    /// Ordinal among all triggers of the ticket; 0 in version 1.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub order: u32,
    /// Time of the trigger, in Unix milliseconds.
    pub at: i64,
    /// End of validity, in Unix milliseconds.
    pub valid_until: i64,
}

/// Kinds of notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reached", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum NotificationKind {
    Joined {
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    Near {
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    Next {
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    Called {
        counter_name: Arc<str>,
        call: u32,
    },
    Recalled {
        counter_name: Arc<str>,
        call: u32,
    },
    Missed {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        until: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        places: Option<u32>,
    },
    Returned {
        #[serde(rename = "through")]
        cause: ReturnCause,
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    Slipped {
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    Halted {
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    QueueClosed,
}

impl NotificationKind {
    /// Name of the kind in a notice's key.
    pub fn name(&self) -> &'static str {
        match self {
            NotificationKind::Joined { .. } => "joined",
            NotificationKind::Near { .. } => "near",
            NotificationKind::Next { .. } => "next",
            NotificationKind::Called { .. } => "called",
            NotificationKind::Recalled { .. } => "recalled",
            NotificationKind::Missed { .. } => "missed",
            NotificationKind::Returned { .. } => "returned",
            NotificationKind::Slipped { .. } => "slipped",
            NotificationKind::Halted { .. } => "halted",
            NotificationKind::QueueClosed => "queue_closed",
        }
    }
}

/// Cause of a return into the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum ReturnCause {
    Return,
    Transfer,
    PutBack,
}
