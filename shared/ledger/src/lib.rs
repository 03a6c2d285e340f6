//! The ledger port: ordered logs with conditional append, shared consumers, and work queues.
//!
//! The trait [`Ledger`] is the interface to the message store. Two crates implement it:
//! `paihao-ledger-sqlite` in one file and `paihao-ledger-nats` on JetStream. Both pass the suite in
//! `conformance`, which defines the behaviour precisely.

mod entry;
#[cfg(feature = "runners")]
mod entry_traces;

mod delivery;

pub mod dead_letter;

#[cfg(feature = "backup")]
pub mod backup;

#[cfg(feature = "runners")]
mod newer;
#[cfg(feature = "runners")]
pub mod projection;
#[cfg(feature = "runners")]
pub mod worker;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use delivery::{Acknowledge, Deliveries, Delivery, Disposition};
pub use entry::{Entry, InvalidSubject, Position, StoredEntry, Subject};

#[cfg(feature = "runners")]
pub use entry_traces::PartTraces;
#[cfg(feature = "runners")]
pub use projection::{Follower, Projection};
#[cfg(feature = "runners")]
pub use worker::{Handler, Message, Worker};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
#[cfg(feature = "runners")]
use paihao_chassis::checked_clock::ReferenceTime;
use paihao_contracts::partitions::{Partition, Partitions};
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::time::Duration;

/// Time for which a log may be shorter than what was read of it, until the rest counts as lost: a
/// leader that was elected a moment ago may know less than the one before it.
pub const TRUNCATION_GRACE: Duration = Duration::from_secs(15);

/// Precondition of an append: the newest entry of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedPosition {
    /// No precondition.
    Any,
    /// The subject has no entry: it never had one, or all have aged out.
    Empty,
    /// The newest entry of the subject has this position.
    At(Position),
}

/// Failure of an append.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The precondition did not hold. Nothing was written.
    #[error("expected {expected:?}, found {found:?}")]
    Conflict {
        /// Precondition that the caller gave.
        expected: ExpectedPosition,
        /// Position of the subject's newest entry, `None` for an empty subject.
        found: Option<Position>,
    },
    /// The entry exceeds the store's size limit. Nothing was written.
    #[error("an entry of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Size of payload and headers in bytes.
        size: usize,
        /// Limit of the store in bytes.
        limit: usize,
    },
    /// The store did not answer in time. **The entry may or may not have been written**: read the
    /// subject before retrying, or append only entries that may be duplicated.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The store is unreachable or did not answer. A later retry may succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the ledger is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Item of the stream that follows a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogItem {
    /// The next entry, in order of position, without gaps or duplicates.
    Entry(StoredEntry),
    /// The log was lost and created anew. Entries received so far are void, and the new log follows
    /// from its beginning.
    Restarted,
}

/// Result of enqueueing a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// The message is on the queue.
    New,
    /// A message with this key was enqueued within the last two minutes. This one was dropped.
    Duplicate,
}

/// Size of a part of a store: of a file, a log or a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUsage {
    /// Name of the part: `file`, `write-ahead-log`, or that of the log or the queue.
    pub name: String,
    /// Size in bytes, without what is free for further entries.
    pub bytes: u64,
    /// Size from which nothing more is taken; `None` for no limit.
    pub limit_bytes: Option<u64>,
}

/// Work that waits in a queue: everything that no worker has acknowledged, what is being worked on
/// and what waits for another try included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueBacklog {
    /// Number of messages.
    pub messages: u64,
    /// Time at which the oldest of them was enqueued, in Unix milliseconds by the store's time.
    pub oldest_at_ms: Option<i64>,
}

/// Time that a store tells, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTime {
    /// Time of the store's own clock, at some moment between request and response.
    Now(i64),
    /// Time of an entry: the store has no clock of its own, and that much has passed. 0 without an
    /// entry.
    AtLeast(i64),
}

#[cfg(feature = "runners")]
impl From<StoreTime> for ReferenceTime {
    fn from(time: StoreTime) -> ReferenceTime {
        match time {
            StoreTime::Now(now_ms) => ReferenceTime::Now(now_ms),
            StoreTime::AtLeast(at_ms) => ReferenceTime::AtLeast(at_ms),
        }
    }
}

