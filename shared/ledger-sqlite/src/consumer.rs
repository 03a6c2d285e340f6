//! Delivery stream of one worker, and the acknowledgement of each delivery.

use crate::file::LedgerFile;
use crate::messages::{ClaimTimes, ClaimedBatch};
use crate::{consumer_state, messages};
use async_trait::async_trait;
use futures::stream::{StreamExt, unfold};
use paihao_contracts::streams::{Consumer, DEAD_LETTERS, Log, WorkQueue};
use paihao_ledger::{
    Acknowledge, Deliveries, Delivery, Disposition, Position, StoredEntry, Unavailable,
};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Source of deliveries.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Consumer(Log, Consumer),
    Queue(WorkQueue),
}

impl Source {
    /// Key of the change notification that concerns this source.
    fn change_key(&self) -> &'static str {
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

    fn claim(
        &self,
        connection: &Connection,
        limit: usize,
        times: ClaimTimes,
    ) -> rusqlite::Result<ClaimedBatch> {
        match self {
            Source::Consumer(log, consumer) => {
                consumer_state::claim(connection, log, consumer, limit, times)
            }
            Source::Queue(queue) => messages::claim(connection, queue, limit, times.now_ms),
        }
    }

    fn reschedule(
        &self,
        connection: &Connection,
        delivery: DeliveryRef,
        counted: u64,
        due_ms: i64,
        held: bool,
    ) -> rusqlite::Result<()> {
        let DeliveryRef { position, attempt } = delivery;
        match self {
            Source::Consumer(log, consumer) => consumer_state::reschedule(
                connection, log, consumer, position, attempt, counted, due_ms, held,
            ),
            Source::Queue(_) => {
                messages::reschedule(connection, position, attempt, counted, due_ms, held)
            }
        }
    }
}

/// Largest number of deliveries claimed at once; the rest stays for other workers.
const MAX_CLAIM_BATCH: usize = 32;
/// Longest sleep: bounds the time after which a clock set forward is noticed.
const MAX_SLEEP: Duration = Duration::from_secs(1);

struct DeliveryStream {
    file: Arc<LedgerFile>,
    source: Source,
    permits: Arc<Semaphore>,
    prefetched: VecDeque<(StoredEntry, u64)>,
    changes: watch::Receiver<()>,
}

pub(crate) fn deliveries(file: Arc<LedgerFile>, source: Source, in_flight: usize) -> Deliveries {
    let changes = file.changes.subscribe(source.change_key());
    let permits = Arc::new(Semaphore::new(in_flight.clamp(1, Semaphore::MAX_PERMITS)));
    let worker = DeliveryStream { file, source, permits, prefetched: VecDeque::new(), changes };
    Deliveries::new(
        unfold(worker, async |mut worker| {
            let next = worker.next().await;
            Some((next, worker))
        })
        .boxed(),
    )
}

