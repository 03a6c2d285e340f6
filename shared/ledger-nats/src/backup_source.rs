//! The streams of a namespace as the source of a backup, beside the processes that use them.

use crate::abandoned::AbandonedQueue;
use crate::append::{self, read_message};
use crate::connection::{Connection, unavailable};
use crate::consumer::LedgerContext;
use crate::division::watch::settled_partitions;
use crate::follow::follow;
use crate::ledger::all_streams;
use crate::message;
use crate::naming::{Namespace, QUEUE_CONSUMER};
use crate::options::{ConnectError, NatsOptions};
use crate::streams::{StreamKind, Streams};
use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WORK_QUEUES, WorkQueue};
use paihao_ledger::backup::{BackupSource, ConsumerProgress, QueuedMessage};
use paihao_ledger::{LogItem, Position, StoredEntry, Unavailable};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Silence after which a log is asked whether it has the entry that is waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// A namespace to be backed up.
pub struct NatsBackup {
    context: LedgerContext,
    heartbeat: Duration,
    /// Streams that are there. Those of a newer version may not be.
    present: HashSet<&'static str>,
}

impl NatsBackup {
    /// Connects, and refuses a namespace without a ledger. Creates nothing.
    pub async fn connect(options: NatsOptions) -> Result<NatsBackup, ConnectError> {
        let namespace = Namespace::new(&options.namespace)?;
        let connection = Arc::new(Connection::connect(&options).await?);
        let partitions = settled_partitions(&connection, &namespace, &options).await?;
        let options = NatsOptions { partitions, ..options };
        let streams = Arc::new(Streams::new(connection.clone(), namespace, options.clone()));
        streams.require_restored().await?;
        streams.require_partitions().await?;
        let mut present = HashSet::new();
        for kind in all_streams(options.partitions) {
            if streams.info(&streams.name(kind)).await?.is_some() {
                streams.set_known(kind);
                present.insert(kind.name());
            }
        }
        if !present.contains(streams.first_ledger().name()) {
            let namespace = &options.namespace;
            return Err(ConnectError::Invalid(format!(
                "there is no ledger in the namespace {namespace}"
            )));
        }
        let abandoned = AbandonedQueue::start(connection.clone());
        let context = LedgerContext { connection, streams, abandoned };
        Ok(NatsBackup { context, heartbeat: options.heartbeat, present })
    }
}

/// Reads the server's information on a consumer, `None` if it does not exist.
pub(crate) async fn consumer_info(
    context: &LedgerContext,
    kind: StreamKind,
    name: &str,
) -> Result<Option<Info>, Unavailable> {
    let LedgerContext { connection, streams, .. } = context;
    let stream = streams.name(kind);
    let jetstream = connection.jetstream();
    let read = async {
        let stream = jetstream.get_stream_no_info(&stream).await.map_err(|e| unavailable(&e))?;
        match stream.consumer_info(name).await {
            Ok(info) => Ok(Some(info)),
            Err(error) => match error.kind() {
                ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound => Ok(None),
                _ => Err(unavailable(&error)),
            },
        }
    };
    connection.with_timeout(read).await?
}

