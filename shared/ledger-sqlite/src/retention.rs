//! Removal of expired entries, in small transactions between other writes.

use crate::file::LedgerFile;
use crate::{entries, messages};
use paihao_contracts::streams::Log;
use paihao_ledger::Unavailable;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Largest number of rows removed in one transaction.
const MAX_ROWS_PER_TRANSACTION: usize = 500;

/// Removes everything that has expired at this time.
pub(crate) async fn remove_expired(file: &Arc<LedgerFile>, now_ms: i64) -> Result<(), Unavailable> {
    let logs: Vec<Log> = file.logs.lock().values().copied().collect();
    for log in logs.into_iter().filter(|log| log.retention.is_some()) {
        let remove = move |connection: &_| {
            entries::remove_expired(connection, &log, now_ms, MAX_ROWS_PER_TRANSACTION)
        };
        while file.writer.run(remove).await? {}
    }
    let remove_keys = move |connection: &_| {
        messages::remove_expired_keys(connection, now_ms, MAX_ROWS_PER_TRANSACTION)
    };
    while file.writer.run(remove_keys).await? {}
    // Until then the write-ahead log still holds the pages as they were.
    file.writer.checkpoint().await;
    Ok(())
}

/// Removes expired entries at intervals as long as the ledger exists.
pub(crate) async fn run_retention(file: Weak<LedgerFile>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(file) = file.upgrade() else { return };
        let Some(now_ms) = (file.age_clock)() else { continue };
        if let Err(error) = remove_expired(&file, now_ms).await {
            tracing::warn!(%error, "cannot remove expired entries, retrying later");
        }
    }
}
