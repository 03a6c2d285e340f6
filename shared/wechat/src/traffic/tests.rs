//! Tests of the limiter in paused time: waiting, throttling, and the effect of results.

use super::*;
use crate::codes::{CodeScope, lookup};
use crate::error::Refusal;
use std::collections::BTreeMap;
use std::time::Duration;

const NOON_MS: i64 = 1_795_320_000_000;
const SEND: Api = Api::SendTemplate;

fn limiter(limit: Limit) -> Arc<CallLimiter> {
    let limits = Limits { apis: BTreeMap::from([(SEND, limit)]), ..Limits::default() };
    let started = Instant::now();
    CallLimiter::new(limits, Arc::new(move || NOON_MS + started.elapsed().as_millis() as i64))
}

fn limit(in_flight: usize, per_second: u32, per_day: u64) -> Limit {
    Limit { in_flight, per_second, per_day, reserve_percent: None }
}

fn refused_result(code: i64) -> Result<(), CallError> {
    let row = lookup(code, CodeScope::Call);
    let name = row.name;
    let meaning = row.class;
    Err(CallError::Refused(Refusal { code, name, class: meaning, sentence: String::new() }))
}

async fn throttle_reason(limiter: &Arc<CallLimiter>, account: &str) -> Option<ThrottleReason> {
    limiter.acquire(account, SEND, CallPriority::Normal).await.err().map(|busy| busy.reason)
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_on_their_way_than_allowed_and_the_next_waits_a_little() {
    let limiter = limiter(limit(2, 0, 0));
    let one = limiter.acquire("a", SEND, CallPriority::Normal).await.unwrap();
    let two = limiter.acquire("a", SEND, CallPriority::Normal).await.unwrap();
    let started = Instant::now();
    assert_eq!(throttle_reason(&limiter, "a").await, Some(ThrottleReason::InFlight));
    assert_eq!(started.elapsed(), Duration::from_secs(1), "its patience");
    let waiting = limiter.acquire("a", SEND, CallPriority::Normal);
    let freeing = async {
        sleep(Duration::from_millis(300)).await;
        one.finish(&Ok(()));
    };
    let (third, ()) = tokio::join!(waiting, freeing);
    assert!(third.is_ok());
    drop(two);
    assert_eq!(throttle_reason(&limiter, "a").await, None, "one that is given up leaves its place");
}

#[tokio::test(start_paused = true)]
async fn calls_are_spread_over_time() {
    let limiter = limiter(limit(0, 10, 0));
    let started = Instant::now();
    for _ in 0..30 {
        limiter.acquire("a", SEND, CallPriority::Normal).await.unwrap().finish(&Ok(()));
    }
    let elapsed = started.elapsed();
    assert!((2_000..2_050).contains(&elapsed.as_millis()), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn one_accounts_trouble_is_its_own() {
    let limiter = limiter(limit(4, 0, 3));
    for _ in 0..3 {
        limiter.acquire("spent", SEND, CallPriority::High).await.unwrap().finish(&Ok(()));
    }
    limiter
        .acquire("stopped", SEND, CallPriority::High)
        .await
        .unwrap()
        .finish(&refused_result(45009));
    limiter
        .acquire("hasty", SEND, CallPriority::High)
        .await
        .unwrap()
        .finish(&refused_result(45011));
    assert_eq!(throttle_reason(&limiter, "spent").await, Some(ThrottleReason::Budget));
    assert_eq!(throttle_reason(&limiter, "stopped").await, Some(ThrottleReason::DailyQuota));
    assert_eq!(throttle_reason(&limiter, "hasty").await, Some(ThrottleReason::MinuteQuota));
    assert_eq!(throttle_reason(&limiter, "well").await, None);
    let other = limiter.acquire("stopped", Api::CreateQr, CallPriority::Low).await;
    assert!(other.is_ok(), "and so is one call's");
    sleep(Duration::from_secs(61)).await;
    assert_eq!(throttle_reason(&limiter, "hasty").await, None);
    limiter.reset_account("stopped");
    assert_eq!(throttle_reason(&limiter, "stopped").await, None);
    assert_eq!(throttle_reason(&limiter, "spent").await, Some(ThrottleReason::Budget));
}

#[tokio::test(start_paused = true)]
async fn the_circuit_opens_and_one_call_probes() {
    let limiter = limiter(limit(64, 0, 0));
    for _ in 0..10 {
        limiter
            .acquire("a", SEND, CallPriority::High)
            .await
            .unwrap()
            .finish::<()>(&Err(CallError::TimedOut));
    }
    let busy = limiter.acquire("a", SEND, CallPriority::High).await.err().unwrap();
    assert_eq!((busy.reason, busy.retry_after), (ThrottleReason::Circuit, Duration::from_secs(2)));
    sleep(Duration::from_secs(2)).await;
    let probe = limiter.acquire("a", SEND, CallPriority::High).await.unwrap();
    assert_eq!(
        throttle_reason(&limiter, "a").await,
        Some(ThrottleReason::Circuit),
        "one call at a time"
    );
    drop(probe);
    let probe = limiter.acquire("a", SEND, CallPriority::High).await.unwrap();
    probe.finish(&Ok(()));
    let all = (0..20).map(|_| limiter.acquire("a", SEND, CallPriority::High));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn an_account_may_have_figures_of_its_own_and_wechats_figures_are_taken_in() {
    let mut limits = Limits::default();
    limits.accounts.insert("big".into(), BTreeMap::from([(SEND, limit(0, 0, 1_000_000))]));
    let limiter = CallLimiter::new(limits, Arc::new(|| NOON_MS));
    assert_eq!(limiter.usage("big", SEND).per_day, Some(1_000_000));
    assert_eq!(limiter.usage("small", SEND).per_day, Some(100_000));
    let quota = Quota { daily_limit: 2_000, used: 1_999, remain: 1, rate: None };
    limiter.sync_usage("small", SEND, 0, &quota);
    assert_eq!(limiter.usage("small", SEND).used_today, 1_999);
    assert_eq!(
        throttle_reason(&limiter, "small").await,
        Some(ThrottleReason::Budget),
        "the rest is for called"
    );
    limiter.acquire("small", SEND, CallPriority::High).await.unwrap().finish(&Ok(()));
    assert!(limiter.acquire("small", SEND, CallPriority::High).await.is_err());
}