/// Returns whether a process uses the streams, or did so half a minute ago: one waits for messages,
/// or follows the ledger.
pub(crate) async fn is_in_use(
    context: &LedgerContext,
    present: &HashSet<&'static str>,
) -> Result<bool, Unavailable> {
    let partitions = context.streams.partitions();
    let of_logs =
        partitions.consumers().map(|(log, consumer)| (StreamKind::Log(log), consumer.name));
    let of_queues = WORK_QUEUES.map(|queue| (StreamKind::Queue(queue), QUEUE_CONSUMER));
    let mut durable = HashMap::<_, usize>::new();
    for (kind, name) in of_logs.chain(of_queues) {
        if !present.contains(kind.name()) {
            continue;
        }
        let Some(info) = consumer_info(context, kind, name).await? else { continue };
        if info.num_waiting > 0 {
            return Ok(true);
        }
        *durable.entry(kind.name()).or_default() += 1;
    }
    for partition in partitions.all() {
        let ledger = StreamKind::Log(partition.ledger);
        let durable = durable.get(ledger.name()).copied().unwrap_or(0);
        let info = context.streams.info(&context.streams.name(ledger)).await?;
        if info.is_some_and(|info| info.state.consumer_count > durable) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl BackupSource for NatsBackup {
    fn partitions(&self) -> Partitions {
        self.context.streams.partitions()
    }

    async fn is_stopped(&self) -> Result<bool, Unavailable> {
        // The consumers of our own reading are gone.
        self.context.abandoned.flush().await;
        Ok(!is_in_use(&self.context, &self.present).await?)
    }

    async fn consumer_progress(
        &self,
        log: &Log,
        consumer: &Consumer,
    ) -> Result<Option<ConsumerProgress>, Unavailable> {
        let info = consumer_info(&self.context, StreamKind::Log(*log), consumer.name).await?;
        // The server does not tell what beyond is done, and every handler can meet an entry twice.
        Ok(info.map(|info| ConsumerProgress {
            after: Position(info.ack_floor.stream_sequence),
            open: Vec::new(),
        }))
    }

    async fn queued(
        &self,
        queue: &WorkQueue,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QueuedMessage>, Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.context;
        let mut page = Vec::new();
        if !self.present.contains(queue.name) {
            return Ok(page);
        }
        let name = streams.name(StreamKind::Queue(*queue));
        let subject = streams.namespace().queue_subject(queue);
        let mut next = after + 1;
        while page.len() < limit {
            let read = read_message(connection, &name, async |stream| {
                stream.get_first_raw_message_by_subject(&subject, next).await
            });
            let Some(stored) = read.await? else { break };
            next = stored.sequence + 1;
            let headers = Some(&stored.headers);
            let at_ms = message::appended_at(headers, stored.time);
            let delay = message::delay(headers).unwrap_or_default();
            page.push(QueuedMessage {
                place: stored.sequence,
                key: message::key(headers),
                at_ms,
                due_ms: at_ms.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
                attempt: 0,
                entry: message::entry(headers, stored.payload),
            });
        }
        Ok(page)
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        if !self.present.contains(log.name) {
            return Ok(Position::START);
        }
        append::head(&self.context.streams, log).await
    }

    async fn last_position(&self, log: &Log) -> Result<Position, Unavailable> {
        append::last_position(&self.context.streams, log).await
    }

    async fn entries(
        &self,
        log: &Log,
        after: Position,
        until: Position,
    ) -> Result<BoxStream<'static, Result<StoredEntry, Unavailable>>, Unavailable> {
        bounded_entries(self.context.clone(), self.heartbeat, log, after, until).await
    }
}

/// Streams the entries of a log up to a position, oldest first, and ends.
pub(crate) async fn bounded_entries(
    context: LedgerContext,
    heartbeat: Duration,
    log: &Log,
    after: Position,
    until: Position,
) -> Result<BoxStream<'static, Result<StoredEntry, Unavailable>>, Unavailable> {
    let streams = context.streams.clone();
    let entries = follow(context, *log, None, after, heartbeat).await?;
    let bounded = BoundedEntries { entries, streams, log: *log, reached: after, until };
    Ok(stream::unfold(bounded, async |mut bounded| {
        let next = bounded.next().await?;
        Some((next, bounded))
    })
    .boxed())
}

/// Entries of a log up to a position.
struct BoundedEntries {
    entries: BoxStream<'static, LogItem>,
    streams: Arc<Streams>,
    log: Log,
    reached: Position,
    until: Position,
}

impl BoundedEntries {
    async fn next(&mut self) -> Option<Result<StoredEntry, Unavailable>> {
        while self.reached < self.until {
            match tokio::time::timeout(SILENCE, self.entries.next()).await {
                Ok(Some(LogItem::Entry(stored))) => {
                    self.reached = stored.position;
                    return (stored.position <= self.until).then_some(Ok(stored));
                }
                Ok(Some(LogItem::Restarted) | None) => {
                    self.reached = self.until;
                    return Some(Err(Unavailable("a log was made anew meanwhile".to_owned())));
                }
                // The newest entry may have left since.
                Err(_) => match append::head(&self.streams, &self.log).await {
                    Ok(head) if head <= self.reached => return None,
                    Ok(_) => {}
                    Err(error) => {
                        self.reached = self.until;
                        return Some(Err(error));
                    }
                },
            }
        }
        None
    }
}
