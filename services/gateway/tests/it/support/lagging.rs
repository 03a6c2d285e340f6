//! Ledger whose followers lag behind while a gate is shut, as those of a busy replica do.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::streams::Log;
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, Subject, Unavailable,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Ledger with a gate before what its followers read.
pub struct LaggingLedger {
    inner: Arc<dyn Ledger>,
    is_open: watch::Sender<bool>,
    appends: watch::Sender<u64>,
}

impl LaggingLedger {
    /// Wraps a ledger, with an open gate.
    pub fn new(inner: Arc<dyn Ledger>) -> Arc<LaggingLedger> {
        let (is_open, appends) = (watch::Sender::new(true), watch::Sender::new(0));
        Arc::new(LaggingLedger { inner, is_open, appends })
    }

    /// Appends that have been tried through it, as they grow.
    pub fn appends(&self) -> watch::Receiver<u64> {
        self.appends.subscribe()
    }

    /// Shuts the gate: what is appended from now on is not read.
    pub fn shut(&self) {
        self.is_open.send_replace(false);
    }

    /// Opens the gate.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

#[async_trait]
impl LedgerLayer for LaggingLedger {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let appended = self.inner.append(log, subject, expect, entry).await;
        self.appends.send_modify(|count| *count += 1);
        appended
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let entries = self.inner.follow(log, after).await?;
        let gate = self.is_open.subscribe();
        let gated = entries.then(move |item| {
            let mut gate = gate.clone();
            async move {
                let _ = gate.wait_for(|is_open| *is_open).await;
                item
            }
        });
        Ok(gated.boxed())
    }
}
