//! An empty namespace into which a backup is restored. A marker keeps processes away until it is
//! complete.

use crate::abandoned::AbandonedQueue;
use crate::append::{PublishOutcome, publish};
use crate::backup_source::is_in_use;
use crate::connection::{Connection, unavailable};
use crate::consumer::{LedgerContext, Source, deliveries};
use crate::ledger::all_streams;
use crate::message;
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::streams::{StreamKind, Streams};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_ledger::backup::restore::Placement;
use paihao_ledger::backup::{ConsumerProgress, QueuedMessage, RestoreError, RestoreTarget};
use paihao_ledger::{Entry, Position, StoredEntry};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Positions that are left out behind the ledger, so that none is given twice that was given after
/// the backup.
const POSITION_GAP: u64 = 10_000;

/// Messages that are written ahead of their acknowledgement.
const MAX_IN_FLIGHT: usize = 256;

/// Last part of the subject of the messages that stand in for positions without an entry.
const FILLER: &str = "filler-of-a-restore";

/// A namespace to be restored.
pub struct NatsRestore {
    options: NatsOptions,
    discard_partial: bool,
    now_ms: Box<dyn Fn() -> i64 + Send>,
    open: Option<OpenNamespace>,
}

struct OpenNamespace {
    context: LedgerContext,
    /// Progress of the streams that are written, by the names of their logs.
    logs: HashMap<&'static str, LogProgress>,
    in_flight: FuturesOrdered<BoxFuture<'static, Result<(), RestoreError>>>,
}

/// Progress of a stream that is written.
#[derive(Default)]
struct LogProgress {
    /// Sequence of the newest message.
    last: u64,
    /// True if it has fillers.
    has_fillers: bool,
}

impl NatsRestore {
    /// Creates the target of these options. With `discard_partial` what an earlier restore has left
    /// is removed. `now_ms` tells the time in Unix milliseconds.
    pub fn new(
        options: NatsOptions,
        discard_partial: bool,
        now_ms: impl Fn() -> i64 + Send + 'static,
    ) -> NatsRestore {
        NatsRestore { options, discard_partial, now_ms: Box::new(now_ms), open: None }
    }

    fn name(&self) -> String {
        format!("the namespace {}", self.options.namespace)
    }

    fn open(&mut self) -> Result<&mut OpenNamespace, RestoreError> {
        self.open.as_mut().ok_or_else(|| RestoreError::Store("it has not been begun".to_owned()))
    }
}

/// Refuses a namespace that has held anything, or is in use.
async fn require_empty(context: &LedgerContext, name: String) -> Result<(), RestoreError> {
    let streams = &context.streams;
    let mut present = HashSet::new();
    for kind in all_streams(streams.partitions()) {
        let info = streams.info(&streams.name(kind)).await.map_err(store_failed)?;
        let Some(info) = info else { continue };
        present.insert(kind.name());
        if info.state.messages > 0 || info.state.last_sequence > 0 {
            return Err(RestoreError::NotEmpty(name));
        }
    }
    if is_in_use(context, &present).await? {
        return Err(RestoreError::InUse(name));
    }
    Ok(())
}

impl OpenNamespace {
    /// Publishes a message that has to get this sequence.
    async fn send(
        &mut self,
        kind: StreamKind,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), RestoreError> {
        // Before the first message: those behind it must not overtake it.
        self.context.streams.ensure_once(kind).await.map_err(store_failed)?;
        let progress = self.progress(kind);
        progress.last += 1;
        let expected = progress.last;
        let connection = &self.context.connection;
        // In order: the call returns once the message has been handed to the connection.
        let sending = connection.jetstream().publish_with_headers(subject, headers, payload);
        let sent = connection.with_timeout(sending).await?.map_err(|e| unavailable(&e))?;
        self.in_flight.push_back(Box::pin(async move {
            let acknowledged = sent.await.map_err(|e| unavailable(&e))?;
            if acknowledged.sequence == expected {
                Ok(())
            } else {
                let text = "a message got another sequence, somebody else writes to the streams";
                Err(RestoreError::Store(text.to_owned()))
            }
        }));
        while self.in_flight.len() >= MAX_IN_FLIGHT {
            self.settle_next().await?;
        }
        Ok(())
    }

