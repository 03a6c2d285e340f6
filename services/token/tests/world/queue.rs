//! Ledger with the work queue of refused tokens alone.

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_ledger::{
    Acknowledge, AppendError, Deliveries, Delivery, Disposition, EnqueueOutcome, Entry,
    ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject, Unavailable,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// A queue. Clones are the same queue.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Inside>);

#[derive(Default)]
struct Inside {
    waiting: Mutex<Vec<Message>>,
    keys: Mutex<Vec<(String, Instant)>>,
    changed: Notify,
}

#[derive(Clone)]
struct Message {
    entry: Entry,
    attempt: u64,
    due: Instant,
    open: bool,
    id: usize,
}

impl Queue {
    /// Number of open reports.
    pub(crate) fn open(&self) -> usize {
        self.0.waiting.lock().unwrap().len()
    }

    /// Payloads of the open reports.
    pub(crate) fn payloads(&self) -> Vec<String> {
        let waiting = self.0.waiting.lock().unwrap();
        waiting.iter().map(|m| String::from_utf8_lossy(&m.entry.payload).into_owned()).collect()
    }

    fn next(&self) -> Option<Message> {
        let mut waiting = self.0.waiting.lock().unwrap();
        let now = Instant::now();
        let message = waiting.iter_mut().find(|m| !m.open && m.due <= now)?;
        message.open = true;
        message.attempt += 1;
        Some(message.clone())
    }
}

struct Handle(Queue, usize);

#[async_trait]
impl Acknowledge for Handle {
    async fn settle(&self, disposition: Disposition) -> Result<(), Unavailable> {
        let mut waiting = self.0.0.waiting.lock().unwrap();
        match disposition {
            Disposition::RetryAfter(delay) => {
                for message in waiting.iter_mut().filter(|m| m.id == self.1) {
                    (message.open, message.due) = (false, Instant::now() + delay);
                }
            }
            Disposition::Ack | Disposition::DeadLetter(_) => waiting.retain(|m| m.id != self.1),
        }
        Ok(())
    }
    async fn extend(&self) -> Result<(), Unavailable> {
        Ok(())
    }
    fn abandon(&self) {
        let mut waiting = self.0.0.waiting.lock().unwrap();
        waiting.iter_mut().filter(|m| m.id == self.1).for_each(|m| m.open = false);
    }
}

#[async_trait]
impl Ledger for Queue {
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
        unreachable!("the token service appends nothing")
    }
    async fn last(&self, _: &Log, _: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        unreachable!()
    }
    async fn head(&self, _: &Log) -> Result<Position, Unavailable> {
        Ok(Position::START)
    }
    async fn follow(
        &self,
        _: &Log,
        _: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        Ok(Box::pin(stream::pending()))
    }
    async fn consume(&self, _: &Log, _: &Consumer, _: usize) -> Result<Deliveries, Unavailable> {
        unreachable!()
    }
    async fn enqueue(
        &self,
        _: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        let mut keys = self.0.keys.lock().unwrap();
        keys.retain(|(_, at)| at.elapsed() < Duration::from_secs(120));
        if keys.iter().any(|(known, _)| known == key) {
            return Ok(EnqueueOutcome::Duplicate);
        }
        keys.push((key.to_owned(), Instant::now()));
        let mut waiting = self.0.waiting.lock().unwrap();
        let id = waiting.iter().map(|m| m.id + 1).max().unwrap_or(0);
        let due = Instant::now() + delay;
        waiting.push(Message { entry, attempt: 0, due, open: false, id });
        self.0.changed.notify_waiters();
        Ok(EnqueueOutcome::New)
    }
    async fn consume_queue(&self, queue: &WorkQueue, _: usize) -> Result<Deliveries, Unavailable> {
        let subject = Subject::new(&[queue.name]).unwrap();
        let state = (self.clone(), subject);
        Ok(Deliveries::new(Box::pin(stream::unfold(state, |(queue, subject)| async move {
            loop {
                let changed = queue.0.changed.notified();
                if let Some(message) = queue.next() {
                    let recorded = StoredEntry {
                        position: Position(1),
                        subject: subject.clone(),
                        at_ms: 0,
                        entry: message.entry,
                    };
                    let handle = Box::new(Handle(queue.clone(), message.id));
                    let delivery = Delivery::new(recorded, message.attempt, handle);
                    return Some((delivery, (queue.clone(), subject)));
                }
                let pause = if queue.open() == 0 { FOR_EVER } else { Duration::from_millis(10) };
                let _ = timeout(pause, changed).await;
            }
        }))))
    }
    async fn check(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
