//! What the book says: events that are kept for ever.

use crate::settings::{AccountSetup, SiteSetup};
use serde::{Deserialize, Serialize};

/// One entry of the book, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsEntry {
    /// Always 1: another shape gets another number.
    pub v: u32,
    /// When it happened, Unix milliseconds.
    pub at: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: SettingsEvent,
}

/// What can happen in the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SettingsEvent {
    /// WeChat made the permanent code of a queue's door.
    DoorCodeMade(PermanentCode),
    /// A site is set up like this from now on.
    SiteSet {
        /// The site's id.
        site: String,
        /// Who said so.
        by: String,
        /// The whole of it.
        setup: Box<SiteSetup>,
        /// The request it came with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wish: Option<IdempotencyRecord>,
    },
    /// There is no such site any more.
    SiteRetired {
        /// The site's id.
        site: String,
        /// Who said so.
        by: String,
        /// The request it came with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wish: Option<IdempotencyRecord>,
    },
    /// An account says what it says like this from now on.
    AccountSet {
        /// The account's name.
        account: String,
        /// Who said so.
        by: String,
        /// The whole of it.
        setup: Box<AccountSetup>,
        /// The request it came with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wish: Option<IdempotencyRecord>,
    },
}

/// A request that named itself, so that its repeat can be answered like the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// A hash of whose it is and of its Idempotency-Key.
    pub id: String,
    /// A hash of what was asked for.
    pub request: String,
}

/// The permanent code of a queue's door. WeChat gives an account 100,000 such codes, ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermanentCode {
    /// The account's name.
    pub account: String,
    /// The Official Account it was made for: one whose appid has changed needs another code.
    pub appid: String,
    /// The site's id.
    pub site: String,
    /// The queue's id.
    pub queue: String,
    /// The scene inside the code.
    pub scene: String,
    /// WeChat's ticket for the code.
    pub qr_ticket: String,
    /// What is drawn in the code.
    pub qr_url: String,
}

impl SettingsEntry {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }

    /// Reads a stored form; `None` if a newer program wrote it.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().filter(|entry: &Self| entry.v == 1)
    }
}