    async fn settle_next(&mut self) -> Result<(), RestoreError> {
        self.in_flight.next().await.unwrap_or(Ok(()))
    }

    async fn settle(&mut self) -> Result<(), RestoreError> {
        while let Some(settled) = self.in_flight.next().await {
            settled?;
        }
        Ok(())
    }

    fn progress(&mut self, kind: StreamKind) -> &mut LogProgress {
        self.logs.entry(kind.name()).or_default()
    }

    /// Brings the next sequence of a log to `next`.
    async fn skip_to(&mut self, log: &Log, next: u64) -> Result<(), RestoreError> {
        let kind = StreamKind::Log(*log);
        if self.progress(kind).last == 0 && next > 1 {
            // An empty stream can begin anywhere.
            self.jump(kind, next).await?;
        }
        let subject = self.filler_subject(log);
        while self.progress(kind).last + 1 < next {
            self.progress(kind).has_fillers = true;
            self.send(kind, subject.clone(), HeaderMap::new(), Bytes::new()).await?;
        }
        Ok(())
    }

    async fn jump(&mut self, kind: StreamKind, next: u64) -> Result<(), RestoreError> {
        let LedgerContext { connection, streams, .. } = &self.context;
        let name = streams.name(kind);
        streams.ensure_once(kind).await.map_err(store_failed)?;
        let jetstream = connection.jetstream();
        let purged = connection.with_timeout(async {
            let stream = jetstream.get_stream_no_info(&name).await.map_err(|e| unavailable(&e))?;
            stream.purge().sequence(next).await.map_err(|e| unavailable(&e))
        });
        purged.await??;
        let info = streams.info(&name).await.map_err(store_failed)?;
        self.progress(kind).last = info.map_or(0, |info| info.state.last_sequence);
        Ok(())
    }

    fn filler_subject(&self, log: &Log) -> String {
        let wildcard = self.context.streams.namespace().log_wildcard(log);
        wildcard.replace('>', FILLER)
    }
}

#[async_trait]
impl RestoreTarget for NatsRestore {
    fn partitions(&self) -> Partitions {
        self.options.partitions
    }

    async fn begin(&mut self) -> Result<(), RestoreError> {
        let namespace = Namespace::new(&self.options.namespace).map_err(connect_failed)?;
        let connection =
            Arc::new(Connection::connect(&self.options).await.map_err(connect_failed)?);
        let options = self.options.clone();
        let streams = Arc::new(Streams::new(connection.clone(), namespace, options));
        let abandoned = AbandonedQueue::start(connection.clone());
        let context = LedgerContext { connection, streams, abandoned };
        context.streams.require_partitions().await.map_err(connect_failed)?;
        let marker = context.streams.namespace().restore_marker();
        if context.streams.info(&marker).await.map_err(store_failed)?.is_some() {
            if !self.discard_partial {
                return Err(RestoreError::Partial(self.name()));
            }
            context.streams.delete_all().await.map_err(store_failed)?;
        }
        require_empty(&context, self.name()).await?;
        context.streams.create_marker().await.map_err(store_failed)?;
        self.open =
            Some(OpenNamespace { context, logs: HashMap::new(), in_flight: FuturesOrdered::new() });
        Ok(())
    }

    async fn put_entry(
        &mut self,
        log: &Log,
        stored: StoredEntry,
        placement: Placement,
    ) -> Result<Position, RestoreError> {
        let namespace = self.open()?;
        if placement == Placement::Kept {
            namespace.skip_to(log, stored.position.0).await?;
        }
        let subject = namespace.context.streams.namespace().log_subject(log, &stored.subject);
        let mut headers = message::headers(&stored.entry);
        message::set_appended_at(&mut headers, stored.at_ms);
        let kind = StreamKind::Log(*log);
        namespace.send(kind, subject, headers, stored.entry.payload).await?;
        Ok(Position(namespace.progress(kind).last))
    }

