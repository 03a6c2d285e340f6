//! Making of a backup, while processes use the store.
//!
//! No store can be read at one instant, so the order makes up for it. Consumers and queues come
//! first: what they have handed on later is in the logs that are read later, and a message that was
//! done twice is known from its outcome. Snapshots come before the ledger, which thus includes
//! every position that they name. Outcomes come last, so that none is missing.

use super::format::{BackupWriter, FormatError, Head, Record};
use super::{ConsumerProgress, QueuedMessage, Summary};
use crate::{Position, StoredEntry, Unavailable};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{
    Consumer, DEAD_LETTERS, HISTORY, Keep, LEDGER, Log, OUTCOMES, SETTINGS, STAFF, STAFF_SESSIONS,
    WORK_QUEUES, WorkQueue,
};
use tokio::io::AsyncWrite;

/// Logs in the order of a backup.
fn log_order(partitions: Partitions) -> impl Iterator<Item = Log> {
    let of_lines = partitions.all().flat_map(|partition| [partition.snapshots, partition.ledger]);
    of_lines.chain([SETTINGS, STAFF, STAFF_SESSIONS, HISTORY, DEAD_LETTERS, OUTCOMES])
}

/// Messages of a queue that are read at once.
const QUEUE_PAGE: usize = 256;

/// Store of which a backup is made. It only reads.
#[async_trait]
pub trait BackupSource: Send + Sync {
    /// Returns the number of partitions of the store's ledger.
    fn partitions(&self) -> Partitions;

    /// Returns whether no process uses the store.
    async fn is_stopped(&self) -> Result<bool, Unavailable>;

    /// Returns the progress of a consumer; `None` if nobody has joined it yet.
    async fn consumer_progress(
        &self,
        log: &Log,
        consumer: &Consumer,
    ) -> Result<Option<ConsumerProgress>, Unavailable>;

    /// Returns the next messages of a queue after a place, at most `limit`.
    async fn queued(
        &self,
        queue: &WorkQueue,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QueuedMessage>, Unavailable>;

    /// Returns the position of the newest entry, [`Position::START`] if there is none.
    async fn head(&self, log: &Log) -> Result<Position, Unavailable>;

    /// Returns the largest position that was given to an entry so far, there or not.
    async fn last_position(&self, log: &Log) -> Result<Position, Unavailable>;

    /// Streams the entries of a log up to a position, oldest first, and ends.
    async fn entries(
        &self,
        log: &Log,
        after: Position,
        until: Position,
    ) -> Result<BoxStream<'static, Result<StoredEntry, Unavailable>>, Unavailable>;
}

/// Failure of a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The backup cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// Writes a backup of a store, as of `taken_at` in Unix milliseconds.
pub async fn make_backup<W: AsyncWrite + Unpin + Send>(
    source: &dyn BackupSource,
    taken_at: i64,
    out: W,
) -> Result<(W, Summary), BackupError> {
    let was_stopped = source.is_stopped().await?;
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let partitions = source.partitions();
    let head = Head { taken_at, program, stopped: was_stopped, partitions: partitions.count() };
    let mut writer = BackupWriter::begin(out, head).await?;
    let mut summary = Summary::default();
    for (log, consumer) in partitions.consumers() {
        if let Some(progress) = source.consumer_progress(&log, &consumer).await? {
            let ConsumerProgress { after, open } = progress;
            let record = Record::Consumer {
                log: log.name.to_owned(),
                name: consumer.name.to_owned(),
                after: after.0,
                open: open.into_iter().map(|position| position.0).collect(),
            };
            writer.write(&record, &[]).await?;
        }
    }
    for queue in WORK_QUEUES {
        write_queue(source, &queue, &mut writer, &mut summary).await?;
    }
    let mut heads = Vec::new();
    for log in log_order(partitions) {
        heads.push((log, write_log(source, &log, &mut writer, &mut summary).await?));
    }
    let still_stopped = was_stopped && heads_stand(source, &heads).await?;
    let still_stopped = still_stopped && source.is_stopped().await?;
    Ok((writer.finish(still_stopped).await?, summary))
}

async fn write_queue<W: AsyncWrite + Unpin + Send>(
    source: &dyn BackupSource,
    queue: &WorkQueue,
    writer: &mut BackupWriter<W>,
    summary: &mut Summary,
) -> Result<(), BackupError> {
    let mut after = 0;
    loop {
        let page = source.queued(queue, after, QUEUE_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.place;
        for message in page {
            let record = Record::Message {
                queue: queue.name.to_owned(),
                key: message.key,
                at: message.at_ms,
                due: message.due_ms,
                attempt: message.attempt,
                headers: message.entry.headers,
            };
            writer.write(&record, &message.entry.payload).await?;
            summary.count(queue.name);
        }
    }
}

async fn write_log<W: AsyncWrite + Unpin + Send>(
    source: &dyn BackupSource,
    log: &Log,
    writer: &mut BackupWriter<W>,
    summary: &mut Summary,
) -> Result<Position, BackupError> {
    let mut reached = Position::START;
    let mut until = source.head(log).await?;
    let last = match until {
        _ if log.family() != LEDGER.name => Position::START,
        // Snapshots name positions of entries that have aged out.
        Position::START => source.last_position(log).await?,
        head => head,
    };
    while reached < until {
        let mut entries = source.entries(log, reached, until).await?;
        while let Some(stored) = entries.next().await {
            let StoredEntry { position, subject, at_ms, entry } = stored?;
            reached = position;
            let record = Record::Entry {
                log: log.name.to_owned(),
                subject: subject.as_str().to_owned(),
                position: position.0,
                at: at_ms,
                headers: entry.headers,
            };
            writer.write(&record, &entry.payload).await?;
            summary.count(log.name);
        }
        // An entry that was replaced meanwhile stands at the end, and no longer where it was.
        reached = reached.max(until);
        if log.keep == Keep::Newest {
            until = source.head(log).await?;
        }
    }
    writer.write(&Record::LogEnd { log: log.name.to_owned(), last: last.0 }, &[]).await?;
    Ok(until)
}

/// Returns whether nothing was appended since these heads were read.
async fn heads_stand(
    source: &dyn BackupSource,
    heads: &[(Log, Position)],
) -> Result<bool, Unavailable> {
    for (log, head) in heads {
        // An entry that has aged out meanwhile changes nothing.
        if source.head(log).await? > *head {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::partitions::MAX_PARTITIONS;

    #[test]
    fn every_log_has_its_place_in_the_order() {
        for partitions in (1..=MAX_PARTITIONS).filter_map(Partitions::new) {
            let order: Vec<_> = log_order(partitions).collect();
            let sorted = |logs: &mut dyn Iterator<Item = Log>| {
                let mut names: Vec<_> = logs.map(|log| log.name).collect();
                names.sort_unstable();
                names
            };
            assert_eq!(sorted(&mut order.iter().copied()), sorted(&mut partitions.logs()));
            let place = |log: Log| order.iter().position(|other| *other == log).unwrap();
            for partition in partitions.all() {
                let [snapshots, ledger] = [partition.snapshots, partition.ledger].map(place);
                assert!(snapshots < ledger, "the ledger includes what snapshots name");
            }
            assert_eq!(place(OUTCOMES), order.len() - 1, "no outcome of a message is missing");
        }
    }
}
