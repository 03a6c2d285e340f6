//! The free texts (customer-service messages) that something a person did allows an account.
//!
//! WeChat keeps the true count and tells it to nobody. This is what the gateways have seen of it: a
//! guess, which costs one refused call where it is wrong.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was done, as far as it matters to WeChat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendWindowKind {
    /// The person followed, scanned a code, or tapped the menu: three texts in a minute.
    Tap,
    /// The person wrote: five texts in 48 hours.
    Message,
}

impl SendWindowKind {
    /// Both, the one that closes sooner first.
    pub const ALL: [SendWindowKind; 2] = [SendWindowKind::Tap, SendWindowKind::Message];

    /// Its name in cache keys.
    pub fn name(self) -> &'static str {
        match self {
            SendWindowKind::Tap => "tap",
            SendWindowKind::Message => "message",
        }
    }

    /// How many texts it allows.
    pub fn message_limit(self) -> u32 {
        match self {
            SendWindowKind::Tap => 3,
            SendWindowKind::Message => 5,
        }
    }

    /// How long it is open.
    pub fn duration(self) -> Duration {
        match self {
            SendWindowKind::Tap => Duration::from_secs(60),
            SendWindowKind::Message => Duration::from_secs(48 * 3600),
        }
    }
}

/// One open window, as it stands in the cache for as long as it is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendWindow {
    /// Version of this form: 1.
    pub v: u32,
    /// When it closes, in Unix milliseconds.
    pub until: i64,
    /// Texts that are left of it.
    pub left: u32,
}

impl SendWindow {
    /// What somebody did at `done_s` (Unix seconds) allows.
    pub fn open(window: SendWindowKind, done_s: i64) -> SendWindow {
        let open_for = window.duration().as_millis() as i64;
        SendWindow {
            v: 1,
            until: done_s.saturating_mul(1000) + open_for,
            left: window.message_limit(),
        }
    }
}
