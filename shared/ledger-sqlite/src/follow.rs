//! Follower of a log: pages of existing entries, then a sleep until the next change.

use crate::entries;
use crate::file::LedgerFile;
use futures::stream::{BoxStream, StreamExt, unfold};
use paihao_contracts::streams::Log;
use paihao_ledger::{LogItem, Position, StoredEntry, Subject, Unavailable};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Entries read at once.
const PAGE_SIZE: usize = 256;

struct Follower {
    file: Arc<LedgerFile>,
    log: Log,
    /// The only subject that is followed; `None` for all.
    subject: Option<Subject>,
    after: Position,
    restarted: bool,
    buffered: VecDeque<StoredEntry>,
    changes: watch::Receiver<()>,
}

pub(crate) async fn follow(
    file: Arc<LedgerFile>,
    log: Log,
    subject: Option<Subject>,
    after: Position,
) -> Result<BoxStream<'static, LogItem>, Unavailable> {
    let changes = file.changes.subscribe(log.name);
    let largest = file.reader.read(entries::largest_position).await?;
    let restarted = after > largest;
    let after = if restarted { Position::START } else { after };
    let buffered = VecDeque::new();
    let follower = Follower { file, log, subject, after, restarted, buffered, changes };
    Ok(unfold(follower, async |mut follower| {
        let next = follower.next().await;
        Some((next, follower))
    })
    .boxed())
}

impl Follower {
    async fn next(&mut self) -> LogItem {
        if std::mem::take(&mut self.restarted) {
            return LogItem::Restarted;
        }
        loop {
            if let Some(recorded) = self.buffered.pop_front() {
                self.after = recorded.position;
                return LogItem::Entry(recorded);
            }
            // Before reading: later appends notify again.
            self.changes.borrow_and_update();
            let log = self.log;
            let after = self.after;
            let now_ms = self.file.expiry_time_ms();
            let subject = self.subject.clone();
            let page = self.file.reader.read(move |connection| match &subject {
                Some(subject) => {
                    entries::subject_page_after(connection, &log, subject, after, PAGE_SIZE, now_ms)
                }
                None => entries::page_after(connection, &log, after, PAGE_SIZE, now_ms),
            });
            match page.await {
                Ok(page) if page.is_empty() => {
                    // The notifier lives as long as the ledger, which this follower holds.
                    let _ = self.changes.changed().await;
                }
                Ok(page) => self.buffered.extend(page),
                Err(error) => {
                    tracing::warn!(%error, log = self.log.name, "cannot follow a log, retrying");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
