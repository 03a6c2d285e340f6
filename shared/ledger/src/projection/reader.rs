//! Single writer of a projection: the loop that reads a log and applies its entries.

use super::{Decoder, Follow, Follower, Progress, Projection, Restore};
use crate::newer::NewerForms;
use crate::{Ledger, LogItem, Position, StoredEntry, TRUNCATION_GRACE, Unavailable};
use futures::FutureExt;
use futures::stream::{self, BoxStream, Peekable, StreamExt};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::{CancellationToken, blocking};
use paihao_contracts::envelope::{NewerForm, ReadError};
use paihao_contracts::streams::Log;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Shortest delay before a log is followed again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Longest delay before a log is followed again.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Entries that are applied or decoded together during catch-up before the task yields.
const CHUNK_ENTRIES: usize = 256;
/// Chunks decoded ahead while another one is applied.
const CHUNKS_AHEAD: usize = 2;
/// Chunks read ahead of these.
const CHUNKS_READ_AHEAD: usize = 2;

/// Returns the reader's handle of a projection, and the task that follows its log.
pub(super) fn prepare<P: Projection, D: Send + 'static>(
    follow: Follow,
    projection: P,
    ahead: Option<Ahead<P, D>>,
) -> (Follower<P::View>, impl Future<Output = ()> + Send + 'static) {
    let Follow { ledger, log, after, restore, stop } = follow;
    let applied = (after > Position::START).then_some(Applied { position: after, at_ms: None });
    let progress =
        Progress { view: projection.view(), position: after, caught_up: false, newer: None };
    let (publisher, receiver) = watch::channel(progress);
    let reader = Reader {
        ledger,
        projection,
        ahead,
        restore,
        applied,
        newer: None,
        newer_forms: NewerForms::new(log.name),
        log,
        doubted_since: None,
        publisher,
    };
    (Follower(receiver), reader.run(stop))
}

/// Functions that decode and apply entries during catch-up.
pub(super) struct Ahead<P, D> {
    pub(super) decode: Decoder<D>,
    pub(super) apply: fn(&mut P, D) -> Result<(), ReadError>,
}

/// Identity of the newest applied entry.
#[derive(Clone, Copy)]
struct Applied {
    position: Position,
    /// Time of the append, which distinguishes it from an entry at the same position of a later
    /// log.
    at_ms: Option<i64>,
}

impl Applied {
    fn from_entry(recorded: &StoredEntry) -> Applied {
        Applied { position: recorded.position, at_ms: Some(recorded.at_ms) }
    }

    fn matches(self, recorded: &StoredEntry) -> bool {
        self.position == recorded.position && self.at_ms.is_none_or(|at_ms| at_ms == recorded.at_ms)
    }
}

/// Reason why reading ended.
enum End {
    /// The stream ended.
    StreamEnded,
    /// The log no longer has the newest applied entry.
    Gap,
}

type Entries = Peekable<BoxStream<'static, LogItem>>;

/// Single writer of a projection.
struct Reader<P: Projection, D> {
    ledger: Arc<dyn Ledger>,
    log: Log,
    projection: P,
    ahead: Option<Ahead<P, D>>,
    restore: Option<Box<dyn Restore>>,
    applied: Option<Applied>,
    /// The newest form that was left out.
    newer: Option<NewerForm>,
    newer_forms: NewerForms,
    /// Time since which the store says that the log is another one than the restored one.
    doubted_since: Option<Instant>,
    publisher: watch::Sender<Progress<P::View>>,
}

