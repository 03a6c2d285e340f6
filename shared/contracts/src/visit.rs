//! History of visits, extracted from the commits of the ledger. It holds no persons, and so is kept
//! long after the ledger.

use crate::commit::{Commit, Event, VisitRecord};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version that this program writes.
pub const HISTORY_VERSION: u32 = 1;

/// Visit records from one commit of a site. The subject names the site.
///
/// An entry may be written twice, and entries may stand in another order than their commits. Of the
/// records of one visit, identified by [`VisitChange::key`], the one with the largest
/// [`HistoryEntry::commit`] counts, and within that entry the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// [`HISTORY_VERSION`] of the writer.
    pub v: u32,
    /// Ledger position of the commit.
    pub commit: u64,
    /// Time zone of the site at that time, an IANA name.
    pub zone: Arc<str>,
    /// Changes of visits, in order.
    pub records: Vec<VisitChange>,
}

/// Change of one visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitChange {
    /// The visit ended.
    Ended {
        /// Serial of the ticket in its business day.
        ticket: u32,
        /// Record of the visit.
        visit: Box<VisitRecord>,
    },
    /// The end of the visit was taken back.
    Retracted {
        /// Serial of the ticket in its business day.
        ticket: u32,
        /// Business day of the retracted end, in days since 1970-01-01.
        day: i32,
        /// Time at which the number was taken, in Unix milliseconds.
        taken_at: i64,
    },
}

/// Identity of a visit within a site: business day, ticket serial and start. The start is included
/// because a recreated ledger counts from 1 again.
pub type VisitKey = (i32, u32, i64);

impl VisitChange {
    /// Identity of the visit.
    pub fn key(&self) -> VisitKey {
        match self {
            VisitChange::Ended { ticket, visit } => (visit.day, *ticket, visit.taken_at),
            VisitChange::Retracted { ticket, day, taken_at } => (*day, *ticket, *taken_at),
        }
    }
}

/// Extracts the visit changes of a commit at this ledger position; `None` if there are none.
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
            let id = ticket.id;
            let taken_at = ticket.taken_at;
            Some(VisitChange::Retracted { ticket: id, day: *day, taken_at })
        }
        _ => None,
    }
}
