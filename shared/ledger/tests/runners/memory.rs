//! In-memory ledger with one log and one work queue, and with injectable outages and losses.

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_ledger::{
    Acknowledge, AppendError, Deliveries, Delivery, Disposition, EnqueueOutcome, Entry,
    ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject, Unavailable,
};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

pub const LOG: Log = Log::permanent("memory");
pub const QUEUE: WorkQueue = WorkQueue { name: "memory", ack_wait: Duration::from_secs(30) };

/// Header with the ordinal of a message's delivery, 1 without it.
pub const ATTEMPT_HEADER: &str = "Attempt";

/// In-memory ledger. Clones share its state.
#[derive(Clone, Default)]
pub struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Wakes tasks that wait for a message, an entry or the end of a stream.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    entries: Vec<StoredEntry>,
    newest: u64,
    appended: i64,
    /// Ordinal of the log: it increases when the log is lost and created anew.
    incarnation: u64,
    /// Streams up to the ordinal `ended` have ended.
    begun: u64,
    ended: u64,
    /// Streams yield no entry after this position.
    held_at: Option<u64>,
    failures_left: usize,
    request_times: Vec<Instant>,
    messages: VecDeque<Entry>,
    settled: Vec<(String, Disposition)>,
    /// All acknowledgements are lost.
    silent: bool,
    /// Delivery streams end immediately.
    ends_at_once: bool,
}

impl Memory {
    /// Appends and returns the position.
    pub fn put(&self, payload: &str) -> Position {
        self.change(|state| {
            state.newest += 1;
            state.appended += 1;
            let subject = Subject::new(&["hall"]).unwrap();
            let position = Position(state.newest);
            let at_ms = state.appended;
            let entry = Entry::new(payload.to_owned());
            state.entries.push(StoredEntry { position, subject, at_ms, entry });
            position
        })
    }

    /// Removes the oldest entries, as if they had aged out.
    pub fn age_out(&self, count: usize) {
        self.change(|state| drop(state.entries.drain(..count)));
    }

    /// Replaces the log by a new, empty one.
    pub fn remake(&self) {
        self.change(|state| {
            state.entries.clear();
            (state.newest, state.incarnation) = (0, state.incarnation + 1);
        });
    }

    /// Ends all streams and fails the next `failures` calls.
    pub fn go_away(&self, failures: usize) {
        self.change(|state| (state.ended, state.failures_left) = (state.begun, failures));
    }

    /// Stops streams after this position, until it is `None`.
    pub fn hold_at(&self, position: Option<Position>) {
        self.change(|state| state.held_at = position.map(|position| position.0));
    }

    /// Returns the times of all requests for streams and deliveries.
    pub fn request_times(&self) -> Vec<Instant> {
        self.0.state.lock().request_times.clone()
    }

    /// Puts messages on the queue.
    pub fn queue<const N: usize>(&self, payloads: [&str; N]) {
        self.change(|state| {
            state.messages.extend(payloads.map(|payload| Entry::new(payload.to_owned())));
        });
    }

    /// Puts a message with a header on the queue.
    pub fn queue_with(&self, entry: Entry) {
        self.change(|state| state.messages.push_back(entry));
    }

    /// Returns the count of messages that no worker holds.
    pub fn waiting(&self) -> usize {
        self.0.state.lock().messages.len()
    }

    /// Returns the reported dispositions in order.
    pub fn settled(&self) -> Vec<(String, Disposition)> {
        self.0.state.lock().settled.clone()
    }

    /// Loses all acknowledgements from now on.
    pub fn lose_acknowledgements(&self) {
        self.change(|state| state.silent = true);
    }

    /// Ends delivery streams immediately from now on.
    pub fn end_at_once(&self) {
        self.change(|state| state.ends_at_once = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.0.state.lock());
        self.0.changed.send_replace(());
        changed
    }

    fn begin(&self) -> Result<u64, Unavailable> {
        let mut state = self.0.state.lock();
        state.request_times.push(Instant::now());
        if state.failures_left > 0 {
            state.failures_left -= 1;
            return Err(Unavailable("away".to_owned()));
        }
        state.begun += 1;
        Ok(state.begun)
    }

    fn deliveries(&self, limit: usize) -> Result<Deliveries, Unavailable> {
        self.begin()?;
        let ahead = Ahead { memory: self.clone(), limit, taken: VecDeque::new() };
        Ok(Deliveries::new(
            stream::unfold(ahead, |mut ahead| async { Some((ahead.next().await?, ahead)) }).boxed(),
        ))
    }
}

