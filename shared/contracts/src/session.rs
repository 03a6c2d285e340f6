//! A scan session: a browser shows a code and waits to hear what its scan led to.

use serde::{Deserialize, Serialize};

/// The record in the cache, readable by every gateway replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanSession {
    /// Version of this form: 1.
    pub v: u32,
    /// What scanning the code does.
    pub purpose: Purpose,
    /// The scene inside the code, unrelated to the session's uuid: who sees the code learns
    /// nothing that opens the session.
    pub scene: String,
    /// WeChat's ticket for the code.
    pub qr_ticket: String,
    /// What is drawn in the code.
    pub qr_url: String,
    /// Unix milliseconds from which on the code no longer works.
    pub expires_at: i64,
    /// How far it has come.
    pub progress: Progress,
}

/// What scanning a session's code does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum Purpose {
    /// It takes a number.
    Ticket {
        /// At which site.
        site: String,
        /// In which queue.
        queue: String,
    },
}

/// How far a session has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// Nobody has scanned.
    Pending,
    /// A scan led to a number.
    Ticket(SessionTicket),
}

/// What the browser shows after a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionTicket {
    /// `A001`.
    pub number: String,
    /// The queue's id.
    pub queue: String,
    /// People ahead when it was told.
    pub ahead: u32,
    /// Minutes told, from and to.
    pub minutes: Option<(u32, u32)>,
}
