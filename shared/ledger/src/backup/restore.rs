//! Restoring of a backup into an empty store.
//!
//! A backup is of some moment, and the world has gone on since: messages that were waiting then may
//! have been sent. So a restore sends none of them, unless the operator says that the store has not
//! been used since. Browser sessions that were ended since must not be good again.
//!
//! The backup of a ledger in one partition can be restored into a store with any number. Entries
//! of a site go to its partition at their positions, so that whatever names one stays true. The
//! other way two sites could have one position.

use super::format::{BackupReader, FormatError, Record};
use super::{ConsumerProgress, QueuedMessage, Summary, queue_by_name};
use crate::{Entry, Position, StoredEntry, Subject, Unavailable};
use async_trait::async_trait;
use bytes::Bytes;
use paihao_contracts::dead_letter::HANDLED_SUBJECT;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{
    Consumer, DEAD_LETTERS, LEDGER, Log, NOTICES, PLANNER, REDRIVER, SNAPSHOT_FLOOR, SNAPSHOTS,
    STAFF_SESSIONS, WorkQueue,
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::io::AsyncRead;

/// Options of a restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// The store was stopped when the backup was made, and has not been used since: what was
    /// waiting is sent, and sessions go on.
    pub resume: bool,
}

/// Position of a restored entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The same as in the backup, behind the one before.
    Kept,
    /// The next one of the store.
    Next,
}

/// Empty store into which a backup is restored. No process can use it before
/// [`RestoreTarget::finish`].
#[async_trait]
pub trait RestoreTarget: Send {
    /// Returns the number of partitions that the store's ledger is to have.
    fn partitions(&self) -> Partitions;

    /// Refuses a store that is in use or holds anything, and keeps processes away from it.
    async fn begin(&mut self) -> Result<(), RestoreError>;

    /// Adds an entry, and returns its position. Entries of a log come in order, one log after the
    /// other; those of a ledger that is divided come among each other.
    async fn put_entry(
        &mut self,
        log: &Log,
        stored: StoredEntry,
        placement: Placement,
    ) -> Result<Position, RestoreError>;

    /// Ends a log. Later entries stand behind `last`, and with `leave_gap` so far behind that no
    /// position which was given after the backup is given again.
    async fn end_log(
        &mut self,
        log: &Log,
        last: Position,
        leave_gap: bool,
    ) -> Result<(), RestoreError>;

    /// Adds a message to a queue.
    async fn put_message(
        &mut self,
        queue: &WorkQueue,
        message: QueuedMessage,
    ) -> Result<(), RestoreError>;

    /// Sets the progress of a consumer. All logs are there.
    async fn put_consumer(
        &mut self,
        log: &Log,
        consumer: &Consumer,
        progress: ConsumerProgress,
    ) -> Result<(), RestoreError>;

    /// Makes everything durable and hands the store over to the processes.
    async fn finish(&mut self) -> Result<(), RestoreError>;

    /// Removes what was written.
    async fn abandon(&mut self);
}

/// Failure of a restore. Nothing has been restored then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The store is not empty.
    #[error(
        "{0} is not empty, and a restore overwrites nothing: choose another one, or move it away"
    )]
    NotEmpty(String),
    /// Processes use the store.
    #[error("{0} is in use: stop every process first")]
    InUse(String),
    /// An earlier restore was broken off.
    #[error(
        "an earlier restore into {0} has not come to its end: repeat it with --discard-partial"
    )]
    Partial(String),
    /// The ledger of the backup is in several partitions, and the store's in another number.
    #[error(
        "the backup is of a ledger with {of_backup} partitions, and `ledger.partitions` is {of_store}: set it to {of_backup}; only a ledger with one can be divided (docs/guide/partitions.md)"
    )]
    Partitions {
        /// Number of the backup.
        of_backup: usize,
        /// Number of the store.
        of_store: usize,
    },
    /// The backup was made while the store was in use.
    #[error(
        "the backup was made while the store was in use, so it cannot be resumed: restore it without --resume"
    )]
    NotStopped,
    /// The store did not do as it should.
    #[error("the store cannot be written: {0}")]
    Store(String),
}

impl From<Unavailable> for RestoreError {
    fn from(error: Unavailable) -> RestoreError {
        RestoreError::Store(error.to_string())
    }
}

