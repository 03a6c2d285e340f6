//! Tests of replicas whose ledger is unavailable, does not answer, forgets entries, or holds those
//! of a newer program.

use crate::support::engine::{
    MORNING_MS, digest, open_ledger, start_engine, take_ticket, ticket_number,
};
use async_trait::async_trait;
use futures::StreamExt;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::streams::{LEDGER, Log};
use paihao_gateway::engine::{SUBMIT_TIMEOUT, SubmitError};
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, Subject, Unavailable,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Ledger whose next appends fail.
struct FlakyLedger {
    inner: Arc<dyn Ledger>,
    /// Number of further appends that are written but reported as failed.
    unacknowledged: AtomicU32,
    /// Number of further appends that are not written.
    lost: AtomicU32,
}

impl FlakyLedger {
    fn wrap(inner: Arc<dyn Ledger>, unacknowledged: u32, lost: u32) -> Arc<Self> {
        Arc::new(FlakyLedger { inner, unacknowledged: unacknowledged.into(), lost: lost.into() })
    }
}

fn decrement(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl LedgerLayer for FlakyLedger {
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
        if decrement(&self.lost) {
            return Err(Unavailable("lost".into()).into());
        }
        let written = self.inner.append(log, subject, expect, entry).await;
        if decrement(&self.unacknowledged) {
            Err(Unavailable("silent".into()).into())
        } else {
            written
        }
    }
}

#[tokio::test]
async fn an_append_that_was_written_unheard_is_one_number() {
    let clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let engine = start_engine(FlakyLedger::wrap(inner.clone(), 1, 0), &clock).await;
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ann")).await), "A001");
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ben")).await), "A002");
    let restarted = start_engine(inner.clone(), &clock).await;
    assert_eq!(digest(&engine, &*inner).await, digest(&restarted, &*inner).await);
}

#[tokio::test]
async fn a_ledger_that_is_away_for_a_moment_is_waited_for() {
    let clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let engine = start_engine(FlakyLedger::wrap(inner, 0, 3), &clock).await;
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ann")).await), "A001");
}

#[tokio::test]
async fn a_ledger_that_stays_away_is_said_so_in_time_and_leaves_no_number_behind() {
    let clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let flaky = FlakyLedger::wrap(inner.clone(), 0, u32::MAX);
    let engine = start_engine(flaky.clone(), &clock).await;
    let started_at = tokio::time::Instant::now();
    assert_eq!(engine.submit("hall", take_ticket("ann")).await, Err(SubmitError::Unavailable));
    assert!(started_at.elapsed() >= SUBMIT_TIMEOUT);
    // After the ledger is back, a command that was refused does not take a number later.
    flaky.lost.store(0, Ordering::SeqCst);
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ben")).await), "A001");
    assert_eq!(inner.head(&LEDGER).await.unwrap(), Position(1));
}

#[tokio::test]
async fn a_site_whose_entries_have_aged_out_goes_on() {
    let clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let engine = start_engine(inner.clone(), &clock).await;
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ann")).await), "A001");
    // The entries expire before a worker decides anything.
    let later = Duration::from_secs(80 * 3600);
    inner.remove_expired(MORNING_MS + later.as_millis() as i64).await.unwrap();
    assert_eq!(
        inner
            .last(&LEDGER, &paihao_ledger::Subject::new(&["shop", "hall"]).unwrap())
            .await
            .unwrap(),
        None
    );
    clock.advance(later);
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ben")).await), "A001");
    let restarted = start_engine(inner.clone(), &clock).await;
    assert_eq!(digest(&engine, &*inner).await, digest(&restarted, &*inner).await);
}

#[tokio::test]
async fn the_tail_of_a_day_whose_beginning_has_aged_out_is_no_line_of_today() {
    let clock = ManualClock::at(MORNING_MS);
    let old_clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let old = start_engine(inner.clone(), &old_clock).await;
    assert_eq!(ticket_number(old.submit("hall", take_ticket("ann")).await), "A001");
    assert_eq!(ticket_number(old.submit("hall", take_ticket("ben")).await), "A002");
    // Nothing is decided for three days, and the old replica's clock stands still.
    clock.advance(Duration::from_secs(8 * 3600));
    assert_eq!(ticket_number(old.submit("hall", take_ticket("cid")).await), "A003");
    let later = Duration::from_secs(66 * 3600);
    clock.advance(later);
    inner.remove_expired(clock.now_ms()).await.unwrap();
    let first = inner.follow(&LEDGER, Position::START).await.unwrap().next().await;
    let Some(LogItem::Entry(first)) = first else { panic!("nothing is left: {first:?}") };
    assert_eq!(first.position, Position(3), "the day's beginning is gone, its end is not");

    let restarted = start_engine(inner.clone(), &clock).await;
    assert_eq!(ticket_number(restarted.submit("hall", take_ticket("dan")).await), "A001");
    assert_eq!(
        ticket_number(restarted.submit("hall", take_ticket("cid")).await),
        "A002",
        "in no line any more"
    );
    let restarted_again = start_engine(inner.clone(), &clock).await;
    let old_digest = digest(&old, &*inner).await;
    let restarted_digest = digest(&restarted, &*inner).await;
    assert_eq!(old_digest, restarted_digest);
    assert_eq!(restarted_digest, digest(&restarted_again, &*inner).await);
}

#[tokio::test]
async fn an_entry_of_a_newer_program_stops_the_site_and_nothing_is_guessed() {
    let clock = ManualClock::at(MORNING_MS);
    let (inner, _folder) = open_ledger(&clock);
    let subject = Subject::new(&["shop", "hall"]).unwrap();
    let newer = Entry::new(&br#"{"v":99,"wonders":[]}"#[..]);
    inner.append(&LEDGER, &subject, ExpectedPosition::Empty, newer).await.unwrap();
    let engine = start_engine(inner.clone(), &clock).await;
    assert_eq!(engine.submit("hall", take_ticket("ann")).await, Err(SubmitError::Unreadable));
    assert_eq!(inner.head(&LEDGER).await.unwrap(), Position(1));
}

#[tokio::test]
async fn an_event_or_an_outcome_that_is_not_known_stops_the_site_too() {
    let known = r#"{"outcome":"forgotten"}"#;
    let unknown_event = r#"{"event":"ticket_gilded","ticket":1}"#;
    for (outcome, event) in [(known, unknown_event), (r#"{"outcome":"gilded"}"#, "")] {
        let clock = ManualClock::at(MORNING_MS);
        let (inner, _folder) = open_ledger(&clock);
        let engine = start_engine(inner.clone(), &clock).await;
        assert_eq!(ticket_number(engine.submit("hall", take_ticket("ann")).await), "A001");
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        let id = "07".repeat(16);
        let newer = format!(
            r#"{{"v":2,"site":{{"account":"shop","id":"hall","name":"大厅","zone":"UTC"}},"decisions":[{{"command":"{id}","fingerprint":"0000000000000000","at":1,"outcome":{outcome},"events":[{event}]}}]}}"#
        );
        let newer = Entry::new(newer.into_bytes());
        inner.append(&LEDGER, &subject, ExpectedPosition::Any, newer).await.unwrap();
        // One replica has just decided, the other starts now.
        let restarted = start_engine(inner.clone(), &clock).await;
        for engine in [&engine, &restarted] {
            assert_eq!(
                engine.submit("hall", take_ticket("ben")).await,
                Err(SubmitError::Unreadable)
            );
        }
        assert_eq!(inner.head(&LEDGER).await.unwrap(), Position(2), "nothing was guessed");
    }
}
