//! Creation of streams: on first use, and again when they are found missing.

use crate::connection::{Connection, unavailable};
use crate::division::log::DivisionLog;
use crate::ledger::all_streams;
use crate::message;
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::quorum::Quorum;
use crate::stream_config;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, Info, StorageType};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Log, WorkQueue};
use paihao_ledger::{QueueBacklog, StoreUsage, Unavailable};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Time of a confirmation above which servers may have been frozen, or have elected a leader.
const PROMPT_CONFIRMATION: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy)]
pub(crate) enum StreamKind {
    Log(Log),
    Queue(WorkQueue),
}

impl StreamKind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            StreamKind::Log(log) => log.name,
            StreamKind::Queue(queue) => queue.name,
        }
    }

    /// Name by which the options name the stream, one for all partitions.
    pub(crate) fn family(&self) -> &'static str {
        match self {
            StreamKind::Log(log) => log.family(),
            StreamKind::Queue(queue) => queue.name,
        }
    }
}

fn warn_unlimited(stream: &str, reason: &str) {
    tracing::warn!(stream, reason, "NATS has no room for the limit of a stream, using none");
}

pub(crate) struct Streams {
    connection: Arc<Connection>,
    namespace: Namespace,
    options: NatsOptions,
    known: Mutex<HashSet<&'static str>>,
    ensure_lock: tokio::sync::Mutex<()>,
    quorums: Mutex<HashMap<&'static str, Arc<Quorum>>>,
    /// Number of streams that were lost and recreated.
    recreations: watch::Sender<u64>,
    /// Name of a stream that was there and is gone.
    lost: watch::Sender<Option<String>>,
}

/// Errors of creating a stream.
pub(crate) enum StreamError {
    Refused { stream: String, reason: String },
    Unavailable(Unavailable),
}

impl From<StreamError> for Unavailable {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Refused { stream, reason } => {
                Unavailable(format!("NATS does not create the stream {stream}: {reason}"))
            }
            StreamError::Unavailable(unavailable) => unavailable,
        }
    }
}

impl From<StreamError> for ConnectError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Refused { stream, reason } => ConnectError::Stream { stream, reason },
            StreamError::Unavailable(Unavailable(reason)) => ConnectError::Unreachable(reason),
        }
    }
}

