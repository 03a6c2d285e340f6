//! The ledger port: ordered logs with conditional append, shared consumers, and work queues.
//!
//! The trait [`Ledger`] states the requirements of the system on its message store. Two crates
//! implement it: `paihao-ledger-sqlite` in one file, `paihao-ledger-nats` on JetStream. Both pass
//! the suite in `conformance`, which defines the precise meaning of the documentation below.

mod entry;

mod delivery;

pub mod dead_letter;

#[cfg(feature = "runners")]
pub mod projection;
#[cfg(feature = "runners")]
pub mod worker;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use delivery::{Acknowledge, Deliveries, Delivery, Disposition};
pub use entry::{Entry, InvalidSubject, Position, StoredEntry, Subject};

#[cfg(feature = "runners")]
pub use projection::{Follower, Projection};
#[cfg(feature = "runners")]
pub use worker::{Handler, Worker};

use async_trait::async_trait;
use futures::stream::BoxStream;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::time::Duration;

/// Expectation of an append about the newest entry of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedPosition {
    /// No expectation.
    Any,
    /// The subject holds no entry (it never had one, or all have expired).
    Empty,
    /// The newest entry of the subject has this position.
    At(Position),
}

/// Errors of an append.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The expectation was wrong; nothing was written.
    #[error("expected {expected:?}, found {found:?}")]
    Conflict {
        /// Expectation of the caller.
        expected: ExpectedPosition,
        /// Position of the subject's newest entry, `None` if it holds none.
        found: Option<Position>,
    },
    /// The entry is larger than the store accepts; nothing was written.
    #[error("an entry of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Bytes of payload and headers.
        size: usize,
        /// Limit of the store in bytes.
        limit: usize,
    },
    /// The store did not answer in time. **The entry may or may not have been written**: read the
    /// subject before a retry, or make the entry one that may be stored twice.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Error for a store that cannot be reached or did not answer. A later retry may succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the ledger is unavailable: {0}")]
pub struct Unavailable(pub String);

/// An item of a follower's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogItem {
    /// The next entry, in order of position, without gap or repeat.
    Entry(StoredEntry),
    /// The log was lost and recreated: all former entries are void, and the next entries are those
    /// of the new log, from its beginning.
    Restarted,
}

/// Result of an enqueue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// It was added to the queue.
    New,
    /// A message with this key was enqueued within the last two minutes; this one was dropped.
    Duplicate,
}

/// A message store. Cheap to share; every method may be called from many tasks at once.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Appends one entry to a subject if the expectation holds. After `Ok` the entry is durable and
    /// every follower will receive it.
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError>;

    /// Returns the newest entry of a subject.
    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable>;

    /// Returns the position of the newest entry of the whole log, [`Position::START`] if it is
    /// empty.
    async fn head(&self, log: &Log) -> Result<Position, Unavailable>;

    /// Streams all entries after `after`, oldest first, and then new ones as they are appended. The
    /// stream never ends by itself: while the store is unavailable it is silent, and then
    /// continues.
    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable>;

    /// Joins a shared consumer of a log. A new consumer begins at the oldest entry. At most
    /// `in_flight` deliveries of these `Deliveries` are open at once.
    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable>;

    /// Enqueues a message, to be delivered after `delay` at the earliest. `key` identifies the
    /// work: the same key within two minutes is the same work.
    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable>;

    /// Joins the workers of a queue. At most `in_flight` deliveries of these `Deliveries` are open
    /// at once. A delivery given up with [`Delivery::dead_letter`] moves to the dead letters.
    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable>;

    /// Checks that the store answers and has everything it needs, for readiness.
    async fn check(&self) -> Result<(), Unavailable>;
}