/// Restores a backup. On a failure nothing is left of it in the store.
pub async fn restore<R: AsyncRead + Unpin + Send>(
    input: R,
    target: &mut dyn RestoreTarget,
    options: RestoreOptions,
) -> Result<Summary, RestoreError> {
    let (reader, head) = BackupReader::begin(input).await?;
    if options.resume && !head.stopped {
        return Err(RestoreError::NotStopped);
    }
    let of_store = target.partitions();
    let source = match Partitions::new(head.partitions) {
        Some(source) if source == of_store || source == Partitions::ONE => source,
        _ => {
            let (of_backup, of_store) = (head.partitions, of_store.count());
            return Err(RestoreError::Partitions { of_backup, of_store });
        }
    };
    target.begin().await?;
    let restored = Restore {
        source,
        divided: (source != of_store).then_some(of_store),
        target,
        options,
        summary: Summary::default(),
        consumers: Vec::new(),
        letters: BTreeMap::new(),
        last_kept: BTreeMap::new(),
    };
    restored.run(reader).await
}

struct Restore<'a> {
    /// Partitions of the backup.
    source: Partitions,
    /// Partitions of the store, if it has another number.
    divided: Option<Partitions>,
    target: &'a mut dyn RestoreTarget,
    options: RestoreOptions,
    summary: Summary,
    consumers: Vec<MovedConsumer>,
    /// New positions of dead letters, which the records of their handling name.
    letters: BTreeMap<u64, Position>,
    /// Positions of the newest entries that keep them, by the names of their logs.
    last_kept: BTreeMap<&'static str, Position>,
}

/// Consumer whose progress is translated to the new positions as its log passes by.
struct MovedConsumer {
    log: Log,
    consumer: Consumer,
    after: u64,
    open: BTreeSet<u64>,
    /// True if it skips what it has not done.
    skips: bool,
    moved: ConsumerProgress,
}

