//! Message store of a simulation: all logs and queues, and notification of their changes.

use super::claims::ClaimedBatch;
use super::log::LogState;
use super::queue::QueueState;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, DEAD_LETTERS, Log, WorkQueue};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{
    Disposition, EnqueueOutcome, Entry, ExpectedPosition, Position, QueueBacklog, StoredEntry,
    Subject,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Clock of a store, in Unix milliseconds.
pub type StoreClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Observer of every append, in order.
pub type AppendObserver = Arc<dyn Fn(&Log, &StoredEntry) + Send + Sync>;

/// Message store, which keeps everything in order and loses nothing.
pub struct Store {
    partitions: Partitions,
    clock: StoreClock,
    observer: AppendObserver,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    logs: BTreeMap<&'static str, LogState>,
    queues: BTreeMap<&'static str, QueueState>,
    changes: BTreeMap<&'static str, watch::Sender<()>>,
}

/// Source of deliveries.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Consumer(Log, Consumer),
    Queue(WorkQueue),
}

/// Delivery, by the position of its message and the number of the attempt.
#[derive(Clone, Copy)]
pub(super) struct DeliveryRef {
    pub(super) position: u64,
    pub(super) attempt: u64,
}

impl Source {
    /// Name of the log or queue whose changes concern the source.
    pub(super) fn change_key(&self) -> &'static str {
        match self {
            Source::Consumer(log, _) => log.name,
            Source::Queue(queue) => queue.name,
        }
    }

    fn ack_wait(&self) -> Duration {
        match self {
            Source::Consumer(_, consumer) => consumer.ack_wait,
            Source::Queue(queue) => queue.ack_wait,
        }
    }
}

impl State {
    fn log(&mut self, log: &Log, now_ms: i64) -> &mut LogState {
        let state = self.logs.entry(log.name).or_insert_with(|| LogState::new(*log));
        state.expire(now_ms);
        state
    }

    fn queue(&mut self, queue: &WorkQueue) -> &mut QueueState {
        self.queues.entry(queue.name).or_insert_with(|| QueueState::new(queue))
    }

    fn notify(&self, name: &str) {
        if let Some(channel) = self.changes.get(name) {
            channel.send_replace(());
        }
    }

    fn reschedule(
        &mut self,
        source: &Source,
        DeliveryRef { position, attempt }: DeliveryRef,
        counted: u64,
        due_ms: i64,
        now_ms: i64,
    ) {
        let claims = match source {
            Source::Consumer(log, consumer) => self.log(log, now_ms).claims(consumer),
            Source::Queue(queue) => self.queue(queue).claims(),
        };
        claims.reschedule(position, attempt, counted, due_ms);
    }
}

impl Store {
    /// Creates an empty store.
    pub fn new(partitions: Partitions, clock: StoreClock, observer: AppendObserver) -> Arc<Store> {
        Arc::new(Store { partitions, clock, observer, state: Mutex::default() })
    }

    /// Returns the number of partitions of the ledger.
    pub fn partitions(&self) -> Partitions {
        self.partitions
    }

    /// Returns every decision that was ever appended, of all partitions.
    pub fn decisions(&self) -> Vec<StoredEntry> {
        self.partitions.all().flat_map(|partition| self.past(&partition.ledger)).collect()
    }

    /// Returns every entry that was ever appended to a log, also those that have aged out.
    pub fn past(&self, log: &Log) -> Vec<StoredEntry> {
        self.state.lock().log(log, i64::MIN).past().to_vec()
    }

    /// Returns the number of messages that a queue holds.
    pub fn queue_len(&self, queue: &WorkQueue) -> usize {
        self.state.lock().queue(queue).len()
    }

    /// Returns what a queue holds.
    pub(super) fn queue_backlog(&self, queue: &WorkQueue) -> QueueBacklog {
        self.state.lock().queue(queue).backlog()
    }

    /// Returns the number of entries that a consumer has not acknowledged.
    pub fn backlog(&self, log: &Log, consumer: &Consumer) -> usize {
        let now_ms = (self.clock)();
        self.state.lock().log(log, now_ms).backlog(consumer)
    }

