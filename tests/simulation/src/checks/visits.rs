//! Check of the visit log: every visit that ended in the ledger is in it.

use super::findings::FindingKind;
use crate::process::Outside;
use paihao_contracts::commit::{Commit, Event};
use paihao_contracts::streams::HISTORY;
use paihao_contracts::visit::HistoryEntry;
use paihao_ledger::Subject;
use std::collections::BTreeSet;

/// Checks the visit log once everything has come to rest.
pub fn check(outside: &Outside) {
    let history = outside.store.past(&HISTORY).into_iter();
    let written: BTreeSet<(Subject, u64)> = history
        .filter_map(|stored| {
            let entry: HistoryEntry = serde_json::from_slice(&stored.entry.payload).ok()?;
            Some((stored.subject, entry.commit))
        })
        .collect();
    for stored in outside.store.decisions() {
        let Ok(commit) = serde_json::from_slice::<Commit>(&stored.entry.payload) else { continue };
        let mut events = commit.decisions.iter().flat_map(|decision| &decision.events);
        if events.any(ends_visit) && !written.contains(&(stored.subject, stored.position.0)) {
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
