//! What clients asked of one site, when, and what they were answered.

use serde_json::Value;

/// Microseconds since the story began, by one clock for all clients.
pub type Instant = u64;

/// One wish of one client, however often it was sent.
#[derive(Debug, Clone)]
pub struct Op {
    /// The command's id in the ledger.
    pub command: String,
    /// What was wished.
    pub wish: Wish,
    /// When it was first sent.
    pub asked: Instant,
    /// When the answer was there, and what it said; `None` if none ever came.
    pub answered: Option<(Instant, Answer)>,
    /// Whether it was sent more than once, because an answer did not come.
    pub doubtful: bool,
}

/// What can be wished.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    Open { counter: String },
    Take { queue: String },
    CallNext { counter: String },
    Start { counter: String, number: String },
    Finish { counter: String, number: String },
    Miss { counter: String, number: String },
    Transfer { number: String, queue: String },
    Return { number: String },
    Leave { number: String },
    Undo { number: String },
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was done; the body.
    Done(Value),
    /// It was refused, with this code.
    Refused(String),
}

impl Wish {
    /// The way to it, and what is sent.
    pub fn request(&self, site: &str) -> (String, Value) {
        let at =
            |counter: &str, act: &str| format!("/api/v1/sites/{site}/counters/{counter}/{act}");
        let with = |number: &str, act: &str| format!("/api/v1/sites/{site}/tickets/{number}/{act}");
        let seen = |number: &str| serde_json::json!({ "number": number });
        let nothing = serde_json::json!({});
        match self {
            Wish::Open { counter } => (at(counter, "open"), nothing),
            Wish::Take { queue } => {
                (format!("/api/v1/sites/{site}/queues/{queue}/tickets"), nothing)
            }
            Wish::CallNext { counter } => (at(counter, "call-next"), nothing),
            Wish::Start { counter, number } => (at(counter, "start"), seen(number)),
            Wish::Finish { counter, number } => (at(counter, "finish"), seen(number)),
            Wish::Miss { counter, number } => (at(counter, "missed"), seen(number)),
            Wish::Transfer { number, queue } => {
                (with(number, "transfer"), serde_json::json!({ "queue": queue }))
            }
            Wish::Return { number } => (with(number, "return"), nothing),
            Wish::Leave { number } => (with(number, "leave"), nothing),
            Wish::Undo { number } => (with(number, "undo"), nothing),
        }
    }

    /// The number that it names.
    pub fn number(&self) -> Option<&str> {
        match self {
            Wish::Open { .. } | Wish::Take { .. } | Wish::CallNext { .. } => None,
            Wish::Start { number, .. }
            | Wish::Finish { number, .. }
            | Wish::Miss { number, .. }
            | Wish::Transfer { number, .. }
            | Wish::Return { number }
            | Wish::Leave { number }
            | Wish::Undo { number } => Some(number),
        }
    }
}
