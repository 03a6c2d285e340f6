//! Writer of the visit log in the notifier's place: complete, repeated, or backwards.

use crate::support::cluster::Cluster;
use futures::StreamExt;
use paihao_contracts::commit::Commit;
use paihao_contracts::streams::{HISTORY, LEDGER};
use paihao_contracts::visit::{HistoryEntry, history_entry};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};

/// Returns the visits in the ledger, in order.
pub async fn history_entries(cluster: &Cluster) -> Vec<(Subject, HistoryEntry)> {
    let head = cluster.ledger.head(&LEDGER).await.unwrap();
    let mut entries = cluster.ledger.follow(&LEDGER, Position::START).await.unwrap();
    let mut history = Vec::new();
    let mut reached = Position::START;
    while reached < head {
        let Some(LogItem::Entry(stored)) = entries.next().await else { panic!("cut off") };
        reached = stored.position;
        let commit: Commit = serde_json::from_slice(&stored.entry.payload).unwrap();
        history.extend(history_entry(reached.0, &commit).map(|entry| (stored.subject, entry)));
    }
    history
}

/// Appends entries to the visit log and returns the position of the last.
pub async fn append_history(
    cluster: &Cluster,
    history: impl IntoIterator<Item = (Subject, HistoryEntry)>,
) -> Position {
    let mut last = Position::START;
    for (subject, entry) in history {
        let entry = Entry::new(serde_json::to_vec(&entry).unwrap());
        last =
            cluster.ledger.append(&HISTORY, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }
    last
}
