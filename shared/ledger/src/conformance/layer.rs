//! Layer over a ledger: a test overrides the methods it cares for, the others go through.

use crate::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    QueueBacklog, StoreTime, StoredEntry, Subject, Unavailable,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::time::Duration;

/// Ledger in front of another one. [`Ledger::follow_subject`] and [`Ledger::get`] are those of the
/// trait, so that they see what `follow` and `head` let through.
#[async_trait]
pub trait LedgerLayer: Send + Sync + 'static {
    /// Ledger behind the layer.
    fn inner(&self) -> &dyn Ledger;

    /// Stands for [`Ledger::partitions`].
    fn partitions(&self) -> Partitions {
        self.inner().partitions()
    }

    /// Stands for [`Ledger::append`].
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        self.inner().append(log, subject, expect, entry).await
    }

    /// Stands for [`Ledger::last`].
    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        self.inner().last(log, subject).await
    }

    /// Stands for [`Ledger::head`].
    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        self.inner().head(log).await
    }

    /// Stands for [`Ledger::follow`].
    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        self.inner().follow(log, after).await
    }

    /// Stands for [`Ledger::enqueue`].
    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        self.inner().enqueue(queue, key, entry, delay).await
    }
}

#[async_trait]
impl<L: LedgerLayer> Ledger for L {
    fn partitions(&self) -> Partitions {
        LedgerLayer::partitions(self)
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        LedgerLayer::append(self, log, subject, expect, entry).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        LedgerLayer::last(self, log, subject).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        LedgerLayer::head(self, log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        LedgerLayer::follow(self, log, after).await
    }

    async fn erase(&self, log: &Log, position: Position) -> Result<(), Unavailable> {
        self.inner().erase(log, position).await
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.inner().consume(log, consumer, in_flight).await
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        LedgerLayer::enqueue(self, queue, key, entry, delay).await
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.inner().consume_queue(queue, in_flight).await
    }

    async fn time(&self) -> Result<StoreTime, Unavailable> {
        self.inner().time().await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.inner().check().await
    }

    async fn close(&self) {
        self.inner().close().await;
    }

    async fn backlog(&self, queue: &WorkQueue) -> Result<QueueBacklog, Unavailable> {
        self.inner().backlog(queue).await
    }

    async fn until_lost(&self) -> String {
        self.inner().until_lost().await
    }

    async fn until_sent_away(&self) {
        self.inner().until_sent_away().await;
    }
}
