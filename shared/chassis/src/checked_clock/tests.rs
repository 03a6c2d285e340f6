//! Tests of the clock that is compared with others: kinds of references, by errors of the clock.

use super::*;
use crate::clock::ManualClock;
use futures::FutureExt;
use std::sync::atomic::{AtomicI64, Ordering};

const BOUND: Duration = Duration::from_secs(10);
const DAY_MS: i64 = 24 * 3600 * 1000;
const TRUE_MS: i64 = 1_795_140_000_000;

/// Kind of time that a reference of a test tells.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Clock,
    Entry,
    NoClock,
    Away,
}

/// Reference whose time is TRUE_MS at the start of the test and goes on with the runtime.
fn reference(name: &'static str, kind: Kind, delay: Duration) -> ClockReference {
    let start = Instant::now();
    let ask: AskTime = Arc::new(move || {
        async move {
            tokio::time::sleep(delay).await;
            let now_ms = TRUE_MS + millis(start.elapsed());
            match kind {
                Kind::Clock => Ok(Some(ReferenceTime::Now(now_ms))),
                Kind::Entry => Ok(Some(ReferenceTime::AtLeast(TRUE_MS))),
                Kind::NoClock => Ok(None),
                Kind::Away => Err("away".to_owned()),
            }
        }
        .boxed()
    });
    ClockReference { name, ask, interval: BOUND }
}

/// Errors of a clock in milliseconds: none, within and beyond the bound, hours, and days.
fn errors() -> impl Iterator<Item = i64> {
    let sizes = [0, 9_900, 10_200, 3 * 3_600_000, DAY_MS, 4 * DAY_MS, 400 * DAY_MS];
    sizes.into_iter().flat_map(|size| [size, -size])
}

#[tokio::test(start_paused = true)]
async fn a_clock_is_judged_by_the_first_reference_that_tells_the_time() {
    let before = [Kind::Entry, Kind::NoClock, Kind::Away];
    for first in before {
        for error_ms in errors() {
            let local = ManualClock::at(TRUE_MS + error_ms);
            let references = vec![
                reference("ledger", first, Duration::ZERO),
                reference("wechat", Kind::Clock, Duration::ZERO),
            ];
            let clock = CheckedClock::new(Arc::new(local), BOUND, references);
            assert_eq!(clock.read().trust, ClockTrust::Unchecked);
            clock.compare_all().await;
            let reading = clock.read();
            let is_right = error_ms.abs() <= millis(BOUND);
            assert!(reading.trust.is_confirmed(), "{first:?} {error_ms}");
            assert_eq!(reading.trust.may_propose(), is_right, "{first:?} {error_ms}");
            assert_eq!(clock.check().is_ok(), is_right, "{first:?} {error_ms}");
            let shown = if is_right { error_ms } else { 0 };
            assert!((reading.now_ms - TRUE_MS - shown).abs() <= 2, "{first:?} {error_ms}");
            assert!((clock.skews()[0].ahead_ms - error_ms).abs() <= 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_behind_the_newest_entry_is_wrong_and_one_ahead_is_plausible() {
    for error_ms in errors() {
        let local = ManualClock::at(TRUE_MS + error_ms);
        let references = vec![reference("ledger", Kind::Entry, Duration::ZERO)];
        let clock = CheckedClock::new(Arc::new(local.clone()), BOUND, references);
        clock.compare_all().await;
        let is_right = error_ms >= -millis(BOUND);
        let reading = clock.read();
        assert_eq!(reading.trust.may_propose(), is_right, "{error_ms}");
        assert!(!reading.trust.is_confirmed() && clock.confirmed_ms().is_none());
        assert_eq!(clock.check().is_ok(), is_right);
        // It steps back in.
        local.set(TRUE_MS);
        assert_eq!(clock.read().trust.may_propose(), !is_right || error_ms.abs() <= 10_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_is_seen_by_the_next_reading_and_so_is_its_end() {
    for kind in [Kind::Clock, Kind::Entry] {
        for error_ms in errors() {
            let local = ManualClock::at(TRUE_MS);
            let references = vec![reference("ledger", kind, Duration::ZERO)];
            let clock = CheckedClock::new(Arc::new(local.clone()), BOUND, references);
            clock.compare_all().await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            local.set(TRUE_MS + 60_000 + error_ms);
            let is_right = error_ms.abs() <= millis(BOUND);
            let reading = clock.read();
            assert_eq!(reading.trust.may_propose(), is_right, "{kind:?} {error_ms}");
            let shown = if is_right { error_ms } else { 0 };
            assert!((reading.now_ms - TRUE_MS - 60_000 - shown).abs() <= 2, "{kind:?} {error_ms}");
            local.set(TRUE_MS + 60_000);
            assert!(clock.read().trust.may_propose() && clock.check().is_ok());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_no_skew_and_one_that_is_too_slow_tells_nothing() {
    for (delay_s, is_told) in [(0, true), (8, true), (11, false)] {
        let local = ManualClock::at(TRUE_MS);
        let delay = Duration::from_secs(delay_s);
        let references = vec![reference("ledger", Kind::Clock, delay)];
        let clock = CheckedClock::new(Arc::new(local.clone()), BOUND, references);
        let answered = clock.compare(0).await;
        local.advance(delay);
        assert_eq!(answered, is_told);
        assert_eq!(clock.read().trust == ClockTrust::Confirmed, is_told, "{delay_s}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_is_right_again_after_the_next_comparison() {
    let local = ManualClock::at(TRUE_MS);
    let true_ms = Arc::new(AtomicI64::new(TRUE_MS));
    let told = true_ms.clone();
    let ask: AskTime = Arc::new(move || {
        let now_ms = told.load(Ordering::Relaxed);
        async move { Ok(Some(ReferenceTime::Now(now_ms))) }.boxed()
    });
    let references = vec![ClockReference { name: "ledger", ask, interval: BOUND }];
    let clock = Arc::new(CheckedClock::new(Arc::new(local.clone()), BOUND, references));
    let stop = CancellationToken::new();
    #[expect(clippy::disallowed_methods, reason = "a test")]
    let running = tokio::spawn(clock.clone().run(stop.clone()));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(clock.read().trust, ClockTrust::Confirmed);
    // Eight hours pass that the runtime does not count.
    true_ms.fetch_add(8 * 3_600_000, Ordering::Relaxed);
    local.set(TRUE_MS + 8 * 3_600_000);
    assert!(!clock.read().trust.may_propose());
    tokio::time::sleep(LOOK_INTERVAL * 2).await;
    assert_eq!(clock.read().trust, ClockTrust::Confirmed);
    stop.cancel();
    running.await.unwrap();
}
