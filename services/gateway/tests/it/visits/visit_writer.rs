//! Writer of the visit log in the notifier's place: complete, repeated, or backwards.

use crate::support::cluster::Cluster;
use futures::StreamExt;
use paihao_contracts::commit::Commit;
use paihao_contracts::streams::{HISTORY, LEDGER};
use paihao_contracts::visit::{HistoryEntry, history_entry};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};

/// Returns the visits in the ledger, in order.
pub async fn history_entries(hall: &Cluster) -> Vec<(Subject, HistoryEntry)> {
    let head = hall.ledger.head(&LEDGER).await.unwrap();
    let mut entries = hall.ledger.follow(&LEDGER, Position::START).await.unwrap();
    let (mut said, mut reached) = (Vec::new(), Position::START);
    while reached < head {
        let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
        reached = recorded.position;
        let commit: Commit = serde_json::from_slice(&recorded.entry.payload).unwrap();
        said.extend(history_entry(reached.0, &commit).map(|entry| (recorded.subject, entry)));
    }
    said
}

/// Appends entries to the visit log and returns the position of the last.
pub async fn append_history(
    hall: &Cluster,
    said: impl IntoIterator<Item = (Subject, HistoryEntry)>,
) -> Position {
    let mut last = Position::START;
    for (subject, entry) in said {
        let entry = Entry::new(serde_json::to_vec(&entry).unwrap());
        last = hall.ledger.append(&HISTORY, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }
    last
}
