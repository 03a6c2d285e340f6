//! A scan session: a browser shows a code and waits to hear what its scan led to.

use crate::staff::Member;
use serde::{Deserialize, Serialize};

/// The record in the cache, readable by every gateway replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanSession {
    /// Version of this form: 1.
    pub v: u32,
    /// What scanning the code does.
    pub purpose: ScanPurpose,
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
    pub progress: ScanProgress,
}

/// What scanning a session's code does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum ScanPurpose {
    /// It takes a number.
    Ticket {
        /// At which site.
        site: String,
        /// In which queue.
        queue: String,
    },
    /// It logs the browser in.
    Login(LoginRequest),
    /// It makes whoever scans it a member of staff.
    Invitation(Invitation),
}

/// How far a session has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum ScanProgress {
    /// Nobody has scanned.
    Pending,
    /// A scan led to a number.
    Ticket(SessionTicket),
    /// Somebody who wants to log in was asked on their phone whether it is them.
    Asked {
        /// Their hash.
        person: String,
    },
    /// The browser may take what this led to. An invitation was taken.
    Approved {
        /// Their hash.
        person: String,
        /// The member of staff who they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<String>,
        /// When, in Unix milliseconds.
        at: i64,
    },
    /// There is no login.
    Declined {
        /// The hash of whoever scanned.
        person: String,
        /// Why.
        why: DeclineReason,
    },
    /// The browser has taken it.
    Redeemed {
        /// Their hash.
        person: String,
    },
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

/// A login that a browser waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRequest {
    /// SHA-256 in hex of the secret that only this browser's cookie holds.
    pub secret: String,
    /// The kind of browser, in a few words.
    pub browser: String,
    /// Roughly where it is: an address without its end.
    pub address: String,
    /// Whether the person is asked on their phone first.
    pub confirm: bool,
    /// What is logged in to.
    pub to: LoginTarget,
}

/// What is logged in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum LoginTarget {
    /// This system, by somebody who works here.
    Staff,
    /// This system, by the first one of all, who manages everything from then on.
    First,
    /// Another site of the owner's.
    Client(AuthorizationRequest),
}

/// What another site asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The site's id in the configuration.
    pub client: String,
    /// Where the browser is sent back to.
    pub redirect: String,
    /// SHA-256 of the site's verifier, base64url.
    pub challenge: String,
    /// Given back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Stands in the token as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// A place that is held for whoever scans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The manager who invites: the id of a member or the name of a key.
    pub by: String,
    /// Who the one is from then on who scans.
    pub member: Member,
}

/// Why there is no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// Whoever scanned does not work here.
    NotStaff,
    /// Whoever scanned said that it was not them.
    ByPerson,
    /// Whoever scanned works here already, or the invitation was used.
    Already,
}