impl<P: Projection, D: Send + 'static> Reader<P, D> {
    async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(MIN_RETRY_DELAY, MAX_RETRY_DELAY);
        let log = self.log.name;
        // Reading awaits between two entries only, so the stop interrupts none of them.
        while let Some(end) = stop.run_until_cancelled(self.read(&mut backoff)).await {
            match end {
                Ok(End::Gap) if self.restore.is_some() => {
                    tracing::warn!(log, "entries may have aged out unseen, restoring the state");
                    self.applied = None;
                    continue;
                }
                Ok(End::Gap) => {
                    tracing::warn!(log, "entries may have aged out unseen, reading the log again");
                    self.reset();
                    continue;
                }
                Ok(End::StreamEnded) => {
                    tracing::warn!(log, "a log stream ended, following it again")
                }
                Err(error) => tracing::warn!(log, %error, "cannot follow a log, retrying"),
            }
            if !backoff.wait_unless(&stop).await {
                return;
            }
        }
    }

    async fn read(&mut self, backoff: &mut Backoff) -> Result<End, Unavailable> {
        let restored = self.restore_state().await?;
        let goal = self.ledger.head(&self.log).await?;
        if goal < self.position() && !restored {
            // An empty log may have aged out; a shorter one is another one.
            if self.restore.is_some() && goal > Position::START {
                self.restart();
                return Ok(End::StreamEnded);
            }
            return Ok(End::Gap);
        }
        // The stream begins with the newest applied entry. If the log still has it, no later entry
        // has aged out. A restored state does not need it.
        let mut expected = self.applied.filter(|_| !restored);
        let after = expected.map_or(self.position(), |applied| before(applied.position));
        let mut entries = self.ledger.follow(&self.log, after).await?.peekable();
        let is_another = restored && self.is_restarted(&mut entries)?;
        let mut behind = is_another || self.position() < goal;
        if behind {
            self.publisher
                .send_if_modified(|progress| std::mem::replace(&mut progress.caught_up, false));
        } else {
            self.finish_catch_up();
        }
        loop {
            if behind && expected.is_none() {
                let Some(rest) = self.catch_up(entries, goal).await else {
                    return Ok(End::StreamEnded);
                };
                entries = rest;
                backoff.reset();
                self.finish_catch_up();
                behind = false;
            }
            let Some(next) = entries.next().await else { return Ok(End::StreamEnded) };
            backoff.reset();
            match (next, expected.take()) {
                (LogItem::Restarted, _) => {
                    self.restart();
                    self.finish_catch_up();
                    behind = false;
                }
                (LogItem::Entry(recorded), Some(applied)) if applied.matches(&recorded) => {}
                (LogItem::Entry(_), Some(_)) => return Ok(End::Gap),
                (LogItem::Entry(recorded), None) => {
                    self.apply(recorded);
                    self.publish();
                }
            }
        }
    }

    /// Restores the state, if there is a source of it and nothing was applied. Returns whether.
    async fn restore_state(&mut self) -> Result<bool, Unavailable> {
        let Some(restore) = self.restore.as_mut().filter(|_| self.applied.is_none()) else {
            return Ok(false);
        };
        let position = restore.restore().await?;
        self.applied = (position > Position::START).then_some(Applied { position, at_ms: None });
        Ok(true)
    }

    /// Returns whether the log is another one than that of the restored state. Fails while there is
    /// doubt.
    fn is_restarted(&mut self, entries: &mut Entries) -> Result<bool, Unavailable> {
        // A stream after a position that the log has not reached begins with it at once.
        let first = Pin::new(entries).peek().now_or_never().flatten();
        if !matches!(first, Some(LogItem::Restarted)) {
            self.doubted_since = None;
            return Ok(false);
        }
        let since = *self.doubted_since.get_or_insert_with(Instant::now);
        if since.elapsed() < TRUNCATION_GRACE {
            self.applied = None;
            return Err(Unavailable("the log is shorter than its snapshots say".to_owned()));
        }
        Ok(true)
    }

    /// Applies the entries up to `goal`. Returns the rest of the stream; `None` if it ends before.
    /// Nothing is published meanwhile, so readers never see an incomplete state.
    async fn catch_up(&mut self, mut entries: Entries, goal: Position) -> Option<Entries> {
        let Some(Ahead { decode, apply }) = &self.ahead else {
            return self.catch_up_in_place(&mut entries, goal).await.then_some(entries);
        };
        let (decode, apply) = (decode.clone(), *apply);
        let (sender, receiver) = mpsc::channel(CHUNKS_READ_AHEAD);
        // Reading has a task of its own, for another processor. It ends with this set.
        let mut reading = JoinSet::new();
        reading.spawn(read_chunks(entries, goal, sender));
        let chunks = stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let decoded = chunks.map(|chunk| decode_chunk(chunk, decode.clone()));
        let mut chunks = pin!(decoded.buffered(CHUNKS_AHEAD));
        let mut complete = false;
        while let Some(chunk) = chunks.next().await {
            for next in chunk {
                match next {
                    Some((applied, decoded)) => {
                        let result = apply(&mut self.projection, decoded);
                        self.finish_entry(applied, result);
                        complete = applied.position >= goal;
                    }
                    None => {
                        self.restart();
                        complete = true;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
        let rest = reading.join_next().await?.ok()?;
        complete.then_some(rest)
    }

    async fn catch_up_in_place(&mut self, entries: &mut Entries, goal: Position) -> bool {
        let mut applied = 0;
        while let Some(next) = entries.next().await {
            match next {
                LogItem::Entry(recorded) => self.apply(recorded),
                LogItem::Restarted => {
                    self.restart();
                    return true;
                }
            }
            if self.position() >= goal {
                return true;
            }
            applied += 1;
            if applied % CHUNK_ENTRIES == 0 {
                tokio::task::yield_now().await;
            }
        }
        false
    }

    fn position(&self) -> Position {
        self.applied.map_or(Position::START, |applied| applied.position)
    }

    fn apply(&mut self, recorded: StoredEntry) {
        let applied = Applied::from_entry(&recorded);
        let result = self.projection.apply(recorded);
        self.finish_entry(applied, result);
    }

    fn finish_entry(&mut self, applied: Applied, result: Result<(), ReadError>) {
        self.applied = Some(applied);
        match result {
            Ok(()) => {}
            Err(ReadError::Newer(newer)) => {
                self.newer_forms.record(newer);
                self.newer = Some(newer);
            }
            Err(ReadError::Malformed(error)) => {
                let log = self.log.name;
                let position = applied.position.0;
                tracing::error!(log, position, %error, "cannot decode an entry of a log");
            }
        }
    }

    fn restart(&mut self) {
        tracing::warn!(log = self.log.name, "the log was created anew, clearing its projection");
        self.restore = None;
        self.reset();
    }

    fn reset(&mut self) {
        self.projection.reset();
        self.applied = None;
        self.newer = None;
    }

    fn finish_catch_up(&mut self) {
        self.projection.caught_up();
        self.publish();
    }

    fn publish(&self) {
        let view = self.projection.view();
        let position = self.position();
        self.publisher.send_replace(Progress {
            view,
            position,
            caught_up: true,
            newer: self.newer,
        });
    }
}

/// Returns the position before this one, so that a stream from there begins with this entry.
fn before(position: Position) -> Position {
    Position(position.0.saturating_sub(1))
}

/// Reads the entries up to `goal` in chunks, the last of which ends with the entry at `goal` or
/// with a restart. Returns the rest of the stream.
async fn read_chunks(
    mut entries: Entries,
    goal: Position,
    chunks: mpsc::Sender<Vec<LogItem>>,
) -> Entries {
    let mut is_last = false;
    while !is_last {
        let mut chunk = Vec::with_capacity(CHUNK_ENTRIES);
        while chunk.len() < CHUNK_ENTRIES && !is_last {
            match entries.next().await {
                Some(next) => {
                    let precedes =
                        matches!(&next, LogItem::Entry(recorded) if recorded.position < goal);
                    is_last = !precedes;
                    chunk.push(next);
                }
                None => is_last = true,
            }
        }
        if chunks.send(chunk).await.is_err() {
            break;
        }
    }
    entries
}

/// Decodes a chunk on another thread. `None` marks a restart of the log.
async fn decode_chunk<D: Send + 'static>(
    chunk: Vec<LogItem>,
    decode: Decoder<D>,
) -> Vec<Option<(Applied, D)>> {
    let decode = move |next| match next {
        LogItem::Entry(recorded) => Some((Applied::from_entry(&recorded), decode(recorded))),
        LogItem::Restarted => None,
    };
    blocking::run(move || chunk.into_iter().map(decode).collect()).await
}
