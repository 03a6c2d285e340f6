//! Implementation of the ledger port on a SQLite file.

use crate::consumer::{Source, deliveries};
use crate::entries::{self, retention_cutoff_ms};
use crate::file::LedgerFile;
use crate::follow::follow;
use crate::messages;
use crate::open::{OpenError, SqliteOptions, open};
use crate::reader::{Reader, ReaderGate};
use crate::retention::{remove_expired, run_retention};
use crate::usage;
use crate::wake::ChangeNotifier;
use crate::writer::Writer;
use crate::writer_bounds::WriterBounds;
use async_trait::async_trait;
use futures::stream::BoxStream;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, LOGS, Log, WorkQueue};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    QueueBacklog, StoreTime, StoreUsage, StoredEntry, Subject, Unavailable,
};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// A ledger in one file. Cheap to clone; the file is released when the last clone, follower and
/// worker is dropped, or by [`SqliteLedger::close`].
#[derive(Clone)]
pub struct SqliteLedger {
    file: Arc<LedgerFile>,
    retention_task: AbortHandle,
    max_entry_bytes: usize,
}

impl SqliteLedger {
    /// Opens the file, creating or migrating it if necessary. Must be called on a runtime.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let gate = ReaderGate::default();
        let bounds = WriterBounds::new(path, options.max_bytes, gate.clone());
        let writer = Writer::start(open(path)?, bounds);
        let logs =
            LOGS.iter().chain(&options.retention_overrides).map(|log| (log.name, *log)).collect();
        let file = Arc::new(LedgerFile {
            path: path.to_owned(),
            writer,
            reader: Arc::new(Reader::new(path.to_owned(), gate)),
            changes: ChangeNotifier::default(),
            clock: options.clock,
            age_clock: options.age_clock,
            logs: Mutex::new(logs),
            retention_overrides: options.retention_overrides,
            max_bytes: options.max_bytes,
        });
        #[expect(clippy::disallowed_methods, reason = "ends when nobody holds the file any more")]
        let retention =
            tokio::spawn(run_retention(Arc::downgrade(&file), options.retention_interval));
        Ok(SqliteLedger {
            file,
            retention_task: retention.abort_handle(),
            max_entry_bytes: options.max_entry_bytes,
        })
    }

    /// Removes the entries that have expired at this time (Unix milliseconds). It also runs every
    /// [`SqliteOptions::retention_interval`]; expired entries are hidden even before.
    pub async fn remove_expired(&self, now_ms: i64) -> Result<(), Unavailable> {
        remove_expired(&self.file, now_ms).await
    }

    /// Writes pending operations and releases the file; every later call is refused.
    pub async fn close(&self) {
        self.retention_task.abort();
        self.file.reader.close();
        self.file.writer.close().await;
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    /// One file has one writer, so that partitions would divide nothing.
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let size = entry.size();
        let limit = self.max_entry_bytes;
        if size > limit {
            return Err(AppendError::TooLarge { size, limit });
        }
        let log = self.file.register_log(log);
        let subject = subject.clone();
        let file = Arc::clone(&self.file);
        let times = Arc::clone(&self.file);
        let appended = self.file.writer.grow_then(
            move |connection| {
                let expired_ms = retention_cutoff_ms(&log, times.expiry_time_ms());
                let at_ms = (times.clock)();
                entries::append(connection, &log, &subject, expect, &entry, at_ms, expired_ms)
            },
            move |appended| {
                if appended.is_ok() {
                    file.changes.notify(log.name);
                }
            },
        );
        appended.await?.map_err(|found| AppendError::Conflict { expected: expect, found })
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        let log = self.file.with_retention(log);
        let subject = subject.clone();
        let now_ms = self.file.expiry_time_ms();
        self.file
            .reader
            .read(move |connection| entries::last(connection, &log, &subject, now_ms))
            .await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        let log = self.file.with_retention(log);
        let now_ms = self.file.expiry_time_ms();
        self.file.reader.read(move |connection| entries::head(connection, &log, now_ms)).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let log = self.file.register_log(log);
        follow(Arc::clone(&self.file), log, None, after).await
    }

    async fn follow_subject(
        &self,
        log: &Log,
        subject: &Subject,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let log = self.file.register_log(log);
        follow(Arc::clone(&self.file), log, Some(subject.clone()), after).await
    }

    async fn get(&self, log: &Log, position: Position) -> Result<Option<StoredEntry>, Unavailable> {
        let log = self.file.with_retention(log);
        let now_ms = self.file.expiry_time_ms();
        self.file
            .reader
            .read(move |connection| entries::get(connection, &log, position, now_ms))
            .await
    }

    async fn erase(&self, log: &Log, position: Position) -> Result<(), Unavailable> {
        let log = *log;
        let erased = self.file.writer.run(move |connection| {
            // Its bytes in the file are overwritten (`secure_delete`).
            let sql = "DELETE FROM entries WHERE log = ?1 AND position = ?2";
            connection.prepare_cached(sql)?.execute((log.name, position.0 as i64))
        });
        erased.await?;
        // The write-ahead log still has the page as it was.
        self.file.writer.checkpoint().await;
        Ok(())
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        let log = self.file.register_log(log);
        Ok(deliveries(Arc::clone(&self.file), Source::Consumer(log, *consumer), in_flight))
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        let size = entry.size();
        let limit = self.max_entry_bytes;
        if size > limit {
            return Err(Unavailable(format!(
                "a message of {size} bytes is larger than the limit of {limit}"
            )));
        }
        let queue = *queue;
        let key = key.to_owned();
        let file = Arc::clone(&self.file);
        let clock = self.file.clock.clone();
        let enqueued = self.file.writer.grow_then(
            move |connection| messages::enqueue(connection, &queue, &key, &entry, delay, clock()),
            move |_| file.changes.notify(queue.name),
        );
        enqueued.await
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        Ok(deliveries(Arc::clone(&self.file), Source::Queue(*queue), in_flight))
    }

    async fn time(&self) -> Result<StoreTime, Unavailable> {
        let newest = self.file.reader.read(entries::newest_time).await?;
        Ok(StoreTime::AtLeast(newest.unwrap_or(0)))
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.file
            .writer
            .run(|connection| connection.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(())))
            .await
    }

    async fn usage(&self) -> Result<Vec<StoreUsage>, Unavailable> {
        usage::read(&self.file).await
    }

    async fn backlog(&self, queue: &WorkQueue) -> Result<QueueBacklog, Unavailable> {
        let queue = *queue;
        self.file.reader.read(move |connection| messages::backlog(connection, &queue)).await
    }

    async fn until_lost(&self) -> String {
        self.file.until_lost().await
    }
}
