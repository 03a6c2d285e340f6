//! Windows in which an account may send free texts (customer-service messages) after an action of
//! the person.
//!
//! WeChat keeps the true count and does not publish it. This record is the gateways' estimate; a
//! wrong one costs one refused call.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Kinds of action that open a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendWindowKind {
    /// The person followed, scanned a code or tapped the menu: three texts within a minute.
    Tap,
    /// The person wrote a message: five texts within 48 hours.
    Message,
}

impl SendWindowKind {
    /// Both kinds, the one with the shorter window first.
    pub const ALL: [SendWindowKind; 2] = [SendWindowKind::Tap, SendWindowKind::Message];

    /// Name in cache keys.
    pub fn name(self) -> &'static str {
        match self {
            SendWindowKind::Tap => "tap",
            SendWindowKind::Message => "message",
        }
    }

    /// Number of texts that the window allows.
    pub fn message_limit(self) -> u32 {
        match self {
            SendWindowKind::Tap => 3,
            SendWindowKind::Message => 5,
        }
    }

    /// Duration of the window.
    pub fn duration(self) -> Duration {
        match self {
            SendWindowKind::Tap => Duration::from_secs(60),
            SendWindowKind::Message => Duration::from_secs(48 * 3600),
        }
    }
}

/// An open window, stored in the cache until it closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendWindow {
    /// Version of this form: 1.
    pub v: u32,
    /// End of the window, in Unix milliseconds.
    pub until: i64,
    /// Number of texts left.
    #[serde(rename = "left")]
    pub remaining: u32,
}

impl SendWindow {
    /// Opens the window for an action at `acted_at_s` (Unix seconds).
    pub fn open(window: SendWindowKind, acted_at_s: i64) -> SendWindow {
        let open_for = window.duration().as_millis() as i64;
        SendWindow {
            v: 1,
            until: acted_at_s.saturating_mul(1000) + open_for,
            remaining: window.message_limit(),
        }
    }
}
