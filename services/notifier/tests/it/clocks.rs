//! Tests of a notifier whose machine has a wrong clock: by how much, since when, and what
//! contradicts it.

use crate::support::{START_MS, TestEnv, notice_key, open_id, policy_for, settings};
use futures::FutureExt;
use paihao_chassis::checked_clock::{AskTime, CheckedClock, ClockReference, ReferenceTime};
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::notice::{Channel, DeliveryOutcome};
use paihao_notifier::{Ports, start};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(10);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Errors of a clock in milliseconds: within the bound and beyond it, past the validity of a call,
/// and days.
const ERRORS: [i64; 8] =
    [9_000, -9_000, 11 * MINUTE_MS, -11 * MINUTE_MS, DAY_MS, 4 * DAY_MS, -4 * DAY_MS, 400 * DAY_MS];

/// Clock that contradicts the one of the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reference {
    /// That of the ledger's server.
    Server,
    /// Nothing but the time that passes, from a right beginning.
    Elapsed,
}

/// Begin of the error.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Begin {
    Start,
    Midway,
}

/// Clock that is wrong by what a test sets.
struct WrongClock {
    right: ManualClock,
    error_ms: AtomicI64,
}

impl Clock for WrongClock {
    fn now_ms(&self) -> i64 {
        self.right.now_ms() + self.error_ms.load(Ordering::Relaxed)
    }
}

async fn check(reference: Reference, begin: Begin, error_ms: i64) {
    let case = format!("{reference:?} {begin:?} {error_ms}");
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    let local = Arc::new(WrongClock { right: env.clock.clone(), error_ms: AtomicI64::new(0) });
    let right = env.clock.clone();
    let ask: AskTime = Arc::new(move || {
        let told = match reference {
            Reference::Server => ReferenceTime::Now(right.now_ms()),
            Reference::Elapsed => ReferenceTime::AtLeast(START_MS),
        };
        async move { Ok(Some(told)) }.boxed()
    });
    let references = vec![ClockReference { name: "ledger", ask, interval: BOUND }];
    if begin == Begin::Start {
        local.error_ms.store(error_ms, Ordering::Relaxed);
    }
    let clock = Arc::new(CheckedClock::new(local.clone(), BOUND, references));
    clock.compare_all().await;
    let ports = Ports { clock: clock.clone(), ..env.ports(env.ledger.clone()) };
    start(settings(policy_for(&[Channel::Template]), 8), ports, &env.tasks);
    local.error_ms.store(error_ms, Ordering::Relaxed);
    env.call_tickets(1..2).await;
    let end = env.wait_until_ended(1).await.remove(&notice_key(1)).unwrap();
    assert!(matches!(end.outcome, DeliveryOutcome::Sent { .. }), "{case}: {end:?}");
    assert!((end.at - START_MS).abs() < MINUTE_MS, "{case}: dated {}", end.at);
    // What is stored now does not stand in the way of a clock that is right again.
    local.error_ms.store(0, Ordering::Relaxed);
    env.call_tickets(2..3).await;
    let end = env.wait_until_ended(2).await.remove(&notice_key(2)).unwrap();
    assert!(matches!(end.outcome, DeliveryOutcome::Sent { .. }), "{case}: {end:?}");
    let messages = [1, 2].map(|person| env.wechat.messages(&open_id(person)).len());
    assert_eq!(messages, [1, 1], "{case}");
    env.tasks.abort();
}

#[tokio::test]
async fn a_wrong_clock_makes_no_message_stale_and_sends_none_twice() {
    for error_ms in ERRORS {
        check(Reference::Server, Begin::Start, error_ms).await;
        check(Reference::Server, Begin::Midway, error_ms).await;
        check(Reference::Elapsed, Begin::Midway, error_ms).await;
    }
}
