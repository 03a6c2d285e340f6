//! Removing what has aged out, in small steps between the writes that matter.

use crate::ledger::Inner;
use crate::{entries, messages};
use paihao_contracts::names::Log;
use paihao_ledger::Unavailable;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// So many rows at most are removed in one transaction.
const STEP: usize = 500;

/// Removes everything that has aged out at this time.
pub(crate) async fn sweep(inner: &Arc<Inner>, now_ms: i64) -> Result<(), Unavailable> {
    let logs: Vec<Log> = inner.logs.lock().values().copied().collect();
    for log in logs.into_iter().filter(|log| log.kept.is_some()) {
        let step = move |connection: &_| entries::sweep(connection, &log, now_ms, STEP);
        while inner.writer.run(step).await? {}
    }
    let step = move |connection: &_| messages::sweep(connection, now_ms, STEP);
    while inner.writer.run(step).await? {}
    // Until then the write-ahead log still holds the pages as they were.
    inner.writer.fold().await;
    Ok(())
}

/// Sweeps once in a while for as long as somebody holds the ledger.
pub(crate) async fn keep_sweeping(inner: Weak<Inner>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = sweep(&inner, (inner.clock)()).await {
            tracing::warn!(%error, "old entries stay for now");
        }
    }
}