/// Stream of the log.
struct Stream {
    memory: Memory,
    session: u64,
    incarnation: u64,
    after: u64,
    restarted: bool,
}

impl Stream {
    async fn next(&mut self) -> Option<LogItem> {
        let mut changed = self.memory.0.changed.subscribe();
        loop {
            if let Some(next) = self.poll_next() {
                return next;
            }
            changed.changed().await.ok()?;
        }
    }

    /// Returns the next item or the end (`Some(None)`). `None` if nothing is ready.
    fn poll_next(&mut self) -> Option<Option<LogItem>> {
        let state = self.memory.0.state.lock();
        if state.ended >= self.session {
            return Some(None);
        }
        if self.incarnation != state.incarnation || std::mem::take(&mut self.restarted) {
            (self.incarnation, self.after) = (state.incarnation, 0);
            return Some(Some(LogItem::Restarted));
        }
        let next = state.entries.iter().find(|entry| entry.position.0 > self.after)?;
        if state.held_at.is_some_and(|held_at| next.position.0 > held_at) {
            return None;
        }
        self.after = next.position.0;
        Some(Some(LogItem::Entry(next.clone())))
    }
}

/// Worker that prefetches as many messages as its limit allows.
struct Ahead {
    memory: Memory,
    limit: usize,
    taken: VecDeque<Entry>,
}

impl Ahead {
    async fn next(&mut self) -> Option<Delivery> {
        let mut changed = self.memory.0.changed.subscribe();
        loop {
            if !self.fetch() {
                return None;
            }
            if let Some(entry) = self.taken.pop_front() {
                return Some(self.delivery(entry));
            }
            changed.changed().await.ok()?;
        }
    }

    /// Prefetches up to the limit. Returns `false` at the end of the stream.
    fn fetch(&mut self) -> bool {
        let mut state = self.memory.0.state.lock();
        let room = (self.limit - self.taken.len()).min(state.messages.len());
        self.taken.extend(state.messages.drain(..room));
        !state.ends_at_once
    }

    fn delivery(&self, entry: Entry) -> Delivery {
        let subject = Subject::new(&[QUEUE.name]).unwrap();
        let handle = Handle { memory: self.memory.clone(), entry: entry.clone() };
        let attempt = entry.header(ATTEMPT_HEADER).map_or(1, |attempt| attempt.parse().unwrap());
        let recorded = StoredEntry { position: Position(1), subject, at_ms: 1, entry };
        Delivery::new(recorded, attempt, Box::new(handle))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.memory.change(|state| state.messages.extend(taken));
    }
}

struct Handle {
    memory: Memory,
    entry: Entry,
}

#[async_trait]
impl Acknowledge for Handle {
    async fn settle(&self, disposition: Disposition) -> Result<(), Unavailable> {
        let payload = String::from_utf8(self.entry.payload.to_vec()).unwrap();
        self.memory.change(|state| {
            if state.silent {
                Err(Unavailable("silent".to_owned()))
            } else {
                state.settled.push((payload, disposition));
                Ok(())
            }
        })
    }

    async fn extend(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn abandon(&self) {
        self.memory.change(|state| state.messages.push_back(self.entry.clone()));
    }
}

#[async_trait]
impl Ledger for Memory {
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn append(
        &self,
        _: &Log,
        _: &Subject,
        _: ExpectedPosition,
        _: Entry,
    ) -> Result<Position, AppendError> {
        unreachable!("tests append by themselves")
    }

    async fn last(&self, _: &Log, _: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        unreachable!("nobody looks")
    }

    async fn head(&self, _: &Log) -> Result<Position, Unavailable> {
        let state = self.0.state.lock();
        Ok(state.entries.last().map_or(Position::START, |entry| entry.position))
    }

    async fn follow(
        &self,
        _: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let session = self.begin()?;
        let state = self.0.state.lock();
        let incarnation = state.incarnation;
        let restarted = after.0 > state.newest;
        let stream =
            Stream { memory: self.clone(), session, incarnation, after: after.0, restarted };
        Ok(stream::unfold(stream, |mut stream| async { Some((stream.next().await?, stream)) })
            .boxed())
    }

    async fn consume(
        &self,
        _: &Log,
        _: &Consumer,
        limit: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.deliveries(limit)
    }

    async fn enqueue(
        &self,
        _: &WorkQueue,
        _: &str,
        _: Entry,
        _: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        unreachable!("tests enqueue by themselves")
    }

    async fn consume_queue(&self, _: &WorkQueue, limit: usize) -> Result<Deliveries, Unavailable> {
        self.deliveries(limit)
    }

    async fn check(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