impl Streams {
    pub(crate) fn new(
        connection: Arc<Connection>,
        namespace: Namespace,
        options: NatsOptions,
    ) -> Self {
        Streams {
            connection,
            namespace,
            options,
            known: Mutex::default(),
            ensure_lock: tokio::sync::Mutex::default(),
            quorums: Mutex::default(),
            recreations: watch::Sender::new(0),
            lost: watch::Sender::new(None),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn connection_handle(&self) -> Arc<Connection> {
        self.connection.clone()
    }

    pub(crate) fn options(&self) -> &NatsOptions {
        &self.options
    }

    pub(crate) fn partitions(&self) -> Partitions {
        self.options.partitions
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(crate) fn name(&self, kind: StreamKind) -> String {
        self.namespace.stream_name(kind.name())
    }

    /// Notifies of streams that were lost and recreated.
    pub(crate) fn recreations(&self) -> watch::Receiver<u64> {
        self.recreations.subscribe()
    }

    /// Waits until a stream that was there is found missing, and returns its name.
    pub(crate) async fn until_lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        loop {
            let known = lost.borrow_and_update().clone();
            if let Some(stream) = known {
                return stream;
            }
            if lost.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Checks that the stream is there. Changes nothing on the server.
    pub(crate) async fn check(&self, kind: StreamKind) -> Result<(), StreamError> {
        let name = self.name(kind);
        if self.info(&name).await?.is_some() { Ok(()) } else { Err(self.missing(name)) }
    }

    /// Records that a stream is missing that had been there when this process connected.
    fn missing(&self, stream: String) -> StreamError {
        if !self.options.recreate_lost {
            self.lost.send_if_modified(|lost| {
                let first = lost.is_none();
                lost.get_or_insert_with(|| stream.clone());
                first
            });
        }
        StreamError::Unavailable(Unavailable(format!("the stream {stream} is gone")))
    }

    /// Refuses a namespace into which a restore is still being made, or was broken off.
    pub(crate) async fn require_restored(&self) -> Result<(), ConnectError> {
        match self.info(&self.namespace.restore_marker()).await? {
            None => Ok(()),
            Some(_) => Err(ConnectError::Restoring { namespace: self.options.namespace.clone() }),
        }
    }

    /// Creates the stream unless this process has seen it already.
    pub(crate) async fn ensure_once(&self, kind: StreamKind) -> Result<(), StreamError> {
        if self.known.lock().contains(kind.name()) {
            return Ok(());
        }
        // Apart, as everything rare is: a future is as large as the largest it may hold, and that
        // of an append is moved to the heap each time.
        Box::pin(self.ensure(kind)).await
    }

    /// Creates the stream if it is missing, unless it had been there.
    pub(crate) async fn ensure(&self, kind: StreamKind) -> Result<(), StreamError> {
        let _guard = self.ensure_lock.lock().await;
        let name = self.name(kind);
        let expected = self.stream_config(kind);
        match self.info(&name).await? {
            Some(info) => self.update(info, expected).await?,
            None => {
                let was_there = self.known.lock().contains(kind.name());
                if was_there && !self.options.recreate_lost {
                    return Err(self.missing(name));
                }
                self.create(expected).await?;
                if was_there {
                    tracing::warn!(stream = name, "recreated a lost stream");
                    self.recreations.send_modify(|times| *times += 1);
                }
            }
        }
        self.known.lock().insert(kind.name());
        Ok(())
    }

    /// Notes that the stream is there.
    pub(crate) fn set_known(&self, kind: StreamKind) {
        self.known.lock().insert(kind.name());
    }

    /// Creates the marker that keeps processes away while a restore is being made.
    pub(crate) async fn create_marker(&self) -> Result<(), StreamError> {
        let marker = Config {
            name: self.namespace.restore_marker(),
            subjects: vec![self.namespace.restore_subject()],
            storage: StorageType::File,
            num_replicas: self.options.replicas.max(1),
            ..Config::default()
        };
        self.create_exactly(marker).await
    }

    /// Removes the marker of a restore, which is complete.
    pub(crate) async fn delete_marker(&self) -> Result<(), StreamError> {
        self.delete_named(self.namespace.restore_marker()).await
    }

    /// Creates the log of divisions, unless it is there.
    pub(crate) async fn create_division_log(&self) -> Result<(), StreamError> {
        let config = DivisionLog::stream_config(&self.namespace, self.options.replicas);
        self.create_exactly(config).await
    }

    /// Lets nobody append to a log. [`Streams::ensure`] lets them again.
    pub(crate) async fn detach(&self, kind: StreamKind) -> Result<(), StreamError> {
        let name = self.name(kind);
        let Some(info) = self.info(&name).await? else { return Err(self.missing(name)) };
        let subjects = vec![self.namespace.detached_subject(kind.name())];
        self.update_exactly(Config { subjects, ..info.config }).await
    }

    /// Returns whether nobody can append to a log.
    pub(crate) async fn is_detached(&self, kind: StreamKind) -> Result<bool, StreamError> {
        let info = self.info(&self.name(kind)).await?;
        let subjects = [self.namespace.detached_subject(kind.name())];
        Ok(info.is_some_and(|info| info.config.subjects == subjects))
    }

    /// Removes all streams of a restore that was broken off, and its marker last.
    pub(crate) async fn delete_all(&self) -> Result<(), StreamError> {
        for kind in all_streams(self.partitions()) {
            self.delete(kind).await?;
        }
        self.delete_marker().await
    }

    /// Removes a stream, if it is there.
    pub(crate) async fn delete(&self, kind: StreamKind) -> Result<(), StreamError> {
        self.delete_named(self.name(kind)).await?;
        self.known.lock().remove(kind.name());
        Ok(())
    }

    async fn delete_named(&self, name: String) -> Result<(), StreamError> {
        let deleted =
            self.connection.with_timeout(self.connection.jetstream().delete_stream(&name)).await;
        let deleted = deleted.map_err(StreamError::Unavailable)?;
        match deleted {
            Err(error) if self.info(&name).await?.is_some() => {
                Err(StreamError::Unavailable(unavailable(&error)))
            }
            _ => Ok(()),
        }
    }

    /// Removes all messages of a subject on the server.
    pub(crate) async fn purge_subject(
        &self,
        kind: StreamKind,
        subject: &str,
    ) -> Result<(), StreamError> {
        let name = self.name(kind);
        let jetstream = self.connection.jetstream();
        let purged = self.connection.with_timeout(async {
            let stream = jetstream.get_stream_no_info(&name).await.map_err(|e| unavailable(&e))?;
            stream.purge().filter(subject).await.map_err(|e| unavailable(&e))
        });
        purged.await.and_then(|purged| purged).map(drop).map_err(StreamError::Unavailable)
    }

    /// As [`Streams::info`], with every entry that was acknowledged before the call.
    pub(crate) async fn confirmed_info(
        &self,
        kind: StreamKind,
    ) -> Result<Option<Info>, Unavailable> {
        let name = &self.name(kind);
        self.confirmed(kind, || async move { Ok(self.info(name).await?) }).await
    }

    /// The server's information on a stream, `None` if it does not exist.
    pub(crate) async fn info(&self, name: &str) -> Result<Option<Info>, StreamError> {
        let found_stream =
            self.connection.with_timeout(self.connection.jetstream().get_stream(name)).await;
        match found_stream.map_err(StreamError::Unavailable)? {
            Ok(stream) => Ok(Some(stream.cached_info().clone())),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(StreamError::Unavailable(unavailable(&error))),
            },
        }
    }

    /// Runs a read whose result includes every entry that was acknowledged before the call, by
    /// whichever server. Fails where only a minority of the servers can be reached.
    pub(crate) async fn confirmed<T, R>(
        &self,
        kind: StreamKind,
        read: impl Fn() -> R,
    ) -> Result<T, Unavailable>
    where
        R: Future<Output = Result<T, Unavailable>>,
    {
        if self.options.replicas <= 1 {
            return read().await;
        }
        let quorum = Arc::clone(self.quorums.lock().entry(kind.name()).or_default());
        let stream = self.name(kind);
        let state = self.connection.state();
        let confirmed_read = async {
            loop {
                let connection = state.borrow().connect_count;
                let begun = Instant::now();
                quorum.confirm(&self.connection, &stream).await?;
                // The leader may just have changed: the one before hears of it after its clients.
                if begun.elapsed() > PROMPT_CONFIRMATION {
                    quorum.confirm(&self.connection, &stream).await?;
                }
                let result = read().await?;
                // Another server may have answered than the one that was confirmed.
                if state.borrow().connect_count == connection {
                    return Ok(result);
                }
            }
        };
        self.connection.with_timeout(confirmed_read).await?
    }

    /// Creates a stream. A server without room for the limit of its size gets it without one, since
    /// the server reserves as much.
    async fn create(&self, expected: Config) -> Result<(), StreamError> {
        let unlimited = stream_config::without_limit(&expected);
        match self.create_exactly(expected).await {
            Err(StreamError::Refused { stream, reason }) if unlimited.is_some() => {
                warn_unlimited(&stream, &reason);
                self.create_exactly(unlimited.unwrap_or_default()).await
            }
            created => created,
        }
    }

    async fn create_exactly(&self, expected: Config) -> Result<(), StreamError> {
        let stream = expected.name.clone();
        let created =
            self.connection.with_timeout(self.connection.jetstream().create_stream(expected)).await;
        match created.map_err(StreamError::Unavailable)? {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                // Another process with another configuration was faster.
                CreateStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
                {
                    Ok(())
                }
                CreateStreamErrorKind::JetStream(error) => {
                    Err(StreamError::Refused { stream, reason: error.to_string() })
                }
                _ => Err(StreamError::Unavailable(unavailable(&error))),
            },
        }
    }

    /// Updates the values that our configuration sets and keeps those that an operator set in
    /// addition.
    async fn update(&self, found: Info, expected: Config) -> Result<(), StreamError> {
        let stream = expected.name.clone();
        if found.config.retention != expected.retention {
            let reason = "there is a stream of another kind with this name".to_owned();
            return Err(StreamError::Refused { stream, reason });
        }
        if stream_config::is_as_expected(&found.config, &expected) {
            return Ok(());
        }
        let changes_limit = stream_config::changes_limit(&found.config, &expected);
        let changed = stream_config::updated(&found.config, expected);
        let unlimited = Config { max_bytes: found.config.max_bytes, ..changed.clone() };
        match self.update_exactly(changed).await {
            // The server reserves the limit, and has not as much room.
            Err(StreamError::Refused { reason, .. }) if changes_limit => {
                warn_unlimited(&stream, &reason);
                self.update_exactly(unlimited).await
            }
            updated => updated,
        }
    }

    async fn update_exactly(&self, changed: Config) -> Result<(), StreamError> {
        let stream = changed.name.clone();
        let updated =
            self.connection.with_timeout(self.connection.jetstream().update_stream(changed)).await;
        match updated.map_err(StreamError::Unavailable)? {
            Ok(_) => Ok(()),
            Err(error) => Err(StreamError::Refused { stream, reason: error.to_string() }),
        }
    }

    /// Sizes of all streams, with their limits.
    pub(crate) async fn usage(&self) -> Result<Vec<StoreUsage>, StreamError> {
        let mut usage = Vec::new();
        for kind in all_streams(self.partitions()) {
            let name = self.name(kind);
            let Some(info) = self.info(&name).await? else { return Err(self.missing(name)) };
            usage.push(StoreUsage {
                name: kind.name().to_owned(),
                bytes: info.state.bytes,
                limit_bytes: u64::try_from(info.config.max_bytes).ok().filter(|limit| *limit > 0),
            });
        }
        Ok(usage)
    }

    /// Number of messages of a queue, which a worker's acknowledgement removes, and the oldest's
    /// time.
    pub(crate) async fn backlog(&self, queue: WorkQueue) -> Result<QueueBacklog, StreamError> {
        let name = self.name(StreamKind::Queue(queue));
        let state = self.info(&name).await?.map(|info| info.state);
        Ok(state.filter(|state| state.messages > 0).map_or(QueueBacklog::default(), |state| {
            let oldest_at_ms = Some(message::unix_millis(state.first_timestamp));
            QueueBacklog { messages: state.messages, oldest_at_ms }
        }))
    }
}
