//! The free texts (customer-service messages) that something a person did allows an account.
//!
//! WeChat keeps the true count and tells it to nobody. This is what the gateways have seen of it: a
//! guess, which costs one refused call where it is wrong.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was done, as far as it matters to WeChat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The person followed, scanned a code, or tapped the menu: three texts in a minute.
    Tap,
    /// The person wrote: five texts in 48 hours.
    Message,
}

impl Window {
    /// Both, the one that closes sooner first.
    pub const ALL: [Window; 2] = [Window::Tap, Window::Message];

    /// Its name in cache keys.
    pub fn name(self) -> &'static str {
        match self {
            Window::Tap => "tap",
            Window::Message => "message",
        }
    }

    /// How many texts it allows.
    pub fn texts(self) -> u32 {
        match self {
            Window::Tap => 3,
            Window::Message => 5,
        }
    }

    /// How long it is open.
    pub fn open_for(self) -> Duration {
        match self {
            Window::Tap => Duration::from_secs(60),
            Window::Message => Duration::from_secs(48 * 3600),
        }
    }
}

/// One open window, as it stands in the cache for as long as it is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Version of this form: 1.
    pub v: u32,
    /// When it closes, in Unix milliseconds.
    pub until: i64,
    /// Texts that are left of it.
    pub left: u32,
}

impl Allowance {
    /// What somebody did at `done_s` (Unix seconds) allows.
    pub fn opened(window: Window, done_s: i64) -> Allowance {
        let open_for = window.open_for().as_millis() as i64;
        Allowance { v: 1, until: done_s.saturating_mul(1000) + open_for, left: window.texts() }
    }
}
