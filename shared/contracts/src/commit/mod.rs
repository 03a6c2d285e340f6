//! An entry of the ledger as it is stored: decisions of one site that were written together.
//!
//! These types mirror the domain's and are converted by hand where the gateway meets the ledger.
//! A stored commit is decoded for ever; see the fixtures beside the tests.

mod event;
mod milestone;
mod outcome;
mod ticket;
mod visit;

pub use event::{ActorRef, Event, Mark, QueueState};
pub use milestone::{NotificationKind, NotificationTrigger, ReturnCause};
pub use outcome::Outcome;
pub use ticket::{
    CloseReason, Hold, HoldKind, Marks, NotificationHistory, Number, QuotedWait, Rank, Ticket,
    TicketCounts, TicketState, TicketStatus,
};
pub use visit::{ForecastBasis, OvertakeCounts, VisitOutcome, VisitProgress, VisitRecord};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The newest version this program reads and writes. 1 had no return after a miss, no holds, no
/// transfers, no undo; 2 had nothing in pieces. A program must not decide after what is newer than
/// what it knows.
pub const COMMIT_VERSION: u32 = 3;

/// The version of a commit without pieces.
const UNBATCHED_VERSION: u32 = 2;

/// Decisions of one site, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The version that a reader has to know, at most [`COMMIT_VERSION`] of the writer.
    pub v: u32,
    /// The site, with what readers outside the gateway need to know of it.
    pub site: SiteFacts,
    /// The decisions.
    pub decisions: Vec<Decision>,
}

impl Commit {
    /// These decisions, with the oldest version that has all that is in them.
    pub fn new(site: SiteFacts, decisions: Vec<Decision>) -> Commit {
        let turning = |decision: &Decision| matches!(decision.outcome, Outcome::DayTurning { .. });
        let pieces = decisions
            .iter()
            .any(|decision| turning(decision) || decision.events.iter().any(Event::is_batch_part));
        Commit { v: if pieces { COMMIT_VERSION } else { UNBATCHED_VERSION }, site, decisions }
    }
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
    /// On whose wish; version 1 did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<ActorRef>,
    /// What the asker was answered.
    pub outcome: Outcome,
    /// What happened.
    pub events: Vec<Event>,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
