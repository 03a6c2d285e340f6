//! Records of a notice in the log of outcomes, and the state that they add up to in any order.
//!
//! A record is never changed. A notice has at most one [`NoticeOutcome`]. [`AttemptAnnounced`]
//! records precede it, receipts follow it.

use crate::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use crate::receipt::ReceiptStatus;
use serde::{Deserialize, Serialize};

/// Announcement of an attempt that must not be repeated unknowingly: its channel has no idempotent
/// messages, or another channel could be tried after it. It is kept in the ledger because the
/// cache, which holds the leases, may be lost with the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptAnnounced {
    /// Version of this form: 1.
    pub v: u32,
    /// Key of the notice.
    pub key: String,
    /// Channel of the attempt.
    #[serde(rename = "trying")]
    pub channel: Channel,
    /// Time of the announcement, in Unix milliseconds.
    pub at: i64,
    /// Earlier attempts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "tried")]
    pub earlier_attempts: Vec<ChannelAttempt>,
}

/// WeChat's report on a message that it had accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeReceipt {
    /// Version of this form: 1.
    pub v: u32,
    /// Key of the notice.
    pub key: String,
    /// Status in the report.
    pub receipt: ReceiptStatus,
    /// Status in WeChat's own words.
    #[serde(rename = "said")]
    pub status_text: String,
    /// Time of the report by WeChat's clock, in Unix milliseconds.
    pub at: i64,
}

/// A record in the log of outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OutcomeRecord {
    /// An attempt is announced.
    Attempt(AttemptAnnounced),
    /// WeChat sent a receipt.
    Receipt(NoticeReceipt),
    /// The delivery has ended.
    Ended(NoticeOutcome),
}

/// State of a notice, folded from its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeState {
    /// The newest announced attempt.
    pub attempt: Option<AttemptAnnounced>,
    /// The outcome, once there is one.
    pub outcome: Option<NoticeOutcome>,
    /// The most informative receipt.
    pub receipt: Option<NoticeReceipt>,
}

/// Status of a notice for staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeStatus {
    /// Nothing is recorded yet, or the notice is being sent.
    Pending,
    /// WeChat has accepted it and has sent no receipt.
    Accepted,
    /// The person has received it.
    Delivered,
    /// WeChat had accepted it and could not deliver it.
    NotDelivered(ReceiptStatus),
    /// It ended without being accepted.
    NotAccepted(DeliveryOutcome),
}

impl OutcomeRecord {
    /// Key of the notice that the record belongs to.
    pub fn key(&self) -> &str {
        match self {
            OutcomeRecord::Attempt(record) => &record.key,
            OutcomeRecord::Receipt(record) => &record.key,
            OutcomeRecord::Ended(record) => &record.key,
        }
    }

    /// Takes the key of the notice out, for a reader that keeps the record under it.
    pub fn take_key(&mut self) -> String {
        std::mem::take(match self {
            OutcomeRecord::Attempt(record) => &mut record.key,
            OutcomeRecord::Receipt(record) => &mut record.key,
            OutcomeRecord::Ended(record) => &mut record.key,
        })
    }
}

impl NoticeState {
    /// Folds the records of one notice. Order and repetition of the records do not matter.
    pub fn from_records(records: impl IntoIterator<Item = OutcomeRecord>) -> NoticeState {
        let mut state = NoticeState::default();
        records.into_iter().for_each(|record| state.apply(record));
        state
    }

    /// Applies one more record.
    pub fn apply(&mut self, record: OutcomeRecord) {
        match record {
            OutcomeRecord::Attempt(new) => {
                replace_if_better(&mut self.attempt, new, |old, new| {
                    attempt_order(new) > attempt_order(old)
                });
            }
            OutcomeRecord::Ended(new) => {
                replace_if_better(&mut self.outcome, new, |old, new| {
                    outcome_order(new) < outcome_order(old)
                });
            }
            OutcomeRecord::Receipt(new) => {
                replace_if_better(&mut self.receipt, new, |old, new| {
                    receipt_order(new) > receipt_order(old)
                });
            }
        }
    }

    /// The status for staff.
    pub fn status(&self) -> NoticeStatus {
        match (&self.receipt, self.outcome.as_ref().map(|ended| &ended.outcome)) {
            // A receipt outweighs our own record: WeChat reports that the person has the message.
            (Some(NoticeReceipt { receipt: ReceiptStatus::Delivered, .. }), _)
            | (_, Some(DeliveryOutcome::Replied)) => NoticeStatus::Delivered,
            (Some(receipt), _) => NoticeStatus::NotDelivered(receipt.receipt),
            (None, Some(DeliveryOutcome::Sent { .. })) => NoticeStatus::Accepted,
            (None, Some(outcome)) => NoticeStatus::NotAccepted(outcome.clone()),
            (None, None) => NoticeStatus::Pending,
        }
    }
}

fn replace_if_better<T>(kept: &mut Option<T>, new: T, better: impl Fn(&T, &T) -> bool) {
    if kept.as_ref().is_none_or(|old| better(old, &new)) {
        *kept = Some(new);
    }
}

/// Sort key whose largest value is the newest attempt; the JSON form makes it a total order.
fn attempt_order(attempt: &AttemptAnnounced) -> (i64, Channel, String) {
    (attempt.at, attempt.channel, to_json(attempt))
}

/// Sort key whose smallest value counts. There should be one outcome; of two, the earlier counts.
fn outcome_order(ended: &NoticeOutcome) -> (i64, String) {
    (ended.at, to_json(ended))
}

/// Sort key by information: a delivery outweighs any failure, and a precise failure a vague one.
fn receipt_order(receipt: &NoticeReceipt) -> (ReceiptStatus, i64, &str) {
    (receipt.receipt, -receipt.at, &receipt.status_text)
}

fn to_json(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("string keys only")
}