impl DeliveryStream {
    async fn next(&mut self) -> Delivery {
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        loop {
            if let Some((recorded, attempt)) = self.prefetched.pop_front() {
                return self.deliver(recorded, attempt, permit);
            }
            // Before claiming: later changes notify again.
            self.changes.borrow_and_update();
            let limit = (self.permits.available_permits() + 1).min(MAX_CLAIM_BATCH);
            match self.claim(limit).await {
                Ok(ClaimedBatch { claimed, next_due_ms }) if claimed.is_empty() => {
                    self.wait_until_due(next_due_ms).await;
                }
                Ok(ClaimedBatch { claimed, .. }) => self.prefetched.extend(claimed),
                Err(error) => {
                    tracing::warn!(%error, source = self.source.change_key(), "cannot claim deliveries, retrying");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn claim(&self, limit: usize) -> Result<ClaimedBatch, Unavailable> {
        let (reply, replied) = oneshot::channel();
        let file = Arc::clone(&self.file);
        let source = self.source;
        let times = Arc::clone(&self.file);
        self.file.writer.submit_repeatable(
            move |connection| source.claim(connection, limit, times.claim_times()),
            move |outcome| {
                // The worker may have been dropped during the write.
                if let Err(Ok(ClaimedBatch { claimed, .. })) = reply.send(outcome) {
                    release_unhandled(&file, source, claimed);
                }
            },
        );
        replied.await.unwrap_or_else(|_| Err(Unavailable("the file has been closed".to_owned())))
    }

    async fn wait_until_due(&mut self, next_due_ms: Option<i64>) {
        let Some(due_ms) = next_due_ms else {
            let _ = self.changes.changed().await;
            return;
        };
        loop {
            let left_ms = due_ms.saturating_sub((self.file.clock)());
            if left_ms <= 0 {
                return;
            }
            let sleep_time = Duration::from_millis(left_ms as u64).min(MAX_SLEEP);
            tokio::select! {
                _ = self.changes.changed() => return,
                () = tokio::time::sleep(sleep_time) => {}
            }
        }
    }

    fn deliver(
        &self,
        recorded: StoredEntry,
        attempt: u64,
        permit: OwnedSemaphorePermit,
    ) -> Delivery {
        let handle = AckHandle {
            file: Arc::clone(&self.file),
            source: self.source,
            delivery: DeliveryRef { position: recorded.position, attempt },
            _permit: permit,
        };
        Delivery::new(recorded, attempt, Box::new(handle))
    }
}

impl Drop for DeliveryStream {
    fn drop(&mut self) {
        release_unhandled(&self.file, self.source, std::mem::take(&mut self.prefetched));
    }
}

/// Releases deliveries that were claimed and never handed over; they do not count as attempts.
fn release_unhandled(
    file: &Arc<LedgerFile>,
    source: Source,
    claimed: impl IntoIterator<Item = (StoredEntry, u64)>,
) {
    for (recorded, attempt) in claimed {
        let delivery = DeliveryRef { position: recorded.position, attempt };
        reschedule_now(file, source, delivery, attempt - 1);
    }
}

fn reschedule_now(file: &Arc<LedgerFile>, source: Source, delivery: DeliveryRef, counted: u64) {
    let clock = file.clock.clone();
    let notifying = Arc::clone(file);
    file.writer.submit_repeatable(
        move |connection| source.reschedule(connection, delivery, counted, clock(), false),
        move |_| notifying.changes.notify(source.change_key()),
    );
}

#[derive(Clone, Copy)]
struct DeliveryRef {
    position: Position,
    attempt: u64,
}

struct AckHandle {
    file: Arc<LedgerFile>,
    source: Source,
    delivery: DeliveryRef,
    _permit: OwnedSemaphorePermit,
}

#[async_trait]
impl Acknowledge for AckHandle {
    async fn settle(&self, disposition: Disposition) -> Result<(), Unavailable> {
        let source = self.source;
        let delivery = self.delivery;
        let clock = self.file.clock.clone();
        let file = Arc::clone(&self.file);
        let changed_name = match disposition {
            Disposition::Ack => None,
            Disposition::RetryAfter(_) => Some(source.change_key()),
            Disposition::DeadLetter(_) => Some(DEAD_LETTERS.name),
        };
        let is_letter = matches!(disposition, Disposition::DeadLetter(_));
        let write = move |connection: &Connection| match (disposition, source) {
            (Disposition::Ack, Source::Consumer(log, consumer)) => {
                consumer_state::ack(connection, &log, &consumer, delivery.position)
            }
            (Disposition::Ack, Source::Queue(_)) => messages::ack(connection, delivery.position),
            (Disposition::RetryAfter(delay), source) => {
                let due_ms = messages::due_ms(clock(), delay);
                source.reschedule(connection, delivery, delivery.attempt, due_ms, false)
            }
            (Disposition::DeadLetter(reason), Source::Consumer(log, consumer)) => {
                let position = delivery.position;
                let now_ms = clock();
                consumer_state::dead_letter(connection, &log, &consumer, position, &reason, now_ms)
            }
            (Disposition::DeadLetter(reason), Source::Queue(queue)) => {
                messages::dead_letter(connection, &queue, delivery.position, &reason, clock())
            }
        };
        let notify = move |(): &()| {
            if let Some(changed_name) = changed_name {
                file.changes.notify(changed_name);
            }
        };
        let writer = &self.file.writer;
        if is_letter {
            writer.run_then(write, notify).await
        } else {
            writer.run_repeatable_then(write, notify).await
        }
    }

    async fn extend(&self) -> Result<(), Unavailable> {
        let source = self.source;
        let delivery = self.delivery;
        let clock = self.file.clock.clone();
        let wait_ms = source.ack_wait().as_millis() as i64;
        let extend = move |connection: &Connection| {
            let due_ms = clock().saturating_add(wait_ms);
            source.reschedule(connection, delivery, delivery.attempt, due_ms, true)
        };
        self.file.writer.run_repeatable_then(extend, |()| {}).await
    }

    fn abandon(&self) {
        reschedule_now(&self.file, self.source, self.delivery, self.delivery.attempt);
    }
}
