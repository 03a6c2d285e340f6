//! Stream of what happens to a scan session, for a browser that waits for it.
//!
//! Its progress comes from the ledger, which this replica follows, and scans that got no number
//! from the cache, which is read once for all browsers.

use super::sessions::{ProgressWatch, ScanSessions};
use futures::{Stream, stream};
use paihao_contracts::session::{RefusedScan, ScanProgress, ScanSession};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Interval in which a stream looks for scans that got no number; another replica may have had
/// them.
const REFUSAL_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// It has this progress.
    Progress(ScanProgress),
    /// Somebody has scanned who gets no number.
    Refused(RefusedScan),
    /// Its code works no longer; nothing comes after it.
    Expired,
}

/// Browser that waits for a session.
struct Waiting {
    sessions: Arc<ScanSessions>,
    uuid: Uuid,
    watched: ProgressWatch,
    expiry: Instant,
    /// Time of the newest refused scan that was told.
    told_at: i64,
}

/// Follows a session, from its present progress until it expires after `remaining`.
pub fn follow(
    sessions: &Arc<ScanSessions>,
    uuid: Uuid,
    session: ScanSession,
    remaining: Duration,
) -> impl Stream<Item = SessionChange> + Send + use<> {
    let mut watched = sessions.watch(uuid, session.progress);
    watched.progress.mark_changed();
    let waiting = Waiting {
        sessions: sessions.clone(),
        uuid,
        watched,
        expiry: Instant::now() + remaining,
        told_at: session.refused.map_or(i64::MIN, |refused| refused.at),
    };
    stream::unfold(Some(waiting), |waiting| async move {
        let mut waiting = waiting?;
        match waiting.next().await? {
            SessionChange::Expired => Some((SessionChange::Expired, None)),
            change => Some((change, Some(waiting))),
        }
    })
}

impl Waiting {
    /// Waits for the next change. `None` if nobody tells of changes any more.
    async fn next(&mut self) -> Option<SessionChange> {
        loop {
            tokio::select! {
                changed = self.watched.progress.changed() => {
                    changed.ok()?;
                    let progress = self.watched.progress.borrow_and_update().clone();
                    return Some(SessionChange::Progress(progress));
                }
                () = tokio::time::sleep_until(self.expiry) => return Some(SessionChange::Expired),
                () = tokio::time::sleep(REFUSAL_POLL_INTERVAL) => {}
            }
            let refused = self.sessions.newest_refusal(self.uuid).await;
            if let Some(refused) = refused.filter(|refused| refused.at > self.told_at) {
                self.told_at = refused.at;
                return Some(SessionChange::Refused(refused));
            }
        }
    }
}
