//! Gates in a paused time: waiting, being held back, and learning from how calls end.

use super::*;
use crate::codes::{Place, lookup};
use crate::error::Refusal;
use std::collections::BTreeMap;
use std::time::Duration;

const NOON: i64 = 1_795_320_000_000;
const SEND: Api = Api::SendTemplate;

fn gates(limit: Limit) -> Arc<Gates> {
    let limits = Limits { apis: BTreeMap::from([(SEND, limit)]), ..Limits::default() };
    let begun = Instant::now();
    Gates::new(limits, Arc::new(move || NOON + begun.elapsed().as_millis() as i64))
}

fn limit(in_flight: usize, per_second: u32, per_day: u64) -> Limit {
    Limit { in_flight, per_second, per_day, reserve_percent: None }
}

fn refused(code: i64) -> Result<(), CallError> {
    let row = lookup(code, Place::Call);
    let (name, meaning) = (row.name, row.meaning);
    Err(CallError::Refused(Refusal { code, name, meaning, sentence: String::new() }))
}

async fn reason(gates: &Arc<Gates>, account: &str) -> Option<Reason> {
    gates.pass(account, SEND, Value::Normal).await.err().map(|busy| busy.reason)
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_on_their_way_than_allowed_and_the_next_waits_a_little() {
    let gates = gates(limit(2, 0, 0));
    let (one, two) = (
        gates.pass("a", SEND, Value::Normal).await.unwrap(),
        gates.pass("a", SEND, Value::Normal).await.unwrap(),
    );
    let begun = Instant::now();
    assert_eq!(reason(&gates, "a").await, Some(Reason::InFlight));
    assert_eq!(begun.elapsed(), Duration::from_secs(1), "its patience");
    let waiting = gates.pass("a", SEND, Value::Normal);
    let freeing = async {
        sleep(Duration::from_millis(300)).await;
        one.ended(&Ok(()));
    };
    let (third, ()) = tokio::join!(waiting, freeing);
    assert!(third.is_ok());
    drop(two);
    assert_eq!(reason(&gates, "a").await, None, "one that is given up leaves its place");
}

#[tokio::test(start_paused = true)]
async fn calls_are_spread_over_time() {
    let gates = gates(limit(0, 10, 0));
    let begun = Instant::now();
    for _ in 0..30 {
        gates.pass("a", SEND, Value::Normal).await.unwrap().ended(&Ok(()));
    }
    let took = begun.elapsed();
    assert!((2_000..2_050).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn one_accounts_trouble_is_its_own() {
    let gates = gates(limit(4, 0, 3));
    for _ in 0..3 {
        gates.pass("spent", SEND, Value::High).await.unwrap().ended(&Ok(()));
    }
    gates.pass("stopped", SEND, Value::High).await.unwrap().ended(&refused(45009));
    gates.pass("hasty", SEND, Value::High).await.unwrap().ended(&refused(45011));
    assert_eq!(reason(&gates, "spent").await, Some(Reason::Budget));
    assert_eq!(reason(&gates, "stopped").await, Some(Reason::DailyQuota));
    assert_eq!(reason(&gates, "hasty").await, Some(Reason::MinuteQuota));
    assert_eq!(reason(&gates, "well").await, None);
    let other = gates.pass("stopped", Api::CreateQr, Value::Low).await;
    assert!(other.is_ok(), "and so is one call's");
    sleep(Duration::from_secs(61)).await;
    assert_eq!(reason(&gates, "hasty").await, None);
    gates.cleared("stopped");
    assert_eq!(reason(&gates, "stopped").await, None);
    assert_eq!(reason(&gates, "spent").await, Some(Reason::Budget));
}

#[tokio::test(start_paused = true)]
async fn the_circuit_opens_and_one_call_finds_out() {
    let gates = gates(limit(64, 0, 0));
    for _ in 0..10 {
        gates.pass("a", SEND, Value::High).await.unwrap().ended::<()>(&Err(CallError::TimedOut));
    }
    let busy = gates.pass("a", SEND, Value::High).await.err().unwrap();
    assert_eq!((busy.reason, busy.retry_after), (Reason::Circuit, Duration::from_secs(2)));
    sleep(Duration::from_secs(2)).await;
    let probe = gates.pass("a", SEND, Value::High).await.unwrap();
    assert_eq!(reason(&gates, "a").await, Some(Reason::Circuit), "one call at a time");
    drop(probe);
    let probe = gates.pass("a", SEND, Value::High).await.unwrap();
    probe.ended(&Ok(()));
    let all = (0..20).map(|_| gates.pass("a", SEND, Value::High));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn an_account_may_have_figures_of_its_own_and_wechats_figures_are_taken_in() {
    let mut limits = Limits::default();
    limits.accounts.insert("big".into(), BTreeMap::from([(SEND, limit(0, 0, 1_000_000))]));
    let gates = Gates::new(limits, Arc::new(|| NOON));
    assert_eq!(gates.standing("big", SEND).per_day, Some(1_000_000));
    assert_eq!(gates.standing("small", SEND).per_day, Some(100_000));
    let quota = Quota { daily_limit: 2_000, used: 1_999, remain: 1, rate: None };
    gates.learn("small", SEND, 0, &quota);
    assert_eq!(gates.standing("small", SEND).used_today, 1_999);
    assert_eq!(reason(&gates, "small").await, Some(Reason::Budget), "the rest is for called");
    gates.pass("small", SEND, Value::High).await.unwrap().ended(&Ok(()));
    assert!(gates.pass("small", SEND, Value::High).await.is_err());
}
