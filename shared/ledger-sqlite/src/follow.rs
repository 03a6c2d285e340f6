//! Following: pages of the past, then a sleep until the writer rings.

use crate::entries;
use crate::file::LedgerFile;
use futures::stream::{BoxStream, StreamExt, unfold};
use paihao_contracts::names::Log;
use paihao_ledger::{Followed, Position, Recorded, Unavailable};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// So many entries are read at once.
const PAGE: usize = 256;

struct Follower {
    file: Arc<LedgerFile>,
    log: Log,
    after: Position,
    restarted: bool,
    read: VecDeque<Recorded>,
    bell: watch::Receiver<()>,
}

pub(crate) async fn follow(
    file: Arc<LedgerFile>,
    log: Log,
    after: Position,
) -> Result<BoxStream<'static, Followed>, Unavailable> {
    let bell = file.wake.listen(log.name);
    let largest = file.reader.read(entries::largest_position).await?;
    let restarted = after > largest;
    let after = if restarted { Position::START } else { after };
    let follower = Follower { file, log, after, restarted, read: VecDeque::new(), bell };
    Ok(unfold(follower, async |mut follower| {
        let next = follower.next().await;
        Some((next, follower))
    })
    .boxed())
}

impl Follower {
    async fn next(&mut self) -> Followed {
        if std::mem::take(&mut self.restarted) {
            return Followed::Restarted;
        }
        loop {
            if let Some(recorded) = self.read.pop_front() {
                self.after = recorded.position;
                return Followed::Entry(recorded);
            }
            // Before reading: what is appended from here on rings again.
            self.bell.borrow_and_update();
            let (log, after, now_ms) = (self.log, self.after, (self.file.clock)());
            let page = self
                .file
                .reader
                .read(move |connection| entries::page(connection, &log, after, PAGE, now_ms));
            match page.await {
                Ok(page) if page.is_empty() => {
                    // The bells live as long as the ledger, which we hold.
                    let _ = self.bell.changed().await;
                }
                Ok(page) => self.read.extend(page),
                Err(error) => {
                    tracing::warn!(%error, log = self.log.name, "following waits");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
