//! The file as the source of a backup, beside the process that uses it. Nothing is locked, and no
//! view of the file is held for longer than a page.

use crate::entries;
use crate::inspect::inspect;
use crate::messages::queued_after;
use crate::open::{OpenError, lock};
use crate::reader::{Reader, ReaderGate};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_ledger::backup::{BackupSource, ConsumerProgress, QueuedMessage};
use paihao_ledger::{Position, StoredEntry, Unavailable};
use rusqlite::{Connection, OptionalExtension};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Entries read at once.
const PAGE_SIZE: usize = 256;

/// A file to be backed up.
pub struct SqliteBackup {
    reader: Arc<Reader>,
    /// Lock of the file, if no process had it. It keeps processes from starting meanwhile.
    lock: Option<File>,
}

impl SqliteBackup {
    /// Opens a file that exists and has the version of this program.
    pub fn open(path: &Path) -> Result<SqliteBackup, OpenError> {
        if inspect(path)?.is_none() {
            let reason = "there is no such file".to_owned();
            return Err(OpenError::Unusable { path: path.to_owned(), reason });
        }
        let lock = match lock(path) {
            Ok(lock) => Some(lock),
            Err(OpenError::InUse(_)) => None,
            Err(error) => return Err(error),
        };
        let reader = Arc::new(Reader::new(path.to_owned(), ReaderGate::default()));
        Ok(SqliteBackup { reader, lock })
    }
}

/// The log without its retention: the clock of this machine decides nothing here.
fn unaged(log: &Log) -> Log {
    Log { retention: None, ..*log }
}

#[async_trait]
impl BackupSource for SqliteBackup {
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn is_stopped(&self) -> Result<bool, Unavailable> {
        Ok(self.lock.is_some())
    }

    async fn consumer_progress(
        &self,
        log: &Log,
        consumer: &Consumer,
    ) -> Result<Option<ConsumerProgress>, Unavailable> {
        let (log, consumer) = (*log, *consumer);
        self.reader.read(move |connection| progress(connection, &log, &consumer)).await
    }

    async fn queued(
        &self,
        queue: &WorkQueue,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QueuedMessage>, Unavailable> {
        let queue = *queue;
        self.reader.read(move |connection| queued_after(connection, &queue, after, limit)).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        let log = unaged(log);
        self.reader.read(move |connection| entries::head(connection, &log, 0)).await
    }

    async fn last_position(&self, _: &Log) -> Result<Position, Unavailable> {
        // All logs of a file share them.
        self.reader.read(entries::largest_position).await
    }

    async fn entries(
        &self,
        log: &Log,
        after: Position,
        until: Position,
    ) -> Result<BoxStream<'static, Result<StoredEntry, Unavailable>>, Unavailable> {
        let (reader, log) = (self.reader.clone(), unaged(log));
        let pages = stream::unfold(Some(after), move |after| {
            let reader = reader.clone();
            async move {
                let after = after?;
                let read = move |connection: &Connection| {
                    entries::page_after(connection, &log, after, PAGE_SIZE, 0)
                };
                let page = match reader.read(read).await {
                    Ok(page) => page,
                    Err(error) => return Some((vec![Err(error)], None)),
                };
                let last = page.last()?.position;
                let within = page.into_iter().filter(|stored| stored.position <= until).map(Ok);
                Some((within.collect(), (last < until).then_some(last)))
            }
        });
        Ok(pages.flat_map(stream::iter).boxed())
    }
}

/// Reads how far a consumer has come, in one view of the file.
fn progress(
    connection: &Connection,
    log: &Log,
    consumer: &Consumer,
) -> rusqlite::Result<Option<ConsumerProgress>> {
    let view = connection.unchecked_transaction()?;
    let after: Option<u64> = view
        .query_row(
            "SELECT cursor FROM consumers WHERE log = ?1 AND name = ?2",
            [log.name, consumer.name],
            |row| row.get(0),
        )
        .optional()?;
    let Some(after) = after else { return Ok(None) };
    let open = view
        .prepare("SELECT position FROM handed WHERE log = ?1 AND consumer = ?2 ORDER BY position")?
        .query_map([log.name, consumer.name], |row| Ok(Position(row.get(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(ConsumerProgress { after: Position(after), open }))
}
