//! Stored form of a ledger entry: decisions of one site that were written together.
//!
//! These types mirror those of the domain. The gateway converts them by hand where it meets the
//! ledger. A stored commit stays readable for ever; the fixtures beside the tests hold one of each
//! version.

mod event;
mod notification;
mod outcome;
mod progress;
mod standing;
mod ticket;
mod visit;

pub use event::{ActorRef, Event, Mark, QueueState};
pub use notification::{
    HoldNotice, NewReturnCause, NotificationKind, NotificationTrigger, QueueEnd, RemovalNotice,
    ReturnCause, ReturnDetail,
};
pub use outcome::Outcome;
pub use progress::{ForecastBasis, OvertakeCounts, VisitProgress};
pub use standing::Standing;
pub use ticket::{
    CloseReason, Hold, HoldKind, Marks, NotificationHistory, Number, QuotedWait, Rank, Ticket,
    TicketCounts, TicketState, TicketStatus,
};
pub use visit::{VisitOutcome, VisitRecord};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Newest version this program reads and writes. Version 1 had no return after a miss, no holds, no
/// transfers and no undo; version 2 had no batches; version 3 had no reset of the day; version 4
/// had no migration of an account, no holder who says that they are coming, and no limit that was
/// lifted. A program must not decide after a commit of a newer version than it knows.
pub const COMMIT_VERSION: u32 = 5;

/// Generation of forms from which the reset of a day is written.
pub const DAY_RESET_GENERATION: u32 = 2;

/// Generation of forms from which the migration of an account is written.
pub const MIGRATION_GENERATION: u32 = 2;

/// Generation of forms from which it is written that a holder is coming.
pub const COMING_GENERATION: u32 = 2;

/// Generation of forms from which it is written that a limit was lifted.
pub const LIMIT_LIFT_GENERATION: u32 = 2;

/// Version of a commit without the migration of an account, without anybody who is coming, and
/// without a limit that was lifted.
const DAY_RESET_VERSION: u32 = 4;

/// Version of a commit without a reset of the day.
const BATCHED_VERSION: u32 = 3;

/// Version of a commit without batches.
const UNBATCHED_VERSION: u32 = 2;

/// Decisions of one site, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Version that a reader has to know, at most [`COMMIT_VERSION`] of the writer.
    pub v: u32,
    /// The site, with the facts that readers outside the gateway need.
    pub site: SiteFacts,
    /// The decisions, in order.
    pub decisions: Vec<Decision>,
}

impl Commit {
    /// Creates a commit under the oldest version that can express its content.
    pub fn new(site: SiteFacts, decisions: Vec<Decision>) -> Commit {
        let turning = |decision: &Decision| matches!(decision.outcome, Outcome::DayRollover { .. });
        let has_event = |is_such: fn(&Event) -> bool| {
            decisions.iter().any(|decision| decision.events.iter().any(is_such))
        };
        let v = if has_event(Event::tells_migration) || has_event(Event::tells_new_mark) {
            COMMIT_VERSION
        } else if has_event(|event| matches!(event, Event::DayReset { .. })) {
            DAY_RESET_VERSION
        } else if decisions.iter().any(turning) || has_event(Event::is_batch_part) {
            BATCHED_VERSION
        } else {
            UNBATCHED_VERSION
        };
        Commit { v, site, decisions }
    }
}

/// Facts of a site for readers without its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFacts {
    /// The WeChat account that the site belongs to.
    pub account: Arc<str>,
    /// Id of the site.
    pub id: Arc<str>,
    /// Name of the site as customers read it.
    pub name: Arc<str>,
    /// Time zone of the site, an IANA name.
    pub zone: Arc<str>,
}

/// One command with its outcome and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Id of the command, stored as 32 hexadecimal digits.
    #[serde(with = "hex::serde")]
    pub command: [u8; 16],
    /// Fingerprint of the request's content, stored as 16 hexadecimal digits.
    #[serde(with = "hex::serde")]
    pub fingerprint: [u8; 8],
    /// Time of the decision, in Unix milliseconds.
    pub at: i64,
    /// Originator of the command; absent in version 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<ActorRef>,
    /// Answer to the requester.
    pub outcome: Outcome,
    /// Events of the decision, in order.
    pub events: Vec<Event>,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
