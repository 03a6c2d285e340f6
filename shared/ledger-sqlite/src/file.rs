//! What everybody who works with the file shares: its writer, its reader, and the bells.

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
    /// The logs in use, for sweeping.
    pub(crate) logs: Mutex<HashMap<&'static str, Log>>,
    /// Those that are kept otherwise than they say.
    pub(crate) retention_overrides: Vec<Log>,
}

impl LedgerFile {
    /// The log as it is kept here; it is swept from now on.
    pub(crate) fn register_log(&self, log: &Log) -> Log {
        let log = self.with_retention(log);
        self.logs.lock().entry(log.name).or_insert(log);
        log
    }

    /// The log as it is kept here.
    pub(crate) fn with_retention(&self, log: &Log) -> Log {
        *self.retention_overrides.iter().find(|other| other.name == log.name).unwrap_or(log)
    }
}
