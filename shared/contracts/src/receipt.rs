//! What WeChat said became of a message, on its way from the gateway that heard it to the notice.

use crate::notice::Channel;
use serde::{Deserialize, Serialize};

/// What became of a message. In the order of how much it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// It did not arrive, for another reason.
    Failed,
    /// WeChat found it one too many for this person.
    TooOften,
    /// The person refuses messages of this account.
    Refused,
    /// It arrived.
    Delivered,
}

impl ReceiptStatus {
    /// A word for metrics.
    pub fn name(self) -> &'static str {
        match self {
            ReceiptStatus::Failed => "failed",
            ReceiptStatus::TooOften => "too_often",
            ReceiptStatus::Refused => "refused",
            ReceiptStatus::Delivered => "delivered",
        }
    }
}

/// A receipt that a gateway heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of this form: 1.
    pub v: u32,
    /// The account that sent the message.
    pub account: String,
    /// A tag of the person it was for.
    pub person: String,
    /// What kind of message it was.
    pub channel: Channel,
    /// Its template, if WeChat names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Its id, if WeChat names one that is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<u64>,
    /// What became of it.
    pub receipt: ReceiptStatus,
    /// WeChat's own words for it.
    pub said: String,
    /// When it was so by WeChat's clock, in Unix seconds.
    pub created_s: i64,
    /// When a gateway heard of it, in Unix milliseconds.
    pub heard_at: i64,
    /// The same for every repeat of the push.
    pub identity: String,
}
