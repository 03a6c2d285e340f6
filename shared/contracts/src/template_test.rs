//! Test of a template: a page shows a code, and whoever scans it is sent a message of the template.

use crate::notice::Channel;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Record of a test in the cache, readable by every gateway replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateTest {
    /// Version of this form: 1.
    pub v: u32,
    /// The account's name.
    pub account: String,
    /// Channel of the message: template message or subscription notice.
    pub channel: Channel,
    /// Kind of notice: `called`, `progress`, `missed`.
    pub notice: String,
    /// WeChat's id of the template.
    pub template_id: String,
    /// Field and wording.
    pub fields: BTreeMap<String, String>,
    /// End of the code's validity, in Unix milliseconds.
    pub expires_at: i64,
    /// Progress of the test.
    pub progress: TestProgress,
    /// Pseudonym of whoever scanned, to recognise the receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<String>,
    /// Receipts of this person that came before the answer to the call: message id and status.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub early: Vec<(u64, String)>,
}

/// Progress of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum TestProgress {
    /// Nobody has scanned the code.
    Waiting,
    /// The message is on its way to WeChat.
    Sending,
    /// WeChat has taken the message; its receipt is to come.
    Accepted {
        /// WeChat's id of the message, if it gave one.
        message: Option<u64>,
    },
    /// WeChat has delivered the message.
    Delivered,
    /// WeChat has not delivered the message that it took.
    Undelivered {
        /// WeChat's words.
        words: String,
    },
    /// WeChat has refused the message.
    Refused {
        /// WeChat's code; 0 if there was no answer.
        code: i64,
        /// WeChat's words, or what happened to the call.
        words: String,
        /// Advice.
        advice: String,
    },
}

/// Tests of an account that are under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateTests {
    /// Version of this form: 1.
    pub v: u32,
    /// Uuid of each test, and the time until which its receipt may come, in Unix milliseconds.
    pub tests: Vec<(String, i64)>,
}
