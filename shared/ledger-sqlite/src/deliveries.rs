//! Handing out: one worker's stream of deliveries, and the way back for each of them.

use crate::file::LedgerFile;
use crate::messages::Taken;
use crate::{handed, messages};
use async_trait::async_trait;
use futures::stream::{StreamExt, unfold};
use paihao_contracts::names::{Consumer, DEAD_LETTERS, Log, WorkQueue};
use paihao_ledger::{Acknowledge, Deliveries, Delivery, Position, Recorded, Unavailable, Verdict};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Where deliveries come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Consumer(Log, Consumer),
    Queue(WorkQueue),
}

impl Source {
    /// The bell that rings when there may be something to take.
    fn bell(&self) -> &'static str {
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

    fn take(&self, connection: &Connection, limit: usize, now_ms: i64) -> rusqlite::Result<Taken> {
        match self {
            Source::Consumer(log, consumer) => {
                handed::take(connection, log, consumer, limit, now_ms)
            }
            Source::Queue(queue) => messages::take(connection, queue, limit, now_ms),
        }
    }

    fn put_back(
        &self,
        connection: &Connection,
        what: Handed,
        counted: u64,
        due_ms: i64,
        held: bool,
    ) -> rusqlite::Result<()> {
        let Handed { position, attempt } = what;
        match self {
            Source::Consumer(log, consumer) => handed::put_back(
                connection, log, consumer, position, attempt, counted, due_ms, held,
            ),
            Source::Queue(_) => {
                messages::put_back(connection, position, attempt, counted, due_ms, held)
            }
        }
    }
}

/// So many are taken at once, at most; the rest stays for other workers.
const TAKEN: usize = 32;
/// A clock that is set forward is noticed after this long.
const LONGEST_NAP: Duration = Duration::from_secs(1);

struct Worker {
    file: Arc<LedgerFile>,
    source: Source,
    room: Arc<Semaphore>,
    ahead: VecDeque<(Recorded, u64)>,
    bell: watch::Receiver<()>,
}

pub(crate) fn deliveries(file: Arc<LedgerFile>, source: Source, in_flight: usize) -> Deliveries {
    let bell = file.wake.listen(source.bell());
    let room = Arc::new(Semaphore::new(in_flight.clamp(1, Semaphore::MAX_PERMITS)));
    let worker = Worker { file, source, room, ahead: VecDeque::new(), bell };
    Deliveries::new(
        unfold(worker, async |mut worker| {
            let next = worker.next().await;
            Some((next, worker))
        })
        .boxed(),
    )
}

impl Worker {
    async fn next(&mut self) -> Delivery {
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        loop {
            if let Some((recorded, attempt)) = self.ahead.pop_front() {
                return self.hand_over(recorded, attempt, permit);
            }
            // Before taking: what comes from here on rings again.
            self.bell.borrow_and_update();
            let limit = (self.room.available_permits() + 1).min(TAKEN);
            match self.take(limit).await {
                Ok(Taken { taken, next_due_ms }) if taken.is_empty() => {
                    self.wait(next_due_ms).await;
                }
                Ok(Taken { taken, .. }) => self.ahead.extend(taken),
                Err(error) => {
                    tracing::warn!(%error, source = self.source.bell(), "handing out waits");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn take(&self, limit: usize) -> Result<Taken, Unavailable> {
        let (reply, replied) = oneshot::channel();
        let (file, source, clock) = (Arc::clone(&self.file), self.source, self.file.clock.clone());
        self.file.writer.tell(
            move |connection| source.take(connection, limit, clock()),
            move |outcome| {
                // The worker may have left while this was being written.
                if let Err(Ok(Taken { taken, .. })) = reply.send(outcome) {
                    give_back(&file, source, taken);
                }
            },
        );
        replied.await.unwrap_or_else(|_| Err(Unavailable("the file has been closed".to_owned())))
    }

    async fn wait(&mut self, next_due_ms: Option<i64>) {
        let Some(due_ms) = next_due_ms else {
            let _ = self.bell.changed().await;
            return;
        };
        loop {
            let left_ms = due_ms.saturating_sub((self.file.clock)());
            if left_ms <= 0 {
                return;
            }
            let nap = Duration::from_millis(left_ms as u64).min(LONGEST_NAP);
            tokio::select! {
                _ = self.bell.changed() => return,
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    fn hand_over(
        &self,
        recorded: Recorded,
        attempt: u64,
        permit: OwnedSemaphorePermit,
    ) -> Delivery {
        let handle = Handle {
            file: Arc::clone(&self.file),
            source: self.source,
            handed: Handed { position: recorded.position, attempt },
            _permit: permit,
        };
        Delivery::new(recorded, attempt, Box::new(handle))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        give_back(&self.file, self.source, std::mem::take(&mut self.ahead));
    }
}

/// Taken and never handed over: does not count as an attempt.
fn give_back(
    file: &Arc<LedgerFile>,
    source: Source,
    taken: impl IntoIterator<Item = (Recorded, u64)>,
) {
    for (recorded, attempt) in taken {
        let what = Handed { position: recorded.position, attempt };
        put_back_now(file, source, what, attempt - 1);
    }
}

fn put_back_now(file: &Arc<LedgerFile>, source: Source, what: Handed, counted: u64) {
    let (clock, ringing) = (file.clock.clone(), Arc::clone(file));
    file.writer.tell(
        move |connection| source.put_back(connection, what, counted, clock(), false),
        move |_| ringing.wake.ring(source.bell()),
    );
}

#[derive(Clone, Copy)]
struct Handed {
    position: Position,
    attempt: u64,
}

struct Handle {
    file: Arc<LedgerFile>,
    source: Source,
    handed: Handed,
    _permit: OwnedSemaphorePermit,
}

#[async_trait]
impl Acknowledge for Handle {
    async fn say(&self, verdict: Verdict) -> Result<(), Unavailable> {
        let (source, handed, clock) = (self.source, self.handed, self.file.clock.clone());
        let file = Arc::clone(&self.file);
        let news = match verdict {
            Verdict::Done => None,
            Verdict::Again(_) => Some(source.bell()),
            Verdict::Never(_) => Some(DEAD_LETTERS.name),
        };
        let said = self.file.writer.run_then(
            move |connection| match (verdict, source) {
                (Verdict::Done, Source::Consumer(log, consumer)) => {
                    handed::done(connection, &log, &consumer, handed.position)
                }
                (Verdict::Done, Source::Queue(_)) => messages::done(connection, handed.position),
                (Verdict::Again(delay), source) => {
                    let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                    let due_ms = clock().saturating_add(delay_ms);
                    source.put_back(connection, handed, handed.attempt, due_ms, false)
                }
                (Verdict::Never(reason), Source::Consumer(log, consumer)) => {
                    handed::bury(connection, &log, &consumer, handed.position, &reason, clock())
                }
                (Verdict::Never(reason), Source::Queue(queue)) => {
                    messages::bury(connection, &queue, handed.position, &reason, clock())
                }
            },
            move |()| {
                if let Some(news) = news {
                    file.wake.ring(news);
                }
            },
        );
        said.await
    }

    async fn extend(&self) -> Result<(), Unavailable> {
        let (source, handed, clock) = (self.source, self.handed, self.file.clock.clone());
        let wait_ms = source.ack_wait().as_millis() as i64;
        self.file
            .writer
            .run(move |connection| {
                let due_ms = clock().saturating_add(wait_ms);
                source.put_back(connection, handed, handed.attempt, due_ms, true)
            })
            .await
    }

    fn forgotten(&self) {
        put_back_now(&self.file, self.source, self.handed, self.handed.attempt);
    }
}
