//! Shared state of an open file: writer, reader and change notifier.

use crate::messages::ClaimTimes;
use crate::open::{AgeClockFn, ClockFn};
use crate::reader::Reader;
use crate::wake::ChangeNotifier;
use crate::writer::Writer;
use paihao_contracts::streams::Log;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct LedgerFile {
    pub(crate) path: PathBuf,
    pub(crate) writer: Writer,
    pub(crate) reader: Arc<Reader>,
    pub(crate) changes: ChangeNotifier,
    pub(crate) clock: ClockFn,
    pub(crate) age_clock: AgeClockFn,
    /// The logs in use, for the removal of expired entries.
    pub(crate) logs: Mutex<HashMap<&'static str, Log>>,
    /// Logs with another retention than their own.
    pub(crate) retention_overrides: Vec<Log>,
    /// Size from which nothing more is appended or enqueued.
    pub(crate) max_bytes: Option<u64>,
}

/// Time between two looks for a file that was removed under the process.
const PRESENCE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

impl LedgerFile {
    /// Waits until the file is gone, or can no longer be written, and returns which.
    pub(crate) async fn until_lost(&self) -> String {
        let mut ticks = tokio::time::interval(PRESENCE_CHECK_INTERVAL);
        loop {
            tokio::select! {
                biased;
                () = self.writer.ended() => return "the writer of the file".to_owned(),
                _ = ticks.tick() => {
                    if !self.path.exists() {
                        return format!("the file {}", self.path.display());
                    }
                }
            }
        }
    }

    /// Time by which entries have expired; one before all of them while nothing confirms the time.
    pub(crate) fn expiry_time_ms(&self) -> i64 {
        (self.age_clock)().unwrap_or(i64::MIN)
    }

    /// Times of a claim made now.
    pub(crate) fn claim_times(&self) -> ClaimTimes {
        ClaimTimes { now_ms: (self.clock)(), expiry_ms: self.expiry_time_ms() }
    }

    /// Registers the log for retention, and returns it with the retention in force.
    pub(crate) fn register_log(&self, log: &Log) -> Log {
        let log = self.with_retention(log);
        self.logs.lock().entry(log.name).or_insert(log);
        log
    }

    /// Returns the log with the retention in force.
    pub(crate) fn with_retention(&self, log: &Log) -> Log {
        *self.retention_overrides.iter().find(|other| other.name == log.name).unwrap_or(log)
    }
}
