//! Snapshots of a site at a past instant, made by replaying the ledger up to it.

use super::view::SiteSnapshot;
use crate::codec;
use crate::site::SiteSettings;
use futures::StreamExt;
use paihao_contracts::streams::LEDGER;
use paihao_domain::Event;
use paihao_ledger::{Ledger, LogItem, Position, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Replays that run at once; further ones wait.
const MAX_CONCURRENT_REPLAYS: usize = 2;

/// Longest time for a replay, its wait included.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reason why there is no snapshot of the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplayError {
    /// The instant is older than the entries that the ledger keeps, or its business day began
    /// before them.
    Gone,
    /// The instant is in the future.
    Future,
    /// An entry that has to be replayed was written by a newer program.
    NewerVersion,
    /// The ledger did not return all entries in time.
    Unavailable,
}

impl From<Unavailable> for ReplayError {
    fn from(_: Unavailable) -> Self {
        ReplayError::Unavailable
    }
}

/// Reader of past snapshots.
pub(crate) struct PointInTimeReader {
    ledger: Arc<dyn Ledger>,
    permits: Arc<Semaphore>,
}

impl PointInTimeReader {
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> PointInTimeReader {
        PointInTimeReader { ledger, permits: Arc::new(Semaphore::new(MAX_CONCURRENT_REPLAYS)) }
    }

    /// Returns the site with every entry that the store had taken by `at_ms`. Both times are Unix
    /// milliseconds. The settings are those of now.
    pub(crate) async fn snapshot_at(
        &self,
        book: &SiteSettings,
        at_ms: i64,
        now_ms: i64,
    ) -> Result<SiteSnapshot, ReplayError> {
        if at_ms > now_ms {
            return Err(ReplayError::Future);
        }
        let kept = LEDGER.retention.map_or(i64::MAX, |kept| kept.as_millis() as i64);
        let oldest = now_ms.saturating_sub(kept);
        if at_ms < oldest {
            return Err(ReplayError::Gone);
        }
        let replay = async {
            let _turn = self.permits.acquire().await.map_err(|_| ReplayError::Unavailable)?;
            self.replay(book, at_ms).await
        };
        let replayed = tokio::time::timeout(REPLAY_TIMEOUT, replay).await;
        let (view, saw_the_day_open) = replayed.map_err(|_| ReplayError::Unavailable)??;
        // A day whose first entry has aged out is whole only if it began within the retention.
        let day = |ms| book.calendar.at(ms).day();
        if saw_the_day_open || day(oldest) < day(at_ms) { Ok(view) } else { Err(ReplayError::Gone) }
    }

    /// Replays every entry until `at_ms`. The flag says whether one of them opened the day of
    /// `at_ms`.
    async fn replay(
        &self,
        book: &SiteSettings,
        at_ms: i64,
    ) -> Result<(SiteSnapshot, bool), ReplayError> {
        let today = book.calendar.at(at_ms).day();
        let mut view = SiteSnapshot::default();
        let head = self.ledger.head(&LEDGER).await?;
        if head == Position::START {
            return Ok((view, false));
        }
        let mut entries = self.ledger.follow(&LEDGER, Position::START).await?;
        while let Some(followed) = entries.next().await {
            let LogItem::Entry(recorded) = followed else { return Err(ReplayError::Gone) };
            if recorded.at_ms > at_ms {
                break;
            }
            if recorded.subject == book.subject {
                let decisions = codec::decode(&recorded.entry.payload)
                    .map_err(|_| ReplayError::NewerVersion)?;
                for decision in &decisions {
                    let opens = |event: &Event| matches!(event, Event::DayOpened { .. });
                    // Without the day's first entry, its last ones do not make up a line.
                    if view.site.day().is_some() || decision.events.iter().any(opens) {
                        view.site.apply(decision);
                    }
                }
                view.position = recorded.position;
            }
            if recorded.position >= head {
                break;
            }
        }
        let saw_the_day_open = view.site.day() == Some(today);
        Ok((view, saw_the_day_open))
    }
}
