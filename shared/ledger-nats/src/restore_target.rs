//! An empty namespace into which a backup is restored. A marker keeps processes away until it is
//! complete.

use crate::abandoned::AbandonedQueue;
use crate::append::{PublishOutcome, publish};
use crate::backup_source::is_in_use;
use crate::connection::{Connection, unavailable};
use crate::consumer::{LedgerContext, Source, deliveries, durable};
use crate::ledger::all_streams;
use crate::log_writer::{LogWriter, MAX_IN_FLIGHT};
use crate::message;
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::streams::{StreamKind, Streams};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_trait::async_trait;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_ledger::backup::restore::Placement;
use paihao_ledger::backup::{ConsumerProgress, QueuedMessage, RestoreError, RestoreTarget};
use paihao_ledger::{Entry, Position, StoredEntry};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Positions that are left out behind the ledger, so that none is given twice that was given after
/// the backup.
const POSITION_GAP: u64 = 10_000;

/// A namespace to be restored.
pub struct NatsRestore {
    options: NatsOptions,
    discard_partial: bool,
    now_ms: Box<dyn Fn() -> i64 + Send>,
    open: Option<OpenNamespace>,
}

struct OpenNamespace {
    context: LedgerContext,
    writer: LogWriter,
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
        let writer = LogWriter::new(context.clone());
        self.open = Some(OpenNamespace { context, writer });
        Ok(())
    }

    async fn put_entry(
        &mut self,
        log: &Log,
        stored: StoredEntry,
        placement: Placement,
    ) -> Result<Position, RestoreError> {
        Ok(self.open()?.writer.put(log, stored, placement).await?)
    }

    async fn end_log(
        &mut self,
        log: &Log,
        last: Position,
        leave_gap: bool,
    ) -> Result<(), RestoreError> {
        let gap = if leave_gap { POSITION_GAP } else { 0 };
        Ok(self.open()?.writer.end(log, last, gap).await?)
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
        let deliver_policy = match first.0 {
            0 | 1 => DeliverPolicy::All,
            start_sequence => DeliverPolicy::ByStartSequence { start_sequence },
        };
        let config = durable(consumer.name, consumer.ack_wait, deliver_policy);
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
