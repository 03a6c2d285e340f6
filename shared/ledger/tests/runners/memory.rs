//! Ledger in memory with one log and one work queue, whose failures a test controls.

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
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

pub const LOG: Log = Log { name: "memory", retention: None };
pub const QUEUE: WorkQueue = WorkQueue { name: "memory", ack_wait: Duration::from_secs(30) };

/// A ledger; clones share it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Notifies waiters for a message, an entry or the end of a stream.
    bell: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    entries: Vec<StoredEntry>,
    newest: u64,
    appended: i64,
    /// Incarnation of the log: it grows when the log is lost.
    life: u64,
    /// Streams started before this count have ended.
    begun: u64,
    ended: u64,
    /// Streams show nothing beyond this position.
    held_at: Option<u64>,
    failures_left: usize,
    asked: Vec<Instant>,
    messages: VecDeque<Entry>,
    settled: Vec<(String, Disposition)>,
    /// True if no acknowledgement arrives.
    silent: bool,
    /// True if deliveries end as soon as they begin.
    ends_at_once: bool,
}

impl Memory {
    /// Appends and returns the position.
    pub fn put(&self, payload: &str) -> Position {
        self.change(|state| {
            state.newest += 1;
            state.appended += 1;
            let subject = Subject::new(&["hall"]).unwrap();
            let (position, at_ms) = (Position(state.newest), state.appended);
            let entry = Entry::new(payload.to_owned());
            state.entries.push(StoredEntry { position, subject, at_ms, entry });
            position
        })
    }

    /// Expires the oldest entries.
    pub fn age_out(&self, count: usize) {
        self.change(|state| drop(state.entries.drain(..count)));
    }

    /// Loses the log and recreates it.
    pub fn remake(&self) {
        self.change(|state| {
            state.entries.clear();
            (state.newest, state.life) = (0, state.life + 1);
        });
    }

    /// Ends all streams, and fails the next `failures` calls.
    pub fn go_away(&self, failures: usize) {
        self.change(|state| (state.ended, state.failures_left) = (state.begun, failures));
    }

    /// Makes streams show nothing beyond this position, until it is `None`.
    pub fn hold_at(&self, position: Option<Position>) {
        self.change(|state| state.held_at = position.map(|position| position.0));
    }

    /// Times at which streams and deliveries were requested.
    pub fn asked(&self) -> Vec<Instant> {
        self.0.state.lock().asked.clone()
    }

    /// Enqueues messages.
    pub fn queue<const N: usize>(&self, payloads: [&str; N]) {
        self.change(|state| {
            state.messages.extend(payloads.map(|payload| Entry::new(payload.to_owned())));
        });
    }

    /// Enqueues a message with a header.
    pub fn queue_with(&self, entry: Entry) {
        self.change(|state| state.messages.push_back(entry));
    }

    /// Number of messages that no worker holds.
    pub fn waiting(&self) -> usize {
        self.0.state.lock().messages.len()
    }

    /// Verdicts received, in order.
    pub fn settled(&self) -> Vec<(String, Disposition)> {
        self.0.state.lock().settled.clone()
    }

    /// Loses all acknowledgements from now on.
    pub fn lose_acknowledgements(&self) {
        self.change(|state| state.silent = true);
    }

    /// Ends deliveries as soon as they begin, from now on.
    pub fn end_at_once(&self) {
        self.change(|state| state.ends_at_once = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.0.state.lock());
        self.0.bell.send_replace(());
        changed
    }

    fn begin(&self) -> Result<u64, Unavailable> {
        let mut state = self.0.state.lock();
        state.asked.push(Instant::now());
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

/// A stream of the log.
struct Stream {
    memory: Memory,
    session: u64,
    life: u64,
    after: u64,
    restarted: bool,
}

impl Stream {
    async fn next(&mut self) -> Option<LogItem> {
        let mut bell = self.memory.0.bell.subscribe();
        loop {
            if let Some(next) = self.look() {
                return next;
            }
            bell.changed().await.ok()?;
        }
    }

    /// Next item: an entry, a restart or the end.
    fn look(&mut self) -> Option<Option<LogItem>> {
        let state = self.memory.0.state.lock();
        if state.ended >= self.session {
            return Some(None);
        }
        if self.life != state.life || std::mem::take(&mut self.restarted) {
            (self.life, self.after) = (state.life, 0);
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

/// A member that prefetches as many messages as it may hold.
struct Ahead {
    memory: Memory,
    limit: usize,
    taken: VecDeque<Entry>,
}

impl Ahead {
    async fn next(&mut self) -> Option<Delivery> {
        let mut bell = self.memory.0.bell.subscribe();
        loop {
            if !self.fetch() {
                return None;
            }
            if let Some(entry) = self.taken.pop_front() {
                return Some(self.delivery(entry));
            }
            bell.changed().await.ok()?;
        }
    }

    /// Fetches as many as there is room for; `false` at the end.
    fn fetch(&mut self) -> bool {
        let mut state = self.memory.0.state.lock();
        let room = (self.limit - self.taken.len()).min(state.messages.len());
        self.taken.extend(state.messages.drain(..room));
        !state.ends_at_once
    }

    fn delivery(&self, entry: Entry) -> Delivery {
        let subject = Subject::new(&[QUEUE.name]).unwrap();
        let handle = Handle { memory: self.memory.clone(), entry: entry.clone() };
        let recorded = StoredEntry { position: Position(1), subject, at_ms: 1, entry };
        Delivery::new(recorded, 1, Box::new(handle))
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
        self.memory.change(|state| match state.silent {
            true => Err(Unavailable("silent".to_owned())),
            false => {
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
        let (life, restarted) = (state.life, after.0 > state.newest);
        let stream = Stream { memory: self.clone(), session, life, after: after.0, restarted };
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
