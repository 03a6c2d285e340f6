//! Events of the settings log, kept for ever.

use crate::settings::{AccountSetup, SiteSetup};
use serde::{Deserialize, Serialize};

/// An entry of the settings log, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsEntry {
    /// Always 1: another form gets another number.
    pub v: u32,
    /// Time of the event, in Unix milliseconds.
    pub at: i64,
    /// The event.
    #[serde(flatten)]
    pub event: SettingsEvent,
}

/// Events of the settings log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SettingsEvent {
    /// WeChat created the permanent code of a queue.
    #[serde(rename = "door_code_made")]
    PermanentCodeCreated(PermanentCode),
    /// A site has these settings from now on.
    SiteSet {
        /// Id of the site.
        site: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// The whole document.
        setup: Box<SiteSetup>,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// A site was removed.
    SiteRetired {
        /// Id of the site.
        site: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// An account has these settings from now on.
    AccountSet {
        /// Name of the account.
        account: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// The whole document.
        setup: Box<AccountSetup>,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
}

/// A request with an Idempotency-Key, recorded so that its repeat gets the first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Hash of the requester and its Idempotency-Key.
    pub id: String,
    /// Hash of the request's content.
    pub request: String,
}

/// Permanent code of a queue. WeChat gives an account 100,000 such codes in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermanentCode {
    /// Name of the account.
    pub account: String,
    /// The Official Account of the code: after a change of appid another code is needed.
    pub appid: String,
    /// Id of the site.
    pub site: String,
    /// Id of the queue.
    pub queue: String,
    /// Scene inside the code.
    pub scene: String,
    /// WeChat's ticket of the code.
    pub qr_ticket: String,
    /// URL that the code contains.
    pub qr_url: String,
}

impl SettingsEntry {
    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}
