//! What is to be told, as it is stored.

use super::is_zero;
use super::ticket::{Number, QuotedWait};
use crate::ticket_link::TicketKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something the holder of a ticket is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTrigger {
    /// Whose ticket.
    pub ticket: u32,
    /// The business day, in days since 1970-01-01.
    pub day: i32,
    /// Whom to tell: an openid.
    pub person: Arc<str>,
    /// What opens the ticket to its holder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<TicketKey>,
    /// The number.
    pub number: Number,
    /// The queue's name.
    pub queue_name: Arc<str>,
    /// What was reached.
    pub kind: NotificationKind,
    /// The how-manieth of its kind for this ticket; 0 in version 1, which had only calls.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub occurrence: u32,
    /// The how-manieth milestone of this ticket; 0 in version 1.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub order: u32,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// When it stops being true, in Unix milliseconds.
    pub valid_until: i64,
}

/// What can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reached", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum NotificationKind {
    Joined {
        told: QuotedWait,
    },
    Near {
        told: QuotedWait,
    },
    Next {
        told: QuotedWait,
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
        through: ReturnCause,
        told: QuotedWait,
    },
    Slipped {
        told: QuotedWait,
    },
    Halted {
        told: QuotedWait,
    },
    QueueClosed,
}

impl NotificationKind {
    /// The word for it, as it stands in a notice's key.
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

/// Through what somebody is in the line again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum ReturnCause {
    Return,
    Transfer,
    PutBack,
}
