//! Stored form of a snapshot: the whole state of one site, with the position of the ledger at which
//! it stands, and of the floor of all snapshots.
//!
//! A snapshot stays readable for ever, as a commit does. Only what cannot be derived is stored.

mod line;
mod ticket;

pub use line::{Line, LinePosition, Overtake, PositionChange, PositionChangeCause, Remainder};
pub use ticket::{Ticket, UndoPoint};

use crate::commit::{Number, Outcome, SiteFacts};
use crate::envelope::Form;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Newest version that this program reads and writes. A reader that meets a newer one replays the
/// ledger instead. Version 1 had no days whose ids are used up; version 2 had no migration of an
/// account, nobody who is coming, and no limit that was lifted.
pub const SNAPSHOT_VERSION: u32 = 3;

/// Version of a snapshot without tickets of people whose account migrated.
const SPENT_DAYS_VERSION: u32 = 2;

/// Version of a floor, and of a snapshot without days whose ids are used up.
const FIRST_VERSION: u32 = 1;

/// State of one site at a position of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version that a reader has to know.
    pub v: u32,
    /// Position of the newest entry of the site that the state includes.
    pub position: u64,
    /// The site.
    pub site: SiteFacts,
    /// The state.
    pub state: SiteState,
    /// Tickets of the business day before, for their links; without persons and undo points.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_day: Option<PreviousDay>,
}

/// Position of a snapshot, without its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// Version that a reader has to know.
    pub v: u32,
    /// Position of the newest entry of the site that the state includes.
    pub position: u64,
}

impl Form for SnapshotHead {
    const NAME: &'static str = Snapshot::NAME;
    const VERSION: u32 = SNAPSHOT_VERSION;
}

/// Position up to which the snapshots of all sites cover the ledger: a start reads it first, then
/// the snapshots, and then the entries after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFloor {
    /// Version that a reader has to know.
    pub v: u32,
    /// Position of an entry of the ledger.
    pub position: u64,
}

/// State of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteState {
    /// Business day, in days since 1970-01-01.
    pub day: Option<i32>,
    /// Lines, by queue.
    pub lines: Vec<Line>,
    /// Counters, by id.
    pub counters: Vec<Counter>,
    /// Tickets of the day, by id.
    pub tickets: Vec<Ticket>,
    /// Calls that the board still shows, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub recent_calls: Vec<RecentCall>,
    /// Commands that may be repeated, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub recent_commands: Vec<RecentCommand>,
    /// Latest effective arrival in any line, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_arrival: Option<i64>,
    /// Tickets of the day before that are still to be carried over.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pending_carry_over: Vec<Ticket>,
    /// Days whose ids are used up; absent in version 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spent_days: Option<SpentDays>,
}

/// Days in the future whose ids of tickets were given out already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentDays {
    /// Last of the days.
    pub until: i32,
    /// Last id of a ticket when the present day began.
    pub last_ticket: u32,
}

impl SiteState {
    /// Oldest version of a snapshot that can express the state.
    pub fn version(&self) -> u32 {
        let is_newest = |ticket: &Ticket| {
            let undo = ticket.undo.as_ref().and_then(|undo| undo.marks);
            ticket.ticket.former_person.is_some()
                || ticket.ticket.marks.is_new()
                || undo.is_some_and(|marks| marks.is_new())
        };
        if self.tickets.iter().chain(&self.pending_carry_over).any(is_newest) {
            SNAPSHOT_VERSION
        } else if self.spent_days.is_some() {
            SPENT_DAYS_VERSION
        } else {
            FIRST_VERSION
        }
    }
}

impl SnapshotFloor {
    /// Creates the floor at a position.
    pub fn new(position: u64) -> SnapshotFloor {
        SnapshotFloor { v: FIRST_VERSION, position }
    }
}

/// Business day before the one of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousDay {
    /// Business day, in days since 1970-01-01.
    pub day: i32,
    /// Tickets of that day, by id.
    pub tickets: Vec<Ticket>,
}

/// State of a counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Id of the counter.
    pub counter: Arc<str>,
    /// Open, on a break or offline.
    pub state: CounterState,
    /// Login of the person at the counter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login: Option<Arc<str>>,
    /// Time at which that login came, in Unix milliseconds; absent if an older program wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login_since: Option<i64>,
    /// Calls of today.
    pub calls: u32,
    /// Time at which it opened or was last left by a ticket, in Unix milliseconds; absent if an
    /// older program wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub free_since: Option<i64>,
    /// True if the system calls nobody there until somebody does.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub auto_call_paused: bool,
}

/// States of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented at the domain's type of the same name")]
pub enum CounterState {
    Offline,
    Open,
    Break,
}

/// Call that the board still shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is documented at the domain's type of the same name")]
pub struct RecentCall {
    pub number: Number,
    pub queue: Arc<str>,
    pub counter: Arc<str>,
    pub at: i64,
    pub call: u32,
}

/// Command that may be repeated, with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentCommand {
    /// Id of the command, stored as 32 hexadecimal digits.
    #[serde(with = "hex::serde")]
    pub command: [u8; 16],
    /// Fingerprint of the request's content, stored as 16 hexadecimal digits.
    #[serde(with = "hex::serde")]
    pub fingerprint: [u8; 8],
    /// Time of the decision, in Unix milliseconds.
    pub at: i64,
    /// Answer to the requester.
    pub outcome: Outcome,
}
