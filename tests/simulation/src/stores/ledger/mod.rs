//! Simulated ledger: the port over a store in memory, reached over a link.
//!
//! A read is served from the newest state or later than it could be; a conditional append is never
//! decided on an older state. A follower may be behind, and skips nothing.

mod claims;
mod deliveries;
mod follow;
mod log;
mod queue;
mod store;

pub use store::{AppendObserver, Store, StoreClock};

use crate::link::{Link, NoAnswer};
use async_trait::async_trait;
use futures::stream::BoxStream;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    QueueBacklog, StoreTime, StoredEntry, Subject, Unavailable,
};
use std::sync::Arc;
use std::time::Duration;
use store::Source;

/// Largest entry, in bytes, as in JetStream's defaults.
const MAX_ENTRY_BYTES: usize = 1 << 20;

/// Ledger of one process.
pub struct SimulatedLedger {
    store: Arc<Store>,
    link: Link,
}

impl From<NoAnswer> for Unavailable {
    fn from(error: NoAnswer) -> Unavailable {
        Unavailable(error.to_string())
    }
}

impl SimulatedLedger {
    /// Creates the ledger of a process over its link.
    pub fn new(store: Arc<Store>, link: Link) -> SimulatedLedger {
        SimulatedLedger { store, link }
    }

    async fn read<T: Send + 'static>(
        &self,
        log: &Log,
        read: impl FnOnce(&log::LogState) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (store, log) = (self.store.clone(), *log);
        Ok(self.link.call(move || store.read(&log, read)).await?)
    }
}

#[async_trait]
impl Ledger for SimulatedLedger {
    fn partitions(&self) -> Partitions {
        self.store.partitions()
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let (size, limit) = (entry.size(), MAX_ENTRY_BYTES);
        if size > limit {
            return Err(AppendError::TooLarge { size, limit });
        }
        let (store, log, subject) = (self.store.clone(), *log, subject.clone());
        let appended = self.link.call(move || store.append(&log, &subject, expect, &entry)).await;
        let appended = appended.map_err(Unavailable::from)?;
        appended.map_err(|found| AppendError::Conflict { expected: expect, found })
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        let subject = subject.clone();
        self.read(log, move |log| log.last(&subject)).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        self.read(log, |log| log.head()).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        follow::follow(self.store.clone(), self.link.clone(), *log, None, after).await
    }

    async fn follow_subject(
        &self,
        log: &Log,
        subject: &Subject,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let subject = Some(subject.clone());
        follow::follow(self.store.clone(), self.link.clone(), *log, subject, after).await
    }

    async fn get(&self, log: &Log, position: Position) -> Result<Option<StoredEntry>, Unavailable> {
        self.read(log, move |log| log.get(position)).await
    }

    async fn erase(&self, log: &Log, position: Position) -> Result<(), Unavailable> {
        let (store, log) = (self.store.clone(), *log);
        Ok(self.link.call(move || store.erase(&log, position)).await?)
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        let source = Source::Consumer(*log, *consumer);
        Ok(deliveries::deliveries(self.store.clone(), self.link.clone(), source, in_flight))
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        let (store, queue, key) = (self.store.clone(), *queue, key.to_owned());
        Ok(self.link.call(move || store.enqueue(&queue, &key, &entry, delay)).await?)
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        let source = Source::Queue(*queue);
        Ok(deliveries::deliveries(self.store.clone(), self.link.clone(), source, in_flight))
    }

    async fn time(&self) -> Result<StoreTime, Unavailable> {
        let store = self.store.clone();
        Ok(self.link.call(move || StoreTime::Now(store.now_ms())).await?)
    }

    async fn backlog(&self, queue: &WorkQueue) -> Result<QueueBacklog, Unavailable> {
        let (store, queue) = (self.store.clone(), *queue);
        Ok(self.link.call(move || store.queue_backlog(&queue)).await?)
    }

    async fn check(&self) -> Result<(), Unavailable> {
        Ok(self.link.call(|| ()).await?)
    }
}
