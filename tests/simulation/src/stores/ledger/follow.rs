//! Follower of a log over a link: pages of entries, then a wait for the next change.

use super::store::Store;
use crate::link::Link;
use futures::stream::{BoxStream, StreamExt, unfold};
use paihao_contracts::streams::Log;
use paihao_ledger::{LogItem, Position, StoredEntry, Subject, Unavailable};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Entries read at once.
const PAGE_ENTRIES: usize = 256;
/// Delay before a page that got no answer is read again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

struct Follower {
    store: Arc<Store>,
    link: Link,
    log: Log,
    /// The only subject that is followed; `None` for all.
    subject: Option<Subject>,
    after: Position,
    restarted: bool,
    buffered: VecDeque<StoredEntry>,
    changes: watch::Receiver<()>,
}

pub(super) async fn follow(
    store: Arc<Store>,
    link: Link,
    log: Log,
    subject: Option<Subject>,
    after: Position,
) -> Result<BoxStream<'static, LogItem>, Unavailable> {
    let changes = store.subscribe(log.name);
    let asked = store.clone();
    let largest = link.call(move || asked.read(&log, |log| log.largest())).await?;
    let restarted = after > largest;
    let after = if restarted { Position::START } else { after };
    let buffered = VecDeque::new();
    let follower = Follower { store, link, log, subject, after, restarted, buffered, changes };
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
            if let Some(entry) = self.buffered.pop_front() {
                self.after = entry.position;
                return LogItem::Entry(entry);
            }
            // Before reading: later appends notify again.
            self.changes.borrow_and_update();
            self.link.lag().await;
            let (store, log, after) = (self.store.clone(), self.log, self.after);
            let subject = self.subject.clone();
            let page = self.link.call(move || {
                store.read(&log, |log| log.page_after(after, subject.as_ref(), PAGE_ENTRIES))
            });
            match page.await {
                Ok(page) if page.is_empty() => {
                    // The sender lives as long as the store, which this follower holds.
                    let _ = self.changes.changed().await;
                }
                Ok(page) => self.buffered.extend(page),
                Err(_) => sleep(RETRY_DELAY).await,
            }
        }
    }
}
