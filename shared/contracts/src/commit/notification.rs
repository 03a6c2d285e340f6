//! Stored form of the triggers of notifications.

use super::is_zero;
use super::ticket::{Number, QuotedWait};
use crate::tagged::tagged_enum;
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

tagged_enum! { "reached", "NotificationKind",
    /// Kinds of notification.
    #[derive(Debug, Clone, PartialEq, Eq)]
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
            /// Part that older programs do not know; absent in their entries.
            #[serde(flatten)]
            detail: ReturnDetail,
        },
        Slipped {
            #[serde(rename = "told")]
            quoted: QuotedWait,
        },
        Halted {
            #[serde(rename = "told")]
            quoted: QuotedWait,
            /// Hold by staff, if it is not the queue that calls nobody. To a program that does not
            /// know it, nobody is called.
            #[serde(skip_serializing_if = "Option::is_none", default)]
            hold: Option<HoldNotice>,
        },
        QueueClosed {
            /// End of the queue; absent if it has ended for today.
            #[serde(skip_serializing_if = "Option::is_none", default)]
            end: Option<QueueEnd>,
            /// Removal of the ticket alone. To a program that does not know it, the queue has
            /// ended.
            #[serde(skip_serializing_if = "Option::is_none", default)]
            removed: Option<RemovalNotice>,
        },
    }
}

/// What a notification of a return holds beside its cause and the wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnDetail {
    /// Cause that older programs do not know; they read `return` in its place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<NewReturnCause>,
    /// Reason that staff gave.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Arc<str>>,
    /// Name of the counter to go to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter_name: Option<Arc<str>>,
}

/// Hold by staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldNotice {
    /// True if a service was interrupted.
    pub suspended: bool,
    /// Reason that staff gave.
    pub reason: Arc<str>,
    /// End of the hold, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<i64>,
}

/// Removal of a ticket by staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalNotice {
    /// Reason that staff gave.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Arc<str>>,
}

/// Ways in which a queue ends other than for today, which older programs take each of them for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum QueueEnd {
    Closed,
    Cleared,
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
            NotificationKind::QueueClosed { .. } => "queue_closed",
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

/// Causes of a return that programs of before do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's `ReturnCause`")]
pub enum NewReturnCause {
    Resumed,
    Restored,
    Prioritised,
    Reopened,
}
