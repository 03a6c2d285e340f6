//! Snapshots of a site at a past instant, made by replaying the ledger up to it.

use super::view::SiteSnapshot;
use crate::codec;
use crate::site::SiteSettings;
use futures::StreamExt;
use paihao_contracts::streams::LEDGER;
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
        settings: &SiteSettings,
        at_ms: i64,
        now_ms: i64,
    ) -> Result<SiteSnapshot, ReplayError> {
        if at_ms > now_ms {
            return Err(ReplayError::Future);
        }
        let retention = LEDGER.retention.map_or(i64::MAX, |retention| retention.as_millis() as i64);
        let oldest = now_ms.saturating_sub(retention);
        if at_ms < oldest {
            return Err(ReplayError::Gone);
        }
        let replay = async {
            let _permit = self.permits.acquire().await.map_err(|_| ReplayError::Unavailable)?;
            self.replay(settings, at_ms).await
        };
        let replayed = tokio::time::timeout(REPLAY_TIMEOUT, replay).await;
        let (snapshot, has_day_start) = replayed.map_err(|_| ReplayError::Unavailable)??;
        // A day without its first entry is complete only if it began within the retention.
        let day = |ms| settings.calendar.at(ms).day();
        if has_day_start || day(oldest) < day(at_ms) {
            Ok(snapshot)
        } else {
            Err(ReplayError::Gone)
        }
    }

    /// Replays every entry until `at_ms`. The flag says whether one of them opened the day of
    /// `at_ms`.
    async fn replay(
        &self,
        settings: &SiteSettings,
        at_ms: i64,
    ) -> Result<(SiteSnapshot, bool), ReplayError> {
        let today = settings.calendar.at(at_ms).day();
        let mut snapshot = SiteSnapshot::default();
        let site = Arc::make_mut(&mut snapshot.site);
        let log = self.ledger.partition_of(&settings.subject).ledger;
        let last = self.ledger.last(&log, &settings.subject).await?;
        let head = last.map_or(Position::START, |stored| stored.position);
        if head == Position::START {
            return Ok((snapshot, false));
        }
        let mut entries =
            self.ledger.follow_subject(&log, &settings.subject, Position::START).await?;
        while let Some(item) = entries.next().await {
            let LogItem::Entry(stored) = item else { return Err(ReplayError::Gone) };
            if stored.at_ms > at_ms {
                break;
            }
            let decisions =
                codec::decode(&stored.entry.payload).map_err(|_| ReplayError::NewerVersion)?;
            for decision in &decisions {
                // Entries of a day are applied only after its first one.
                if site.day().is_some() || decision.opens_day() {
                    site.apply(decision);
                }
            }
            snapshot.position = stored.position;
            if stored.position >= head {
                break;
            }
        }
        let has_day_start = site.day() == Some(today);
        Ok((snapshot, has_day_start))
    }
}
