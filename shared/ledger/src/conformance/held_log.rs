//! Ledger that holds the entries of one log back, for tests of what happens before they are read.

use crate::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    StoredEntry, Subject, Unavailable,
};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_chassis::CancellationToken;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::sync::Arc;
use std::time::Duration;

/// Ledger whose followers of one log get its entries only once they are released.
pub struct HeldLog {
    ledger: Arc<dyn Ledger>,
    held: &'static str,
    released: CancellationToken,
}

impl HeldLog {
    /// Holds a log back until `released`.
    pub fn new(ledger: Arc<dyn Ledger>, log: &Log, released: CancellationToken) -> HeldLog {
        HeldLog { ledger, held: log.name, released }
    }
}

#[async_trait]
impl Ledger for HeldLog {
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        self.ledger.append(log, subject, expect, entry).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        self.ledger.last(log, subject).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        self.ledger.head(log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let entries = self.ledger.follow(log, after).await?;
        if log.name != self.held {
            return Ok(entries);
        }
        let released = self.released.clone();
        let wait = futures::stream::once(async move { released.cancelled().await });
        Ok(wait.flat_map(|()| futures::stream::empty()).chain(entries).boxed())
    }

    async fn follow_subject(
        &self,
        log: &Log,
        subject: &Subject,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        self.ledger.follow_subject(log, subject, after).await
    }

    async fn get(&self, log: &Log, position: Position) -> Result<Option<StoredEntry>, Unavailable> {
        self.ledger.get(log, position).await
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.ledger.consume(log, consumer, in_flight).await
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        self.ledger.enqueue(queue, key, entry, delay).await
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.ledger.consume_queue(queue, in_flight).await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.ledger.check().await
    }
}
