//! A notice on its way to a person's WeChat, and what became of it.

use crate::commit::Number;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message to be sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Version of this form: 1.
    pub v: u32,
    /// Ticket, milestone and occurrence: `hall/20779/17/called#1`. The same for every replica that
    /// plans it, and accepted by WeChat at most once.
    pub key: String,
    /// The WeChat account that sends it.
    pub account: Arc<str>,
    /// The site's name.
    pub site_name: Arc<str>,
    /// The site's time zone, an IANA name.
    pub zone: Arc<str>,
    /// Whom to tell: an openid.
    pub person: Arc<str>,
    /// The number.
    pub number: Number,
    /// The queue's name.
    pub queue_name: Arc<str>,
    /// What to say.
    pub saying: Saying,
    /// When it became true, in Unix milliseconds.
    pub at: i64,
    /// When it stops being true, in Unix milliseconds; not to be sent after that.
    pub valid_until: i64,
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "saying", rename_all = "snake_case")]
pub enum Saying {
    /// It is your turn (叫号).
    Called {
        /// Where to go.
        counter_name: Arc<str>,
        /// The how-manieth call.
        call: u32,
    },
}

/// What became of a notice; written once per key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeOutcome {
    /// Version of this form: 1.
    pub v: u32,
    /// The notice's key.
    pub key: String,
    /// How it ended.
    pub fate: Fate,
    /// When that was known, in Unix milliseconds.
    pub at: i64,
    /// How many times WeChat was asked.
    pub attempts: u32,
}

/// How a notice ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// WeChat accepted it under this message id.
    Sent {
        /// WeChat's id, up to 19 digits.
        message_id: u64,
    },
    /// WeChat will not accept it: its return code, and our name for it.
    Refused {
        /// WeChat's errcode.
        code: i64,
        /// What it means.
        name: String,
    },
    /// It stopped being true before it could be sent.
    Stale,
    /// WeChat kept saying "later" for nine minutes. It does not have the message.
    GaveUp {
        /// What the last attempt met.
        last: String,
    },
    /// An attempt ended without an answer and no later one got one within nine minutes: WeChat may
    /// or may not have the message, and trying longer could send it twice.
    Unknown {
        /// What the last attempt met.
        last: String,
    },
    /// It cannot be put into words: no template is bound for it.
    Unspeakable {
        /// What is missing.
        reason: String,
    },
}
