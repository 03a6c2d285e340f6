//! Reads of a session's progress from the cache, shared by everybody who waits for it.
//!
//! The progress of a login is in the cache alone. However many streams follow one login, the cache
//! is asked once in an interval.

use super::sessions::{ScanSessions, SessionError};
use super::shared_read::SharedRead;
use paihao_contracts::session::ScanProgress;
use parking_lot::Mutex as SyncMutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Interval in which the progress of a session is read.
pub const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// State of a session, as it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolledProgress {
    /// Progress of a session whose code works.
    Current(ScanProgress),
    /// The session is over.
    Ended,
    /// The cache did not answer.
    Unknown,
}

/// Polls of the sessions that somebody waits for.
pub struct ProgressPolls {
    sessions: Arc<ScanSessions>,
    reads: SyncMutex<HashMap<Uuid, Arc<SharedRead<PolledProgress>>>>,
}

/// Poll of one session by one who waits for it.
pub struct ProgressPoll {
    polls: Arc<ProgressPolls>,
    uuid: Uuid,
    shared: Arc<SharedRead<PolledProgress>>,
}

impl ProgressPolls {
    /// Creates the polls of these sessions.
    pub fn new(sessions: Arc<ScanSessions>) -> Arc<ProgressPolls> {
        Arc::new(ProgressPolls { sessions, reads: SyncMutex::default() })
    }

    /// Begins to poll a session.
    pub fn poll(self: &Arc<Self>, uuid: Uuid) -> ProgressPoll {
        let new = || Arc::new(SharedRead::new(POLL_INTERVAL));
        let shared = self.reads.lock().entry(uuid).or_insert_with(new).clone();
        ProgressPoll { polls: self.clone(), uuid, shared }
    }
}

impl ProgressPoll {
    /// Returns the progress, as anybody has read it within the interval.
    pub async fn read(&self) -> PolledProgress {
        let read = async {
            match self.polls.sessions.find(self.uuid).await {
                Ok(session) => PolledProgress::Current(session.progress),
                Err(SessionError::Expired | SessionError::Unknown) => PolledProgress::Ended,
                Err(_) => PolledProgress::Unknown,
            }
        };
        self.shared.get(read).await
    }
}

impl Drop for ProgressPoll {
    fn drop(&mut self) {
        let mut reads = self.polls.reads.lock();
        // The map's own and this one.
        if Arc::strong_count(&self.shared) <= 2 {
            reads.remove(&self.uuid);
        }
    }
}
