//! Backups: the whole content of a store in one portable file, made while the store is in use, and
//! restored into an empty store of either kind.
//!
//! - [`mod@format`]: the records of a backup, with a checksum at its end;
//! - [`mod@make`]: the order in which a store is read, so that what is read later knows no less;
//! - [`mod@restore`]: the order in which one is written, and what a restore leaves out.
//!
//! Positions in the ledger are kept: snapshots, visits, feeds and webhooks name them. Entries of
//! the other logs are numbered anew, in the same order.

pub mod format;
pub mod make;
pub mod restore;

pub use format::{BackupReader, BackupWriter, FormatError, Head, Record};
pub use make::{BackupError, BackupSource, make_backup};
pub use restore::{RestoreError, RestoreOptions, RestoreTarget, restore};

use crate::{Entry, Position};
use paihao_contracts::streams::{WORK_QUEUES, WorkQueue};
use std::collections::BTreeMap;

/// Progress of a shared consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerProgress {
    /// Position up to which entries have been handed out.
    pub after: Position,
    /// Entries up to there that are not done.
    pub open: Vec<Position>,
}

/// Message of a work queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Place on the queue; a later message has a larger one.
    pub place: u64,
    /// Key of the message.
    pub key: String,
    /// Time at which it was enqueued, in Unix milliseconds.
    pub at_ms: i64,
    /// Time before which it is not delivered, in Unix milliseconds.
    pub due_ms: i64,
    /// Number of deliveries so far, as far as the store tells.
    pub attempt: u64,
    /// The payload and the headers.
    pub entry: Entry,
}

/// Numbers of what was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries of each log, and messages of each queue.
    pub counts: BTreeMap<&'static str, u64>,
    /// Notices that were waiting and are not sent.
    pub stale_notices: u64,
    /// Decisions of which no notices were planned, and are not.
    pub unplanned: u64,
    /// Entries that were left out: browser sessions.
    pub left_out: u64,
}

impl Summary {
    fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }
}

/// Returns the queue of this name.
pub(crate) fn queue_by_name(name: &str) -> Option<WorkQueue> {
    WORK_QUEUES.into_iter().find(|queue| queue.name == name)
}
