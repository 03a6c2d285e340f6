//! What the book says: events that are kept for ever.

use serde::{Deserialize, Serialize};

/// One entry of the book, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookEntry {
    /// Always 1: another shape gets another number.
    pub v: u32,
    /// When it happened, Unix milliseconds.
    pub at: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: BookEvent,
}

/// What can happen in the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BookEvent {
    /// WeChat made the permanent code of a queue's door.
    DoorCodeMade(DoorCode),
}

/// The permanent code of a queue's door. WeChat gives an account 100,000 such codes, ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorCode {
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

impl BookEntry {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }

    /// Reads a stored form; `None` if a newer program wrote it.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().filter(|entry: &Self| entry.v == 1)
    }
}
