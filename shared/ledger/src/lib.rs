//! The ledger port: ordered logs with conditional append, shared consumers, and work queues.
//!
//! One trait, [`Ledger`], says what the system needs of its message store. Two crates provide it:
//! `paihao-ledger-sqlite` in one file, `paihao-ledger-nats` on JetStream. Both pass the suite in
//! `conformance`, which is the precise meaning of every sentence below.

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

/// What an append expects to be the newest entry of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedPosition {
    /// Append whatever is there.
    Any,
    /// The subject holds no entry (it never had one, or all have aged out).
    Empty,
    /// The newest entry of the subject stands at this position.
    At(Position),
}

/// Why an append did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The expectation was wrong; nothing was written.
    #[error("expected {expected:?}, found {found:?}")]
    Conflict {
        /// What the caller expected.
        expected: ExpectedPosition,
        /// The position of the subject's newest entry, `None` if it holds none.
        found: Option<Position>,
    },
    /// The entry is larger than the store takes; nothing was written.
    #[error("an entry of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Bytes of payload and headers.
        size: usize,
        /// Bytes the store takes.
        limit: usize,
    },
    /// The store did not answer in time. **The entry may or may not have been written**: read the
    /// subject before trying again, or make the entry one that may stand twice.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The store cannot be reached, or did not answer. Trying again later may help.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the ledger is unavailable: {0}")]
pub struct Unavailable(pub String);

/// What a follower is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogItem {
    /// The next entry, in order of position, without gap or repeat.
    Entry(StoredEntry),
    /// The log was lost and made anew: what was followed so far no longer counts, and the entries
    /// that come next are those of the new log, from its beginning.
    Restarted,
}

/// Whether an enqueued message was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// It was put on the queue.
    New,
    /// A message with this key was enqueued within the last two minutes; this one was dropped.
    Duplicate,
}

/// A message store. Cheap to share; every method may be called from many tasks at once.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Appends one entry to a subject if the expectation holds. Once this returns `Ok` the entry
    /// is durable and every follower will be told of it.
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError>;

    /// The newest entry of a subject.
    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable>;

    /// The position of the newest entry of the whole log, [`Position::START`] if it is empty.
    async fn head(&self, log: &Log) -> Result<Position, Unavailable>;

    /// All entries after `after`, oldest first, and then new ones as they are appended. The stream
    /// never ends by itself: while the store is away it is silent, and then goes on where it was.
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

    /// Puts a message on a work queue, to be handed out after `delay` at the earliest. `key` names
    /// the piece of work: the same key within two minutes is the same work.
    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable>;

    /// Joins the workers of a queue. At most `in_flight` deliveries of these `Deliveries` are open
    /// at once. A delivery put aside as [`Delivery::dead_letter`] goes to the dead letters.
    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable>;

    /// Whether the store answers and everything it needs is there; asked by readiness.
    async fn check(&self) -> Result<(), Unavailable>;
}