impl Restore<'_> {
    async fn run<R: AsyncRead + Unpin>(
        mut self,
        mut reader: BackupReader<R>,
    ) -> Result<Summary, RestoreError> {
        let written = async {
            while let Some((record, payload)) = reader.next().await? {
                self.put(record, payload).await?;
            }
            if self.options.resume && !reader.was_stopped() {
                return Err(RestoreError::NotStopped);
            }
            for moved in std::mem::take(&mut self.consumers) {
                self.target.put_consumer(&moved.log, &moved.consumer, moved.moved).await?;
            }
            self.target.finish().await
        };
        match written.await {
            Ok(()) => Ok(self.summary),
            Err(error) => {
                self.target.abandon().await;
                Err(error)
            }
        }
    }

    async fn put(&mut self, record: Record, payload: Bytes) -> Result<(), RestoreError> {
        match record {
            Record::Consumer { log, name, after, open } => {
                self.add_consumer(&log, &name, after, open)
            }
            Record::Message { queue, key, at, due, attempt, headers } => {
                let queue = queue_by_name(&queue).ok_or(FormatError::UnknownPart(queue))?;
                let entry = Entry { payload, headers };
                let message =
                    QueuedMessage { place: 0, key, at_ms: at, due_ms: due, attempt, entry };
                self.put_message(&queue, message).await
            }
            Record::Entry { log, subject, position, at, headers } => {
                let log = self.log_by_name(&log).ok_or(FormatError::UnknownPart(log))?;
                let subject = Subject::parse(&subject)
                    .map_err(|_| FormatError::Altered("a subject is none"))?;
                let entry = Entry { payload, headers };
                let position = Position(position);
                self.put_entry(&log, StoredEntry { position, subject, at_ms: at, entry }).await
            }
            Record::LogEnd { log, last } => {
                let log = self.log_by_name(&log).ok_or(FormatError::UnknownPart(log))?;
                let leave_gap = log.family() == LEDGER.name && !self.options.resume;
                for log in self.destinations(&log) {
                    self.target.end_log(&log, Position(last), leave_gap).await?;
                }
                Ok(())
            }
            Record::Head(_) | Record::End { .. } => {
                Err(FormatError::Altered("a second head").into())
            }
        }
    }

    fn add_consumer(
        &mut self,
        log: &str,
        name: &str,
        after: u64,
        open: Vec<u64>,
    ) -> Result<(), RestoreError> {
        let mut consumers = self.source.consumers();
        let known = consumers.find(|(of, consumer)| of.name == log && consumer.name == name);
        let (log, consumer) =
            known.ok_or_else(|| FormatError::UnknownPart(format!("{log}/{name}")))?;
        let open: BTreeSet<_> = open.into_iter().collect();
        let skips = !self.options.resume && [PLANNER, REDRIVER].contains(&consumer);
        for log in self.destinations(&log) {
            let (open, moved) = (open.clone(), ConsumerProgress::default());
            self.consumers.push(MovedConsumer { log, consumer, after, open, skips, moved });
        }
        Ok(())
    }

    /// Returns the log of this name in the backup.
    fn log_by_name(&self, name: &str) -> Option<Log> {
        self.source.logs().find(|log| log.name == name)
    }

    /// Returns the logs of the store into which a log of the backup goes.
    fn destinations(&self, log: &Log) -> Vec<Log> {
        match (self.divided, log.family()) {
            (Some(store), family) if family == LEDGER.name => {
                store.all().map(|partition| partition.ledger).collect()
            }
            (Some(store), family) if family == SNAPSHOTS.name => {
                store.all().map(|partition| partition.snapshots).collect()
            }
            _ => vec![*log],
        }
    }

    /// Returns the log of the store into which an entry goes; `None` if it is of no use there.
    fn destination(&self, log: &Log, subject: &Subject) -> Option<Log> {
        let Some(store) = self.divided else { return Some(*log) };
        let partition = store.of(subject.as_str());
        match log.family() {
            family if family == LEDGER.name => Some(partition.ledger),
            // Without its floor a partition is read from its beginning.
            family if family == SNAPSHOTS.name => {
                (subject.as_str() != SNAPSHOT_FLOOR).then_some(partition.snapshots)
            }
            _ => Some(*log),
        }
    }

    async fn put_message(
        &mut self,
        queue: &WorkQueue,
        mut message: QueuedMessage,
    ) -> Result<(), RestoreError> {
        if *queue == NOTICES && !self.options.resume {
            self.summary.stale_notices += 1;
            // The notifier ends it as stale, and records that.
            let Some(payload) = without_validity(&message.entry.payload) else { return Ok(()) };
            message.entry.payload = payload;
        }
        self.summary.count(queue.name);
        self.target.put_message(queue, message).await
    }

    async fn put_entry(&mut self, log: &Log, mut stored: StoredEntry) -> Result<(), RestoreError> {
        if *log == STAFF_SESSIONS && !self.options.resume {
            self.summary.left_out += 1;
            return Ok(());
        }
        if *log == DEAD_LETTERS {
            match self.translate_handling(&stored.subject) {
                HandlingSubject::Unchanged => {}
                HandlingSubject::To(subject) => stored.subject = subject,
                // The letter has left already.
                HandlingSubject::Gone => return Ok(()),
            }
        }
        let keeps = log.family() == LEDGER.name;
        let placement = if keeps { Placement::Kept } else { Placement::Next };
        let before = stored.position;
        if keeps && self.last_kept.insert(log.name, before).is_some_and(|last| before <= last) {
            return Err(FormatError::Altered("a position is given twice").into());
        }
        let Some(log) = self.destination(log, &stored.subject) else { return Ok(()) };
        let position = self.target.put_entry(&log, stored, placement).await?;
        self.summary.count(log.name);
        if log == DEAD_LETTERS {
            self.letters.insert(before.0, position);
        }
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.log == log) {
            self.summary.unplanned += u64::from(consumer.pass(before.0, position));
        }
        Ok(())
    }

    /// Subject of the record of a letter's handling, which names the letter's position.
    fn translate_handling(&self, subject: &Subject) -> HandlingSubject {
        let mut parts = subject.parts();
        let (Some(HANDLED_SUBJECT), Some(letter)) = (parts.next(), parts.next()) else {
            return HandlingSubject::Unchanged;
        };
        let moved = letter.parse().ok().and_then(|letter: u64| self.letters.get(&letter));
        match moved.map(|moved| Subject::new(&[HANDLED_SUBJECT, &moved.0.to_string()])) {
            Some(Ok(subject)) => HandlingSubject::To(subject),
            _ => HandlingSubject::Gone,
        }
    }
}

enum HandlingSubject {
    Unchanged,
    To(Subject),
    Gone,
}

impl MovedConsumer {
    /// Notes an entry that was restored. Returns whether the planner skips it.
    fn pass(&mut self, before: u64, now: Position) -> bool {
        let is_done = before <= self.after && !self.open.contains(&before);
        if before <= self.after || self.skips {
            self.moved.after = now;
        }
        if before <= self.after && !is_done && !self.skips {
            self.moved.open.push(now);
        }
        self.skips && !is_done && self.consumer == PLANNER
    }
}

/// The notice with a validity that has ended; `None` if it is no notice of a known form.
fn without_validity(payload: &[u8]) -> Option<Bytes> {
    let mut notice: serde_json::Value = serde_json::from_slice(payload).ok()?;
    *notice.get_mut("valid_until")? = 0.into();
    Some(serde_json::to_vec(&notice).ok()?.into())
}
