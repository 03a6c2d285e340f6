//! Tests of requests that go away, or panic, while they decide for their site.

use crate::support::engine::{
    MORNING_MS, RunningEngine, deployment_settings, digest, open_ledger, start_engine, take_ticket,
    ticket_number,
};
use crate::support::wait_until;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::streams::{LEDGER, Log};
use paihao_gateway::engine::SubmitError;
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position, Subject};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;

/// Ledger that writes when it is told to, or panics instead.
struct GatedLedger {
    inner: Arc<dyn Ledger>,
    gate: Semaphore,
    /// Appends to the ledger that have come to the gate.
    arrived: AtomicU32,
    panics: bool,
}

impl GatedLedger {
    fn wrap(inner: Arc<dyn Ledger>, panics: bool) -> Arc<GatedLedger> {
        let (gate, arrived) = (Semaphore::new(0), AtomicU32::new(0));
        Arc::new(GatedLedger { inner, gate, arrived, panics })
    }
}

#[async_trait]
impl LedgerLayer for GatedLedger {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        if *log == LEDGER {
            self.arrived.fetch_add(1, Ordering::SeqCst);
            assert!(!self.panics, "the ledger of this test panics");
            let _pass = self.gate.acquire().await.unwrap();
        }
        self.inner.append(log, subject, expect, entry).await
    }
}

#[tokio::test]
async fn whoever_goes_away_while_deciding_leaves_the_entry_and_the_commands_of_others() {
    for (others, is_beaten) in [0, 1, 3].into_iter().flat_map(|n| [(n, false), (n, true)]) {
        let clock = ManualClock::at(MORNING_MS);
        let (inner, _folder) = open_ledger(&clock);
        let gated = GatedLedger::wrap(inner.clone(), false);
        let engine = start_engine(gated.clone(), &clock).await;
        let mut ann = Box::pin(engine.submit("hall", take_ticket("ann")));
        assert_eq!((&mut ann).now_or_never(), None);
        assert_eq!(gated.arrived.load(Ordering::SeqCst), 1, "it appends within the request");
        let people: Vec<_> = (0..others).map(|i| take_ticket(&format!("person {i}"))).collect();
        let mut behind: Vec<_> =
            people.iter().map(|take| Box::pin(engine.submit("hall", take.clone()))).collect();
        behind.iter_mut().for_each(|other| assert_eq!(other.now_or_never(), None));
        if is_beaten {
            // Another replica writes first, so that the entry is not written.
            let other = start_engine(inner.clone(), &clock).await;
            assert_eq!(ticket_number(other.submit("hall", take_ticket("zoe")).await), "A001");
        }
        drop(ann);
        gated.gate.add_permits(100);
        let numbers: BTreeSet<_> = join_all(behind).await.into_iter().map(ticket_number).collect();
        // The first number is that of the entry under way, or of who was faster.
        let expected: BTreeSet<_> = (2..others + 2).map(|n| format!("A{n:03}")).collect();
        assert_eq!(numbers, expected, "{others} behind, beaten: {is_beaten}");
        wait_until("the entry is written", async || {
            inner.head(&LEDGER).await.unwrap() > Position::START
        })
        .await;
        assert_eq!(ticket_number(engine.submit("hall", take_ticket("eve")).await), {
            format!("A{:03}", others + 2)
        });
        let restarted = start_engine(inner.clone(), &clock).await;
        assert_eq!(digest(&engine, &*inner).await, digest(&restarted, &*inner).await);
    }
}

#[tokio::test]
async fn a_panic_while_deciding_ends_the_process_as_that_of_a_task_does() {
    let clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let observer = Arc::new(|_: &Subject, _: &_| {});
    let ledger = GatedLedger::wrap(inner, true);
    let settings = deployment_settings();
    let running = RunningEngine::start(&settings, ledger, Arc::new(clock), observer);
    running.engine.until_caught_up().await;
    let answer = running.engine.submit("hall", take_ticket("ann")).await;
    assert_eq!(answer, Err(SubmitError::Unavailable));
    wait_until("the process stops", async || running.failure().is_some()).await;
    let failure = running.failure().unwrap().to_string();
    assert!(failure.starts_with("site-worker: panicked"), "{failure}");
}
