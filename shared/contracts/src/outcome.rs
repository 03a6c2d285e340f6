//! The records of a notice in the log of outcomes, and what they add up to in whatever order they
//! are read.
//!
//! A record is never changed. Of each notice there is at most one [`NoticeOutcome`]; before it stand
//! [`Trying`]s, after it come receipts.

use crate::notice::{Channel, Fate, NoticeOutcome, Tried};
use crate::receipt::Received;
use serde::{Deserialize, Serialize};

/// An attempt is about to be made that must not be made twice unawares: through a channel whose
/// messages WeChat does not tell apart, or where another channel could be tried after it. It stands
/// in the ledger because the cache, where claims are, may be lost with the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
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
    pub tried: Vec<Tried>,
}

/// What WeChat said became of the message, after it had accepted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeReceipt {
    /// Version of this form: 1.
    pub v: u32,
    /// The notice's key.
    pub key: String,
    /// What became of it.
    pub receipt: Received,
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
    Trying(Trying),
    /// WeChat told of it.
    Receipt(NoticeReceipt),
    /// It has ended.
    Ended(NoticeOutcome),
}

/// What is known of a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The channel of the newest attempt that was announced.
    pub trying: Option<Trying>,
    /// How it ended.
    pub ended: Option<NoticeOutcome>,
    /// What WeChat said became of it.
    pub receipt: Option<NoticeReceipt>,
}

/// What staff want to know of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is recorded yet, or it is being sent.
    UnderWay,
    /// WeChat has it, and has not said more.
    Accepted,
    /// The person has it.
    Told,
    /// WeChat had accepted it and could not deliver it.
    NotDelivered(Received),
    /// It ended without being accepted.
    NotTold(Fate),
}

impl OutcomeRecord {
    /// The key of the notice it is about.
    pub fn key(&self) -> &str {
        match self {
            OutcomeRecord::Trying(record) => &record.key,
            OutcomeRecord::Receipt(record) => &record.key,
            OutcomeRecord::Ended(record) => &record.key,
        }
    }
}

impl Outcome {
    /// What these records of one notice add up to: the same in every order, and however often one
    /// of them is there.
    pub fn of(records: impl IntoIterator<Item = OutcomeRecord>) -> Outcome {
        let mut outcome = Outcome::default();
        records.into_iter().for_each(|record| outcome.add(record));
        outcome
    }

    /// Takes in one more record.
    pub fn add(&mut self, record: OutcomeRecord) {
        match record {
            OutcomeRecord::Trying(new) => {
                keep(&mut self.trying, new, |old, new| rank(new) > rank(old));
            }
            OutcomeRecord::Ended(new) => {
                keep(&mut self.ended, new, |old, new| end(new) < end(old));
            }
            OutcomeRecord::Receipt(new) => {
                keep(&mut self.receipt, new, |old, new| weight(new) > weight(old));
            }
        }
    }

    /// In one word.
    pub fn standing(&self) -> Standing {
        match (&self.receipt, self.ended.as_ref().map(|ended| &ended.fate)) {
            // Whatever we believed: WeChat says that the person has it.
            (Some(NoticeReceipt { receipt: Received::Delivered, .. }), _)
            | (_, Some(Fate::Replied)) => Standing::Told,
            (Some(receipt), _) => Standing::NotDelivered(receipt.receipt),
            (None, Some(Fate::Sent { .. })) => Standing::Accepted,
            (None, Some(fate)) => Standing::NotTold(fate.clone()),
            (None, None) => Standing::UnderWay,
        }
    }
}

fn keep<T>(kept: &mut Option<T>, new: T, better: impl Fn(&T, &T) -> bool) {
    if kept.as_ref().is_none_or(|old| better(old, &new)) {
        *kept = Some(new);
    }
}

/// The newest one, and of two at once always the same.
fn rank(trying: &Trying) -> (i64, Channel, String) {
    (trying.at, trying.trying, stored(trying))
}

/// There is one; were there two, the earlier one would count.
fn end(ended: &NoticeOutcome) -> (i64, String) {
    (ended.at, stored(ended))
}

/// A delivery weighs more than any failure, and what says more than what says less.
fn weight(receipt: &NoticeReceipt) -> (Received, i64, &str) {
    (receipt.receipt, -receipt.at, &receipt.said)
}

fn stored(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("string keys only")
}
