//! Reader of the visits that ended on given days, from the log into statistics.

use super::VisitProjection;
use super::day_fold::{DayFold, EndedVisits};
use super::statistics::Grouping;
use futures::StreamExt;
use paihao_chassis::blocking;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::streams::HISTORY;
use paihao_ledger::{LogItem, Position, Subject, Unavailable};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Longest time for a read, its wait included.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// Largest number of entries that are folded at once.
const MAX_BATCH: usize = 512;

/// Reason why the visits cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VisitsError {
    /// The log has not been read to its end yet, was made anew, or did not answer in time.
    #[error("the visits cannot be read at present")]
    Unavailable,
    /// A newer program wrote some of them.
    #[error("a newer program wrote visits that this one cannot read")]
    NewerVersion,
}

impl From<Unavailable> for VisitsError {
    fn from(_: Unavailable) -> VisitsError {
        VisitsError::Unavailable
    }
}

impl From<NewerForm> for VisitsError {
    fn from(_: NewerForm) -> VisitsError {
        VisitsError::NewerVersion
    }
}

impl VisitProjection {
    /// Reads the visits to a site that ended on these business days into statistics. Memory grows
    /// with the visits of a day, not with the days.
    pub(crate) async fn statistics(
        &self,
        site: &Subject,
        days: RangeInclusive<i32>,
        today: Option<i32>,
        grouping: Grouping,
    ) -> Result<EndedVisits, VisitsError> {
        if !self.0.follower.caught_up() {
            return Err(VisitsError::Unavailable);
        }
        if self.newer().is_some() {
            return Err(VisitsError::NewerVersion);
        }
        let index = self.0.forecast.lock().positions_by_day(site, days);
        let fold = DayFold::new(&index, today, grouping);
        let first = index.values().map(|(first, _)| *first).min();
        let last = index.values().map(|(_, last)| *last).max();
        let Some((first, last)) = first.zip(last) else { return Ok(fold.finish()) };
        let read = async {
            let _permit =
                self.0.read_permits.acquire().await.map_err(|_| VisitsError::Unavailable)?;
            self.read_between(site, first, last, fold).await
        };
        let result = tokio::time::timeout(READ_TIMEOUT, read).await;
        result.map_err(|_| VisitsError::Unavailable)?
    }

    async fn read_between(
        &self,
        site: &Subject,
        first: Position,
        last: Position,
        mut fold: DayFold,
    ) -> Result<EndedVisits, VisitsError> {
        let before = Position(first.0.saturating_sub(1));
        let entries = self.0.ledger.follow_subject(&HISTORY, site, before).await?;
        let mut batches = entries.ready_chunks(MAX_BATCH);
        let mut is_complete = false;
        while !is_complete {
            let Some(batch) = batches.next().await else { return Err(VisitsError::Unavailable) };
            let mut entries = Vec::with_capacity(batch.len());
            for item in batch {
                // A log that was made anew has to be projected first.
                let LogItem::Entry(stored) = item else { return Err(VisitsError::Unavailable) };
                is_complete |= stored.position >= last;
                if stored.position <= last {
                    entries.push(stored);
                }
            }
            // Hundreds of days are some seconds of work, which callbacks must not wait for.
            fold = blocking::run(move || fold.apply(entries).map(|()| fold)).await?;
        }
        Ok(fold.finish())
    }
}
