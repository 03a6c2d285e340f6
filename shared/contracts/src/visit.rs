//! The history: what commits of the ledger say of visits that have ended. It names nobody, and so is
//! kept long after the ledger.

use crate::commit::{Commit, Event, VisitRecord};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version this program writes.
pub const HISTORY_VERSION: u32 = 1;

/// What one commit of a site says. The subject names the site.
///
/// An entry may be written twice, and entries may stand in another order than their commits: of the
/// records of a visit, told apart by [`VisitChange::key`], the one of the largest [`HistoryEntry::commit`]
/// counts, and in it the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// [`HISTORY_VERSION`] of the writer.
    pub v: u32,
    /// The position of the commit in the ledger.
    pub commit: u64,
    /// The site's time zone then, an IANA name.
    pub zone: Arc<str>,
    /// What it says, in order.
    pub records: Vec<VisitChange>,
}

/// What became of one visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitChange {
    /// It ended.
    Ended {
        /// The how-manieth ticket of its day.
        ticket: u32,
        /// What is left of it.
        visit: Box<VisitRecord>,
    },
    /// Its end was taken back.
    Retracted {
        /// The how-manieth ticket of its day.
        ticket: u32,
        /// The business day on which it had ended.
        day: i32,
        /// When the number was taken, in Unix milliseconds.
        taken_at: i64,
    },
}

/// What tells one visit of a site from every other: its business day, ticket and beginning. The
/// latter since a ledger that is made anew begins to count again.
pub type VisitKey = (i32, u32, i64);

impl VisitChange {
    /// Which visit it is about.
    pub fn key(&self) -> VisitKey {
        match self {
            VisitChange::Ended { ticket, visit } => (visit.day, *ticket, visit.taken_at),
            VisitChange::Retracted { ticket, day, taken_at } => (*day, *ticket, *taken_at),
        }
    }
}

/// What a commit at this position of the ledger says of visits; `None` if nothing.
pub fn history_entry(position: u64, commit: &Commit) -> Option<HistoryEntry> {
    let events = commit.decisions.iter().flat_map(|decision| &decision.events);
    let records: Vec<_> = events.filter_map(visit_change).collect();
    let zone = commit.site.zone.clone();
    (!records.is_empty()).then_some(HistoryEntry {
        v: HISTORY_VERSION,
        commit: position,
        zone,
        records,
    })
}

fn visit_change(event: &Event) -> Option<VisitChange> {
    match event {
        Event::TicketFinished { ticket, visit: Some(visit), .. }
        | Event::TicketClosed { ticket, visit: Some(visit), .. } => {
            Some(VisitChange::Ended { ticket: *ticket, visit: visit.clone() })
        }
        Event::TicketRestored { ticket, retracts: Some(day) } => {
            let (id, taken_at) = (ticket.id, ticket.taken_at);
            Some(VisitChange::Retracted { ticket: id, day: *day, taken_at })
        }
        _ => None,
    }
}
