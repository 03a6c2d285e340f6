//! Implementation of the ledger port on JetStream.

use crate::abandoned::AbandonedQueue;
use crate::append::{self, PublishOutcome, publish};
use crate::connection::{Connection, unavailable};
use crate::consumer::{LedgerContext, Source, deliveries};
use crate::division::watch::{DivisionWatch, settled_partitions};
use crate::erase::erase;
use crate::follow::follow;
use crate::group_commit::GroupCommits;
use crate::message;
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::server_time;
use crate::streams::{StreamKind, Streams};
use async_trait::async_trait;
use futures::stream::BoxStream;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WORK_QUEUES, WorkQueue};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    QueueBacklog, StoreTime, StoreUsage, StoredEntry, Subject, Unavailable,
};
use std::sync::Arc;
use std::time::Duration;

/// A ledger on JetStream. Cheap to clone; the connection ends with the last clone, follower and
/// worker.
#[derive(Clone)]
pub struct NatsLedger {
    context: LedgerContext,
    commits: Arc<GroupCommits>,
    division: Arc<DivisionWatch>,
    heartbeat: Duration,
}

impl NatsLedger {
    /// Connects, checks that the server is supported, and creates every missing stream. Waits while
    /// the ledger is being divided, and takes the number of partitions that it has then. It tries
    /// once: on [`ConnectError::Unreachable`] a caller that starts before the server retries.
    pub async fn connect(options: NatsOptions) -> Result<Self, ConnectError> {
        let namespace = Namespace::new(&options.namespace)?;
        let connection = Arc::new(Connection::connect(&options).await?);
        let partitions = settled_partitions(&connection, &namespace, &options).await?;
        let options = NatsOptions { partitions, ..options };
        let streams = Arc::new(Streams::new(Arc::clone(&connection), namespace, options.clone()));
        streams.require_restored().await?;
        streams.require_partitions().await?;
        if !options.begin_empty {
            streams.require_ledger(options.must_exist).await?;
        }
        for kind in all_streams(options.partitions) {
            streams.ensure(kind).await?;
        }
        // Another process may have been at its first start, with another number.
        streams.require_partitions().await?;
        let abandoned = AbandonedQueue::start(Arc::clone(&connection));
        let commits = GroupCommits::new(Arc::clone(&connection), Arc::clone(&streams));
        let division = DivisionWatch::new(Arc::clone(&connection), Arc::clone(&streams));
        let context = LedgerContext { connection, streams, abandoned };
        Ok(NatsLedger {
            context,
            commits: Arc::new(commits),
            division: Arc::new(division),
            heartbeat: options.heartbeat,
        })
    }
}

/// All streams to create.
pub(crate) fn all_streams(partitions: Partitions) -> impl Iterator<Item = StreamKind> {
    partitions.logs().map(StreamKind::Log).chain(WORK_QUEUES.into_iter().map(StreamKind::Queue))
}

#[async_trait]
impl Ledger for NatsLedger {
    fn partitions(&self) -> Partitions {
        self.context.streams.partitions()
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let LedgerContext { connection, streams, .. } = &self.context;
        append::append(connection, streams, &self.commits, log, subject, expect, entry).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        append::last(&self.context.connection, &self.context.streams, log, subject).await
    }

    async fn last_unconfirmed(
        &self,
        log: &Log,
        subject: &Subject,
    ) -> Result<Option<StoredEntry>, Unavailable> {
        append::last_unconfirmed(&self.context.connection, &self.context.streams, log, subject)
            .await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        append::head(&self.context.streams, log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        follow(self.context.clone(), *log, None, after, self.heartbeat).await
    }

    async fn follow_subject(
        &self,
        log: &Log,
        subject: &Subject,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        follow(self.context.clone(), *log, Some(subject), after, self.heartbeat).await
    }

    async fn get(&self, log: &Log, position: Position) -> Result<Option<StoredEntry>, Unavailable> {
        append::get(&self.context.connection, &self.context.streams, log, position).await
    }

    async fn erase(&self, log: &Log, position: Position) -> Result<(), Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.context;
        erase(connection, streams, log, position).await
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        deliveries(self.context.clone(), Source::Consumer(*log, *consumer), in_flight).await
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.context;
        if let Err(limit) = message::check_size(connection, &entry) {
            let size = entry.size();
            return Err(Unavailable(format!(
                "a message of {size} bytes is larger than the limit of {limit}"
            )));
        }
        let mut headers = message::headers(&entry);
        message::set_key(&mut headers, key);
        if !delay.is_zero() {
            message::set_delay(&mut headers, delay);
        }
        let subject = streams.namespace().queue_subject(queue);
        let kind = StreamKind::Queue(*queue);
        match publish(connection, streams, kind, &subject, || headers.clone(), &entry.payload)
            .await?
        {
            PublishOutcome::Stored { duplicate: true, .. } => Ok(EnqueueOutcome::Duplicate),
            PublishOutcome::Stored { .. } => Ok(EnqueueOutcome::New),
            PublishOutcome::Rejected(error) => Err(unavailable(&error)),
        }
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        deliveries(self.context.clone(), Source::Queue(*queue), in_flight).await
    }

    async fn time(&self) -> Result<StoreTime, Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.context;
        server_time::fetch(connection, &streams.name(streams.first_ledger())).await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        for kind in all_streams(self.partitions()) {
            self.context.streams.check(kind).await?;
        }
        Ok(())
    }

    async fn usage(&self) -> Result<Vec<StoreUsage>, Unavailable> {
        Ok(self.context.streams.usage().await?)
    }

    async fn backlog(&self, queue: &WorkQueue) -> Result<QueueBacklog, Unavailable> {
        Ok(self.context.streams.backlog(*queue).await?)
    }

    async fn close(&self) {
        self.context.abandoned.flush().await;
    }

    async fn until_lost(&self) -> String {
        self.division.until_lost().await
    }

    async fn until_sent_away(&self) {
        self.division.until_sent_away().await;
    }
}
