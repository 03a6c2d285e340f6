//! Reader of the visits that ended on given days, each in its last version.

use super::VisitProjection;
use crate::codec::visit_from_stored;
use futures::StreamExt;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::streams::HISTORY;
use paihao_contracts::visit::{HistoryEntry, VisitChange, VisitKey};
use paihao_domain::VisitRecord;
use paihao_ledger::{LogItem, Position, Subject, Unavailable};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest time for a read, its wait included.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

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

impl VisitProjection {
    /// Reads the visits to a site that ended on the business days from `from` to `to`, both
    /// included.
    pub(crate) async fn visits(
        &self,
        site: &Subject,
        from: i32,
        to: i32,
    ) -> Result<BTreeMap<VisitKey, VisitRecord>, VisitsError> {
        if !self.0.follower.caught_up() {
            return Err(VisitsError::Unavailable);
        }
        if self.newer().is_some() {
            return Err(VisitsError::NewerVersion);
        }
        let Some((first, last)) = self.0.forecast.lock().position_range(site, from, to) else {
            return Ok(BTreeMap::new());
        };
        let read = async {
            let _permit =
                self.0.read_permits.acquire().await.map_err(|_| VisitsError::Unavailable)?;
            self.read_between(site, first, last, from..=to).await
        };
        let result = tokio::time::timeout(READ_TIMEOUT, read).await;
        result.map_err(|_| VisitsError::Unavailable)?
    }

    async fn read_between(
        &self,
        site: &Subject,
        first: Position,
        last: Position,
        days: std::ops::RangeInclusive<i32>,
    ) -> Result<BTreeMap<VisitKey, VisitRecord>, VisitsError> {
        let before = Position(first.0.saturating_sub(1));
        let mut entries = self.0.ledger.follow_subject(&HISTORY, site, before).await?;
        let mut versions = BTreeMap::<VisitKey, (u64, Option<VisitRecord>)>::new();
        while let Some(item) = entries.next().await {
            // A log that was made anew has to be projected first.
            let LogItem::Entry(stored) = item else { return Err(VisitsError::Unavailable) };
            if stored.position > last {
                break;
            }
            if let Some(entry) = parse_entry(&stored.entry.payload)? {
                let HistoryEntry { commit, records, .. } = entry;
                for record in records.into_iter().filter(|record| days.contains(&record.key().0)) {
                    let newest = versions.entry(record.key()).or_insert((0, None));
                    if commit >= newest.0 {
                        let visit = match record {
                            VisitChange::Ended { visit, .. } => Some(visit_from_stored(*visit)),
                            VisitChange::Retracted { .. } => None,
                        };
                        *newest = (commit, visit);
                    }
                }
            }
            if stored.position == last {
                break;
            }
        }
        Ok(versions.into_iter().filter_map(|(key, (_, visit))| Some((key, visit?))).collect())
    }
}

/// Parses an entry. A malformed one was logged when the projection read it.
fn parse_entry(payload: &[u8]) -> Result<Option<HistoryEntry>, VisitsError> {
    match envelope::decode(payload) {
        Ok(entry) => Ok(Some(entry)),
        Err(ReadError::Newer(_)) => Err(VisitsError::NewerVersion),
        Err(ReadError::Malformed(_)) => Ok(None),
    }
}
