//! An entry of the ledger as it is stored: decisions of one site that were written together.
//!
//! These types mirror the domain's and are converted by hand where the gateway meets the ledger.
//! A stored commit is decoded for ever; see the fixtures beside the tests.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version this program writes.
pub const COMMIT_VERSION: u32 = 1;

/// Decisions of one site, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// [`COMMIT_VERSION`] of the writer.
    pub v: u32,
    /// The site, with what readers outside the gateway need to know of it.
    pub site: SiteFacts,
    /// The decisions.
    pub decisions: Vec<Decision>,
}

/// What a reader needs to know of a site without its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFacts {
    /// The WeChat account it belongs to.
    pub account: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// Its name as customers read it.
    pub name: Arc<str>,
    /// Its time zone, an IANA name.
    pub zone: Arc<str>,
}

/// One command and all that followed from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The command's id, 32 hexadecimal digits.
    pub command: String,
    /// The fingerprint of the request's content, 16 hexadecimal digits.
    pub fingerprint: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What the asker was answered.
    pub outcome: Outcome,
    /// What happened.
    pub events: Vec<Event>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each field is documented at the domain's event of the same name")]
pub enum Event {
    DayOpened {
        day: i32,
    },
    CounterOpened {
        counter: Arc<str>,
    },
    CounterClosed {
        counter: Arc<str>,
    },
    TicketTaken {
        ticket: u32,
        queue: Arc<str>,
        number: Number,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        person: Option<Arc<str>>,
        rank: Rank,
        told: Told,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        via: Option<Arc<str>>,
    },
    TicketShown {
        ticket: u32,
        told: Told,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        via: Option<Arc<str>>,
    },
    TicketCalled {
        ticket: u32,
        counter: Arc<str>,
        call: u32,
        deadline: i64,
    },
    TicketFinished {
        ticket: u32,
        counter: Arc<str>,
    },
    TicketMissed {
        ticket: u32,
        counter: Arc<str>,
    },
    TicketClosed {
        ticket: u32,
        reason: CloseReason,
    },
    HolderForgotten {
        ticket: u32,
    },
    MilestoneReached(Milestone),
}

/// A number in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Letters in front.
    pub prefix: Arc<str>,
    /// The daily serial.
    pub serial: u32,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:03}", self.prefix, self.serial)
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// Priority class.
    pub class: u8,
    /// Effective arrival, in Unix milliseconds.
    pub arrival: i64,
    /// Tie breaker.
    pub sequence: u32,
}

/// What a holder was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// People ahead.
    pub ahead: u32,
    /// Minutes, from and to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minutes: Option<(u32, u32)>,
}

/// Why a ticket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum CloseReason {
    ByCustomer,
    ByStaff,
}

/// Something the holder of a ticket is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// Whose ticket.
    pub ticket: u32,
    /// The business day, in days since 1970-01-01.
    pub day: i32,
    /// Whom to tell: an openid.
    pub person: Arc<str>,
    /// The number.
    pub number: Number,
    /// The queue's name.
    pub queue_name: Arc<str>,
    /// What was reached.
    pub kind: MilestoneKind,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// When it stops being true, in Unix milliseconds.
    pub valid_until: i64,
}

/// What can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reached", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum MilestoneKind {
    Called { counter_name: Arc<str>, call: u32 },
}

/// What the asker was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each field is documented at the domain's outcome of the same name")]
pub enum Outcome {
    Holding {
        ticket: u32,
        number: Number,
        queue: Arc<str>,
        told: Told,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        called_to: Option<Arc<str>>,
        new: bool,
    },
    Called {
        ticket: u32,
        number: Number,
        queue: Arc<str>,
        counter: Arc<str>,
        deadline: i64,
    },
    Finished {
        ticket: u32,
        number: Number,
        counter: Arc<str>,
    },
    Missed {
        ticket: u32,
        number: Number,
        counter: Arc<str>,
    },
    Left {
        ticket: u32,
        number: Number,
    },
    Forgotten,
    CounterOpen {
        counter: Arc<str>,
    },
    CounterClosed {
        counter: Arc<str>,
    },
}