    async fn end_log(
        &mut self,
        log: &Log,
        last: Position,
        leave_gap: bool,
    ) -> Result<(), RestoreError> {
        let namespace = self.open()?;
        let kind = StreamKind::Log(*log);
        namespace.context.streams.ensure_once(kind).await.map_err(store_failed)?;
        let last = last.0.max(namespace.progress(kind).last);
        let next = last + 1 + if leave_gap { POSITION_GAP } else { 0 };
        if last > 0 || leave_gap {
            namespace.skip_to(log, next).await?;
        }
        namespace.settle().await?;
        if namespace.progress(kind).has_fillers {
            let subject = namespace.filler_subject(log);
            namespace.context.streams.purge_subject(kind, &subject).await.map_err(store_failed)?;
        }
        Ok(())
    }

    async fn put_message(
        &mut self,
        queue: &WorkQueue,
        queued: QueuedMessage,
    ) -> Result<(), RestoreError> {
        let now_ms = (self.now_ms)();
        let LedgerContext { connection, streams, .. } = &self.open()?.context;
        let QueuedMessage { key, at_ms, due_ms, entry, .. } = queued;
        let Entry { payload, .. } = &entry;
        let mut headers = message::headers(&entry);
        message::set_key(&mut headers, &key);
        message::set_appended_at(&mut headers, at_ms);
        let delay = u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or(0);
        if delay > 0 {
            message::set_delay(&mut headers, Duration::from_millis(delay));
        }
        let subject = streams.namespace().queue_subject(queue);
        let kind = StreamKind::Queue(*queue);
        match publish(connection, streams, kind, &subject, || headers.clone(), payload).await? {
            PublishOutcome::Stored { .. } => Ok(()),
            PublishOutcome::Rejected(error) => Err(unavailable(&error).into()),
        }
    }

    async fn put_consumer(
        &mut self,
        log: &Log,
        consumer: &Consumer,
        progress: ConsumerProgress,
    ) -> Result<(), RestoreError> {
        let context = self.open()?.context.clone();
        let ConsumerProgress { after, open } = progress;
        let open: HashSet<Position> = open.into_iter().collect();
        let first = open.iter().min().copied().unwrap_or(Position(after.0 + 1));
        let config = pull::Config {
            durable_name: Some(consumer.name.to_owned()),
            deliver_policy: match first.0 {
                0 | 1 => DeliverPolicy::All,
                start_sequence => DeliverPolicy::ByStartSequence { start_sequence },
            },
            ack_policy: AckPolicy::Explicit,
            ack_wait: consumer.ack_wait,
            max_deliver: -1,
            max_ack_pending: -1,
            max_waiting: 4096,
            ..pull::Config::default()
        };
        let stream = context.streams.name(StreamKind::Log(*log));
        let jetstream = context.connection.jetstream();
        let created = context
            .connection
            .with_timeout(jetstream.create_consumer_on_stream(config, &stream))
            .await?;
        created.map_err(|error| unavailable(&error))?;
        if open.is_empty() {
            return Ok(());
        }
        // What is done between the open entries is acknowledged; those are held, and given back.
        let source = Source::Consumer(*log, *consumer);
        let mut arriving = deliveries(context.clone(), source, open.len() + MAX_IN_FLIGHT).await?;
        let mut held = Vec::new();
        while let Some(delivery) = arriving.next().await {
            let position = delivery.message.position;
            if position <= after && !open.contains(&position) {
                delivery.ack().await?;
            } else {
                held.push(delivery);
            }
            if position >= after {
                break;
            }
        }
        drop((held, arriving));
        context.abandoned.flush().await;
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), RestoreError> {
        let namespace = self
            .open
            .take()
            .ok_or_else(|| RestoreError::Store("it has not been begun".to_owned()))?;
        let streams = &namespace.context.streams;
        for kind in all_streams(streams.partitions()) {
            streams.ensure_once(kind).await.map_err(store_failed)?;
        }
        streams.delete_marker().await.map_err(store_failed)
    }

    async fn abandon(&mut self) {
        let Some(namespace) = self.open.take() else { return };
        if let Err(error) = namespace.context.streams.delete_all().await {
            let error = paihao_ledger::Unavailable::from(error);
            tracing::warn!(%error, "cannot remove the streams of a restore that failed");
        }
    }
}

fn connect_failed(error: ConnectError) -> RestoreError {
    RestoreError::Store(error.to_string())
}

fn store_failed(error: crate::streams::StreamError) -> RestoreError {
    paihao_ledger::Unavailable::from(error).into()
}
