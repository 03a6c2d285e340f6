//! What everybody who works with the file shares: its writer, its reader, and the bells.

use crate::open::Clock;
use crate::reader::Reader;
use crate::wake::Wake;
use crate::writer::Writer;
use paihao_contracts::names::Log;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) struct LedgerFile {
    pub(crate) writer: Writer,
    pub(crate) reader: Arc<Reader>,
    pub(crate) wake: Wake,
    pub(crate) clock: Clock,
    /// The logs in use, for sweeping.
    pub(crate) logs: Mutex<HashMap<&'static str, Log>>,
}

impl LedgerFile {
    pub(crate) fn remember(&self, log: &Log) {
        self.logs.lock().entry(log.name).or_insert(*log);
    }
}
