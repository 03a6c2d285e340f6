//! WeChat's receipt for a message, on its way from the gateway that received it to the notice.

use crate::notice::Channel;
use serde::{Deserialize, Serialize};

/// Status of a message, ordered by how much it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Not delivered, for another reason.
    Failed,
    /// Not delivered: over WeChat's limit for this person.
    TooOften,
    /// Not delivered: the person refuses messages of this account.
    Refused,
    /// Delivered.
    Delivered,
}

impl ReceiptStatus {
    /// Label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            ReceiptStatus::Failed => "failed",
            ReceiptStatus::TooOften => "too_often",
            ReceiptStatus::Refused => "refused",
            ReceiptStatus::Delivered => "delivered",
        }
    }
}

/// A receipt that a gateway received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of this form: 1.
    pub v: u32,
    /// The account that sent the message.
    pub account: String,
    /// Tag of the recipient.
    pub person: String,
    /// Channel of the message.
    pub channel: Channel,
    /// Template of the message, if WeChat names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Id of the message, if WeChat names one that is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<u64>,
    /// Status of the message.
    pub receipt: ReceiptStatus,
    /// Status in WeChat's own words.
    #[serde(rename = "said")]
    pub status_text: String,
    /// Time of the status by WeChat's clock, in Unix seconds.
    pub created_s: i64,
    /// Time at which a gateway received the push, in Unix milliseconds.
    #[serde(rename = "heard_at")]
    pub received_at: i64,
    /// Identity of the push, equal for every repeat of it.
    pub identity: String,
}
