//! History of the requests of all clients to one site, with their times and responses.

use serde_json::Value;

/// Microseconds since the start of the run, by one clock for all clients.
pub type MicrosSinceStart = u64;

/// Request of one client; its repeats count as the same operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Id of the command in the ledger.
    pub command: String,
    /// Content of the request.
    pub request: Request,
    /// Time of the first attempt.
    pub invoked_at: MicrosSinceStart,
    /// Time and content of the response; `None` if none arrived.
    pub answered: Option<(MicrosSinceStart, Answer)>,
    /// `true` if it was sent more than once, since a response was missing.
    pub retried: bool,
}

/// Kinds of requests in a history.
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

/// Response to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Success, with the body.
    Done(Value),
    /// Refusal, with its code.
    Refused(String),
}

impl Request {
    /// Path and body of the HTTP request.
    pub fn path_and_body(&self, site: &str) -> (String, Value) {
        let at_counter =
            |counter: &str, act: &str| format!("/api/v1/sites/{site}/counters/{counter}/{act}");
        let ticket =
            |number: &str, act: &str| format!("/api/v1/sites/{site}/tickets/{number}/{act}");
        let with_number = |number: &str| serde_json::json!({ "number": number });
        let empty = serde_json::json!({});
        match self {
            Request::Open { counter } => (at_counter(counter, "open"), empty),
            Request::Take { queue } => {
                (format!("/api/v1/sites/{site}/queues/{queue}/tickets"), empty)
            }
            Request::CallNext { counter } => (at_counter(counter, "call-next"), empty),
            Request::Start { counter, number } => {
                (at_counter(counter, "start"), with_number(number))
            }
            Request::Finish { counter, number } => {
                (at_counter(counter, "finish"), with_number(number))
            }
            Request::Miss { counter, number } => {
                (at_counter(counter, "missed"), with_number(number))
            }
            Request::Transfer { number, queue } => {
                (ticket(number, "transfer"), serde_json::json!({ "queue": queue }))
            }
            Request::Return { number } => (ticket(number, "return"), empty),
            Request::Leave { number } => (ticket(number, "leave"), empty),
            Request::Undo { number } => (ticket(number, "undo"), empty),
        }
    }

    /// Number of the ticket that the request names.
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
