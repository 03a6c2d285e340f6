//! The port, put together from link, streams and returns.

use crate::append::{self, Published, publish};
use crate::deliveries::{Ground, Source, deliveries};
use crate::follow::follow;
use crate::link::{Link, unavailable};
use crate::message;
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::returns::Returns;
use crate::streams::{Kind, Streams};
use async_trait::async_trait;
use futures::stream::BoxStream;
use paihao_contracts::names::{Consumer, LOGS, Log, WORK_QUEUES, WorkQueue};
use paihao_ledger::{
    AppendError, Deliveries, Enqueued, Entry, Expect, Followed, Ledger, Position, Recorded,
    Subject, Unavailable,
};
use std::sync::Arc;
use std::time::Duration;

/// A ledger on JetStream. Cheap to clone; the connection ends with the last clone, follower and
/// worker.
#[derive(Clone)]
pub struct NatsLedger {
    ground: Ground,
    heartbeat: Duration,
}

impl NatsLedger {
    /// Connects, looks whether the server will do, and makes every stream that is missing. Tries
    /// once: who starts before the server tries again on [`ConnectError::Unreachable`].
    pub async fn connect(options: NatsOptions) -> Result<Self, ConnectError> {
        let namespace = Namespace::new(&options.namespace)?;
        let link = Arc::new(Link::connect(&options).await?);
        let streams = Arc::new(Streams::new(Arc::clone(&link), namespace, options.clone()));
        for kind in all() {
            streams.ensure(kind).await?;
        }
        let returns = Returns::start(Arc::clone(&link));
        let ground = Ground { link, streams, returns };
        Ok(NatsLedger { ground, heartbeat: options.heartbeat })
    }
}

/// Everything there is to make.
pub(crate) fn all() -> impl Iterator<Item = Kind> {
    LOGS.into_iter().map(Kind::Log).chain(WORK_QUEUES.into_iter().map(Kind::Queue))
}

#[async_trait]
impl Ledger for NatsLedger {
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: Expect,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let Ground { link, streams, .. } = &self.ground;
        append::append(link, streams, log, subject, expect, entry).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<Recorded>, Unavailable> {
        append::last(&self.ground.link, &self.ground.streams, log, subject).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        append::head(&self.ground.streams, log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, Followed>, Unavailable> {
        let Ground { link, streams, .. } = self.ground.clone();
        follow(link, streams, *log, after, self.heartbeat).await
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        deliveries(self.ground.clone(), Source::Consumer(*log, *consumer), in_flight).await
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<Enqueued, Unavailable> {
        let Ground { link, streams, .. } = &self.ground;
        if let Err(limit) = message::fits(link, &entry) {
            let size = entry.size();
            return Err(Unavailable(format!(
                "a message of {size} bytes is larger than the limit of {limit}"
            )));
        }
        let mut headers = message::headers(&entry);
        message::put_key(&mut headers, key);
        if !delay.is_zero() {
            message::put_delay(&mut headers, delay);
        }
        let subject = streams.namespace().queue(queue);
        let kind = Kind::Queue(*queue);
        match publish(link, streams, kind, &subject, &headers, &entry.payload).await? {
            Published::Stands { duplicate: true, .. } => Ok(Enqueued::AlreadyThere),
            Published::Stands { .. } => Ok(Enqueued::New),
            Published::Refused(error) => Err(unavailable(&error)),
        }
    }

    async fn work(&self, queue: &WorkQueue, in_flight: usize) -> Result<Deliveries, Unavailable> {
        deliveries(self.ground.clone(), Source::Queue(*queue), in_flight).await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        for kind in all() {
            self.ground.streams.ensure(kind).await?;
        }
        Ok(())
    }
}