/// Message store. Every method may be called from many tasks at once.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Returns the number of partitions of the store's ledger, which never changes while a process
    /// uses it.
    fn partitions(&self) -> Partitions;

    /// Returns the partition of a site, by its subject.
    fn partition_of(&self, site: &Subject) -> Partition {
        self.partitions().of(site.as_str())
    }

    /// Appends one entry to a subject if the precondition holds. After `Ok` the entry is durable
    /// and every follower receives it.
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError>;

    /// Returns the newest entry of a subject.
    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable>;

    /// As [`Ledger::last`], but as one server knows it, which may miss what others have stored in
    /// the last seconds. For a caller whose next append is conditional on the result.
    async fn last_unconfirmed(
        &self,
        log: &Log,
        subject: &Subject,
    ) -> Result<Option<StoredEntry>, Unavailable> {
        self.last(log, subject).await
    }

    /// Returns the position of the newest entry of the log, [`Position::START`] if it is empty.
    async fn head(&self, log: &Log) -> Result<Position, Unavailable>;

    /// Streams all entries after the position `after`, oldest first, and then new ones as they are
    /// appended. The stream never ends by itself. It pauses while the store is unavailable and then
    /// resumes at the same place.
    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable>;

    /// As [`Ledger::follow`], but streams the entries of one subject only. The cost grows with that
    /// subject, not with the log.
    async fn follow_subject(
        &self,
        log: &Log,
        subject: &Subject,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let subject = subject.clone();
        let entries = self.follow(log, after).await?;
        let is_of_subject = move |item: &LogItem| match item {
            LogItem::Entry(stored) => stored.subject == subject,
            LogItem::Restarted => true,
        };
        Ok(entries.filter(move |item| std::future::ready(is_of_subject(item))).boxed())
    }

    /// Returns the entry at a position; `None` if the log has none there, or has it no longer.
    async fn get(&self, log: &Log, position: Position) -> Result<Option<StoredEntry>, Unavailable> {
        if position == Position::START || position > self.head(log).await? {
            return Ok(None);
        }
        let before = Position(position.0 - 1);
        let first = self.follow(log, before).await?.next().await;
        Ok(match first {
            Some(LogItem::Entry(stored)) if stored.position == position => Some(stored),
            _ => None,
        })
    }

    /// Removes an entry for good, with its content, before its log would. Positions of others stay.
    /// `Ok` also if it is there no longer. The newest entry of a subject is not to be erased: an
    /// append is conditional on it.
    async fn erase(&self, _log: &Log, _position: Position) -> Result<(), Unavailable> {
        Err(Unavailable("this store erases nothing".to_owned()))
    }

    /// Joins a shared consumer of a log. A new consumer begins at the oldest entry. At most
    /// `in_flight` deliveries of the returned stream are open at once.
    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable>;

    /// Puts a message on a work queue, to be delivered after `delay` at the earliest. `key`
    /// deduplicates: a second message with the same key within two minutes is dropped.
    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable>;

    /// Joins the workers of a queue. At most `in_flight` deliveries of the returned stream are open
    /// at once. [`Delivery::dead_letter`] moves a message to the dead letters.
    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable>;

    /// Returns the time by which the store dates its entries, to compare this machine's clock with.
    async fn time(&self) -> Result<StoreTime, Unavailable> {
        Ok(StoreTime::AtLeast(0))
    }

    /// Checks that the store answers and has everything it needs. Changes nothing. The readiness
    /// probe calls this.
    async fn check(&self) -> Result<(), Unavailable>;

    /// Waits until the deliveries that were given back before the call have reached the store, so
    /// that other workers get them at once when this process ends.
    async fn close(&self) {}

    /// Returns the size of each part of the store, with its limit. Changes nothing.
    async fn usage(&self) -> Result<Vec<StoreUsage>, Unavailable> {
        Ok(Vec::new())
    }

    /// Returns the backlog of a work queue. Changes nothing.
    async fn backlog(&self, _queue: &WorkQueue) -> Result<QueueBacklog, Unavailable> {
        Ok(QueueBacklog::default())
    }

    /// Waits until a part of the store is missing that had been there, and returns its name. The
    /// process should stop: it must not go on with an empty ledger.
    async fn until_lost(&self) -> String {
        std::future::pending().await
    }

    /// Waits until this process is to leave the store, so that its ledger can be divided. It should
    /// stop, and start again. Until its connection ends it counts as one that may append.
    async fn until_sent_away(&self) {
        std::future::pending().await
    }
}