    /// Appends if the expectation holds; otherwise returns the position found.
    pub fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: &Entry,
    ) -> Result<Position, Option<Position>> {
        let now_ms = (self.clock)();
        let appended = self.state.lock().log(log, now_ms).append(subject, expect, entry, now_ms)?;
        (self.observer)(log, &appended);
        self.state.lock().notify(log.name);
        Ok(appended.position)
    }

    pub(super) fn subscribe(&self, name: &'static str) -> watch::Receiver<()> {
        self.state.lock().changes.entry(name).or_default().subscribe()
    }

    pub(super) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    pub(super) fn read<T>(&self, log: &Log, read: impl FnOnce(&LogState) -> T) -> T {
        let now_ms = (self.clock)();
        read(self.state.lock().log(log, now_ms))
    }

    pub(super) fn erase(&self, log: &Log, position: Position) {
        let now_ms = (self.clock)();
        self.state.lock().log(log, now_ms).erase(position);
    }

    pub(super) fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: &Entry,
        delay: Duration,
    ) -> EnqueueOutcome {
        let now_ms = (self.clock)();
        let mut state = self.state.lock();
        let outcome = state.queue(queue).enqueue(key, entry, delay, now_ms);
        state.notify(queue.name);
        outcome
    }

    pub(super) fn claim(&self, source: &Source, limit: usize) -> ClaimedBatch {
        let now_ms = (self.clock)();
        let mut state = self.state.lock();
        match source {
            Source::Consumer(log, consumer) => {
                state.log(log, now_ms).claim(consumer, limit, now_ms)
            }
            Source::Queue(queue) => state.queue(queue).claim(limit, now_ms),
        }
    }

    /// Gives a delivery back, to be delivered again at once. `counted` is the number of deliveries
    /// that count.
    pub(super) fn give_back(&self, source: &Source, delivery: DeliveryRef, counted: u64) {
        let now_ms = (self.clock)();
        let mut state = self.state.lock();
        state.reschedule(source, delivery, counted, now_ms, now_ms);
        state.notify(source.change_key());
    }

    /// Restarts the ack-wait of a delivery.
    pub(super) fn extend(&self, source: &Source, delivery: DeliveryRef) {
        let now_ms = (self.clock)();
        let due_ms = now_ms + source.ack_wait().as_millis() as i64;
        self.state.lock().reschedule(source, delivery, delivery.attempt, due_ms, now_ms);
    }

    pub(super) fn settle(&self, source: &Source, delivery: DeliveryRef, disposition: Disposition) {
        let now_ms = (self.clock)();
        let mut state = self.state.lock();
        match disposition {
            Disposition::RetryAfter(delay) => {
                let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                let due_ms = now_ms.saturating_add(delay_ms);
                state.reschedule(source, delivery, delivery.attempt, due_ms, now_ms);
                state.notify(source.change_key());
            }
            Disposition::Ack => {
                remove(&mut state, source, delivery.position, now_ms);
            }
            Disposition::DeadLetter(reason) => {
                let Some((key, entry)) = remove(&mut state, source, delivery.position, now_ms)
                else {
                    return;
                };
                drop(state);
                let origin = source.change_key();
                let cause = Cause { reason, origin: origin.to_owned(), key };
                let subject = Subject::new(&[origin]).expect("a log or queue has a plain name");
                let letter = cause.to_dead_letter(&entry);
                let _ = self.append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, &letter);
            }
        }
    }
}

/// Removes a message from its source. Returns its key and content, if it was still there.
fn remove(
    state: &mut State,
    source: &Source,
    position: u64,
    now_ms: i64,
) -> Option<(String, Entry)> {
    match source {
        Source::Consumer(log, consumer) => {
            let log = state.log(log, now_ms);
            log.claims(consumer).remove(position);
            let stored = log.get(Position(position))?;
            Some((format!("{}/{position}", stored.subject), stored.entry))
        }
        Source::Queue(queue) => state.queue(queue).remove(position),
    }
}
