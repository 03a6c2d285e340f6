//! What clients asked of one site, when, and what they were answered.

use serde_json::Value;

/// Microseconds since the story began, by one clock for all clients.
pub type MicrosSinceStart = u64;

/// One wish of one client, however often it was sent.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The command's id in the ledger.
    pub command: String,
    /// What was wished.
    pub request: Request,
    /// When it was first sent.
    pub invoked_at: MicrosSinceStart,
    /// When the answer was there, and what it said; `None` if none ever came.
    pub answered: Option<(MicrosSinceStart, Answer)>,
    /// Whether it was sent more than once, because an answer did not come.
    pub retried: bool,
}

/// What can be wished.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
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

impl Request {
    /// The way to it, and what is sent.
    pub fn path_and_body(&self, site: &str) -> (String, Value) {
        let at =
            |counter: &str, act: &str| format!("/api/v1/sites/{site}/counters/{counter}/{act}");
        let with = |number: &str, act: &str| format!("/api/v1/sites/{site}/tickets/{number}/{act}");
        let seen = |number: &str| serde_json::json!({ "number": number });
        let nothing = serde_json::json!({});
        match self {
            Request::Open { counter } => (at(counter, "open"), nothing),
            Request::Take { queue } => {
                (format!("/api/v1/sites/{site}/queues/{queue}/tickets"), nothing)
            }
            Request::CallNext { counter } => (at(counter, "call-next"), nothing),
            Request::Start { counter, number } => (at(counter, "start"), seen(number)),
            Request::Finish { counter, number } => (at(counter, "finish"), seen(number)),
            Request::Miss { counter, number } => (at(counter, "missed"), seen(number)),
            Request::Transfer { number, queue } => {
                (with(number, "transfer"), serde_json::json!({ "queue": queue }))
            }
            Request::Return { number } => (with(number, "return"), nothing),
            Request::Leave { number } => (with(number, "leave"), nothing),
            Request::Undo { number } => (with(number, "undo"), nothing),
        }
    }

    /// The number that it names.
    pub fn number(&self) -> Option<&str> {
        match self {
            Request::Open { .. } | Request::Take { .. } | Request::CallNext { .. } => None,
            Request::Start { number, .. }
            | Request::Finish { number, .. }
            | Request::Miss { number, .. }
            | Request::Transfer { number, .. }
            | Request::Return { number }
            | Request::Leave { number }
            | Request::Undo { number } => Some(number),
        }
    }
}
