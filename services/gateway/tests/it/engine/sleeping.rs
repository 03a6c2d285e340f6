//! Tests that a site's worker sleeps until something is due, in the runtime's paused time.

use crate::support::engine::{
    MORNING_MS, at_counter, settings_with_queue, start_engine_on_clock, take_ticket, ticket_number,
};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_chassis::clock::{Clock, RuntimeClock};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use paihao_domain::{Act, QueueRules, TicketId, TicketStatus};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    StoredEntry, Subject, Unavailable,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Ledger of one subject with a single writer; it keeps the newest entry of each log.
#[derive(Default)]
struct SingleEntryLedger(Mutex<BTreeMap<&'static str, StoredEntry>>);

#[async_trait]
impl Ledger for SingleEntryLedger {
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        _: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let mut logs = self.0.lock();
        let position = Position(logs.get(log.name).map_or(0, |last| last.position.0) + 1);
        logs.insert(log.name, StoredEntry { position, subject: subject.clone(), at_ms: 0, entry });
        Ok(position)
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        Ok(self.0.lock().get(log.name).filter(|last| last.subject == *subject).cloned())
    }

    async fn head(&self, _: &Log) -> Result<Position, Unavailable> {
        Ok(Position::START)
    }

    async fn follow(
        &self,
        _: &Log,
        _: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        Ok(futures::stream::pending().boxed())
    }

    async fn consume(&self, _: &Log, _: &Consumer, _: usize) -> Result<Deliveries, Unavailable> {
        unreachable!("the engine consumes nothing")
    }

    async fn enqueue(
        &self,
        _: &WorkQueue,
        _: &str,
        _: Entry,
        _: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        unreachable!("the engine enqueues nothing")
    }

    async fn consume_queue(&self, _: &WorkQueue, _: usize) -> Result<Deliveries, Unavailable> {
        unreachable!("the engine works on nothing")
    }

    async fn check(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

/// Clock of the runtime, with a count of its readings.
struct CountingClock(RuntimeClock, AtomicU32);

impl Clock for CountingClock {
    fn now_ms(&self) -> i64 {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.now_ms()
    }
}

#[tokio::test(start_paused = true)]
async fn a_desk_without_anything_to_come_sleeps_and_wakes_at_the_moment_that_does() {
    let clock = Arc::new(CountingClock(RuntimeClock::starting_at(MORNING_MS), AtomicU32::new(0)));
    let rules =
        QueueRules { auto_miss: true, grace_seconds: 47, ..QueueRules::new("存取款", "A") };
    let engine = start_engine_on_clock(
        &settings_with_queue(rules),
        Arc::new(SingleEntryLedger::default()),
        clock.clone(),
    )
    .await;
    let readings_in = async |seconds| {
        let before = clock.1.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        clock.1.load(Ordering::SeqCst) - before
    };
    let readings = readings_in(600).await;
    assert!(readings <= 60, "{readings} readings for an idle site in ten minutes");

    engine.submit("hall", take_ticket("ann")).await.unwrap();
    engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    assert_eq!(
        ticket_number(engine.submit("hall", at_counter("1", Act::CallNext, "call")).await),
        "A001"
    );
    let called = clock.0.now_ms();
    let mut snapshots = engine.watch("hall").unwrap();
    let missed = snapshots.wait_for(|snapshot| {
        snapshot
            .site
            .ticket(TicketId(1))
            .is_some_and(|ticket| ticket.status() == TicketStatus::Missed)
    });
    missed.await.map(drop).unwrap();
    let delay_ms = clock.0.now_ms() - called - 47_000;
    assert!((0..50).contains(&delay_ms), "{delay_ms} ms late");
}
