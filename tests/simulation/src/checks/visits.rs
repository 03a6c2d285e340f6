//! Check of the visit log: every visit that ended in the ledger is in it.

use super::findings::FindingKind;
use crate::process::Outside;
use paihao_contracts::commit::{Commit, Event};
use paihao_contracts::streams::{HISTORY, LEDGER};
use paihao_contracts::visit::HistoryEntry;
use std::collections::BTreeSet;

/// Checks the visit log once everything has come to rest.
pub fn check(outside: &Outside) {
    let history = outside.store.past(&HISTORY).into_iter();
    let written: BTreeSet<u64> = history
        .filter_map(|stored| serde_json::from_slice::<HistoryEntry>(&stored.entry.payload).ok())
        .map(|entry| entry.commit)
        .collect();
    for stored in outside.store.past(&LEDGER) {
        let Ok(commit) = serde_json::from_slice::<Commit>(&stored.entry.payload) else { continue };
        let mut events = commit.decisions.iter().flat_map(|decision| &decision.events);
        if events.any(ends_visit) && !written.contains(&stored.position.0) {
            outside.world.report(
                FindingKind::VisitLost,
                format_args!("the visits of the entry at {} are not written", stored.position.0),
            );
        }
    }
}

fn ends_visit(event: &Event) -> bool {
    matches!(
        event,
        Event::TicketFinished { visit: Some(_), .. } | Event::TicketClosed { visit: Some(_), .. }
    )
}
