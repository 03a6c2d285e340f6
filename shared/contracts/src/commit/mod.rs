//! An entry of the ledger as it is stored: decisions of one site that were written together.
//!
//! These types mirror the domain's and are converted by hand where the gateway meets the ledger.
//! A stored commit is decoded for ever; see the fixtures beside the tests.

mod event;
mod milestone;
mod outcome;
mod ticket;
mod visit;

pub use event::{By, Event, Mark, QueueState};
pub use milestone::{Milestone, MilestoneKind, Through};
pub use outcome::Outcome;
pub use ticket::{
    CloseReason, Counts, Hold, HoldWhy, Marks, Notices, Number, Rank, Stage, State, Ticket, Told,
};
pub use visit::{Basis, Ending, Overtaken, Trail, Visit};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version this program writes. 1 had no return after a miss, no holds, no transfers, no undo;
/// a program that knows only 1 must not decide after a 2.
pub const COMMIT_VERSION: u32 = 2;

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
    /// On whose wish; version 1 did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<By>,
    /// What the asker was answered.
    pub outcome: Outcome,
    /// What happened.
    pub events: Vec<Event>,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
