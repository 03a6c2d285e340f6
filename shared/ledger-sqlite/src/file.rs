//! Shared state of an open file: writer, reader and change notifier.

use crate::open::ClockFn;
use crate::reader::Reader;
use crate::wake::ChangeNotifier;
use crate::writer::Writer;
use paihao_contracts::streams::Log;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) struct LedgerFile {
    pub(crate) writer: Writer,
    pub(crate) reader: Arc<Reader>,
    pub(crate) changes: ChangeNotifier,
    pub(crate) clock: ClockFn,
    /// The logs in use, for the removal of expired entries.
    pub(crate) logs: Mutex<HashMap<&'static str, Log>>,
    /// Logs with another retention than their own.
    pub(crate) retention_overrides: Vec<Log>,
}

impl LedgerFile {
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
