//! Record of a notice under the subject of its ticket, with the state of the ticket's notices.
//!
//! The newest record of a ticket alone tells what may be done about it. It is an [`OutcomeRecord`]
//! with a member more, so that a reader of outcomes need not know of tickets.

use crate::notice::{Channel, ChannelAttempt};
use crate::outcome::OutcomeRecord;
use serde::{Deserialize, Serialize};

/// Record in the log of outcomes under the subject of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRecord {
    /// Record of one notice. An attempt that is announced again has changed its state only.
    #[serde(flatten)]
    pub record: OutcomeRecord,
    /// State of all notices of the ticket after the record.
    pub ticket: TicketNotices,
}

/// State of the notices of one ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketNotices {
    /// Highest ordinal of a notice that was attempted or has ended.
    #[serde(default)]
    pub newest: u32,
    /// Notices that were attempted and have not ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenNotice>,
    /// Notices that have ended, in the order of their ends. The oldest are left out of a long list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<EndedNotice>,
    /// True if `ended` leaves some out: older records tell.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shortened: bool,
}

/// Notice that was attempted and has not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenNotice {
    /// Last part of the notice's key, as in `called#1`.
    pub name: String,
    /// Ordinal among the notices of the ticket.
    pub order: u32,
    /// Time from which the notice is true, in Unix milliseconds.
    pub at: i64,
    /// Start of the first attempt, in Unix milliseconds.
    pub first_attempt_at: i64,
    /// Number of attempts, the one under way included.
    pub attempts: u32,
    /// True if an attempt has ended without a response, so that WeChat may have the message.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsure: bool,
    /// Error of the last attempt.
    pub last_error: String,
    /// Channel of the last attempt, unless it certainly did not accept the notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Channels that did not accept the notice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_attempts: Vec<ChannelAttempt>,
    /// Attempt under way, or one whose worker has died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// Right of one worker to make an attempt, and the announcement of that attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Random id, by which the worker finds its own claim again.
    pub id: String,
    /// End of the claim, in Unix milliseconds.
    pub until: i64,
    /// True after the end, once the worker has been given time to withdraw it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub questioned: bool,
}

/// Notice that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedNotice {
    /// Last part of the notice's key.
    pub name: String,
    /// Reason of its dead letter, if an operator has to act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}
