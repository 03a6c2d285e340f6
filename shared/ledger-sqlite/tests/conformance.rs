//! Conformance suite of the port on a SQLite file.

use paihao_ledger::Ledger;
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::TempDir;

#[expect(clippy::disallowed_methods, reason = "the suite runs in real time")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

async fn make() -> (Arc<dyn Ledger>, TempDir) {
    let dir = TempDir::new().unwrap();
    let options = SqliteOptions::new(Arc::new(now_ms));
    let ledger = SqliteLedger::open(dir.path().join("ledger.db"), options).unwrap();
    (Arc::new(ledger), dir)
}

paihao_ledger::ledger_conformance!(make);
