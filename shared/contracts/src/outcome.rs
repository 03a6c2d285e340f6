//! The records of a notice in the log of outcomes, and what they add up to in whatever order they
//! are read.
//!
//! A record is never changed. Of each notice there is at most one [`NoticeOutcome`]; before it stand
//! [`Trying`]s, after it come receipts.

use crate::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use crate::receipt::ReceiptStatus;
use serde::{Deserialize, Serialize};

/// An attempt is about to be made that must not be made twice unawares: through a channel whose
/// messages WeChat does not tell apart, or where another channel could be tried after it. It stands
/// in the ledger because the cache, where claims are, may be lost with the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptAnnounced {
    /// Version of this form: 1.
    pub v: u32,
    /// The notice's key.
    pub key: String,
    /// Through which channel.
    pub trying: Channel,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The channels before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<ChannelAttempt>,
}

/// What WeChat said became of the message, after it had accepted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeReceipt {
    /// Version of this form: 1.
    pub v: u32,
    /// The notice's key.
    pub key: String,
    /// What became of it.
    pub receipt: ReceiptStatus,
    /// WeChat's own words for it.
    pub said: String,
    /// When WeChat says it was so, in Unix milliseconds.
    pub at: i64,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OutcomeRecord {
    /// It is being sent.
    Attempt(AttemptAnnounced),
    /// WeChat told of it.
    Receipt(NoticeReceipt),
    /// It has ended.
    Ended(NoticeOutcome),
}

/// What is known of a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeState {
    /// The channel of the newest attempt that was announced.
    pub attempt: Option<AttemptAnnounced>,
    /// How it ended.
    pub outcome: Option<NoticeOutcome>,
    /// What WeChat said became of it.
    pub receipt: Option<NoticeReceipt>,
}

/// What staff want to know of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeStatus {
    /// Nothing is recorded yet, or it is being sent.
    Pending,
    /// WeChat has it, and has not said more.
    Accepted,
    /// The person has it.
    Delivered,
    /// WeChat had accepted it and could not deliver it.
    NotDelivered(ReceiptStatus),
    /// It ended without being accepted.
    NotAccepted(DeliveryOutcome),
}

impl OutcomeRecord {
    /// The key of the notice it is about.
    pub fn key(&self) -> &str {
        match self {
            OutcomeRecord::Attempt(record) => &record.key,
            OutcomeRecord::Receipt(record) => &record.key,
            OutcomeRecord::Ended(record) => &record.key,
        }
    }
}

impl NoticeState {
    /// What these records of one notice add up to: the same in every order, and however often one
    /// of them is there.
    pub fn from_records(records: impl IntoIterator<Item = OutcomeRecord>) -> NoticeState {
        let mut outcome = NoticeState::default();
        records.into_iter().for_each(|record| outcome.apply(record));
        outcome
    }

    /// Takes in one more record.
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

    /// In one word.
    pub fn status(&self) -> NoticeStatus {
        match (&self.receipt, self.outcome.as_ref().map(|ended| &ended.fate)) {
            // Whatever we believed: WeChat says that the person has it.
            (Some(NoticeReceipt { receipt: ReceiptStatus::Delivered, .. }), _)
            | (_, Some(DeliveryOutcome::Replied)) => NoticeStatus::Delivered,
            (Some(receipt), _) => NoticeStatus::NotDelivered(receipt.receipt),
            (None, Some(DeliveryOutcome::Sent { .. })) => NoticeStatus::Accepted,
            (None, Some(fate)) => NoticeStatus::NotAccepted(fate.clone()),
            (None, None) => NoticeStatus::Pending,
        }
    }
}

fn replace_if_better<T>(kept: &mut Option<T>, new: T, better: impl Fn(&T, &T) -> bool) {
    if kept.as_ref().is_none_or(|old| better(old, &new)) {
        *kept = Some(new);
    }
}

/// The newest one, and of two at once always the same.
fn attempt_order(trying: &AttemptAnnounced) -> (i64, Channel, String) {
    (trying.at, trying.trying, to_json(trying))
}

/// There is one; were there two, the earlier one would count.
fn outcome_order(ended: &NoticeOutcome) -> (i64, String) {
    (ended.at, to_json(ended))
}

/// A delivery weighs more than any failure, and what says more than what says less.
fn receipt_order(receipt: &NoticeReceipt) -> (ReceiptStatus, i64, &str) {
    (receipt.receipt, -receipt.at, &receipt.said)
}

fn to_json(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("string keys only")
}
