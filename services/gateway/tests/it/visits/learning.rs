//! A gateway learns from the history what people are told, and knows it again after a restart.

use super::historian::{said, write};
use crate::support::door::{Gateway, Hall};
use crate::support::replica::{at, finish, take};
use paihao_chassis::clock::ManualClock;
use paihao_domain::{Act, Outcome, QuotedWait};
use paihao_ledger::Subject;
use std::time::Duration;

fn later(clock: &ManualClock, minutes: u64) {
    clock.advance(Duration::from_secs(minutes * 60));
}

async fn told(gateway: &Gateway, person: &str) -> QuotedWait {
    match gateway.lines.submit("hall", take(person)).await.unwrap().outcome {
        Outcome::Holding { told, .. } => told,
        other => panic!("{other:?}"),
    }
}

/// The queue's owner said three minutes each; it takes twenty.
async fn a_slow_day(hall: &Hall, gateway: &Gateway) {
    let lines = &gateway.lines;
    lines.submit("hall", at("1", Act::OpenCounter, "open")).await.unwrap();
    lines.submit("hall", take("first")).await.unwrap();
    lines.submit("hall", at("1", Act::CallNext, "first")).await.unwrap();
    for i in 0..32 {
        lines.submit("hall", take(&format!("p{i}"))).await.unwrap();
        later(&hall.clock, 20);
        lines.submit("hall", at("1", finish, &format!("f{i}"))).await.unwrap();
        lines.submit("hall", at("1", Act::CallNext, &format!("c{i}"))).await.unwrap();
    }
}

#[tokio::test]
async fn what_visits_taught_changes_what_the_next_one_is_told_and_is_read_again_at_a_start() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    a_slow_day(&hall, &gateway).await;
    let cold = told(&gateway, "ann").await;
    assert!(cold.cold && cold.estimate.unwrap().high <= 10, "{cold:?}");

    let last = write(&hall, said(&hall).await).await;
    gateway.lines.history().until(last).await;
    let warm = told(&gateway, "ben").await;
    let range = warm.estimate.unwrap();
    assert!(!warm.cold && range.low >= 20, "{warm:?}");

    // Who would join now is told the same, on every screen.
    let (_, seen) = gateway.json("").await;
    let queue = &seen["queues"][0];
    assert!(queue["minutes"][0].as_u64().unwrap() >= 20, "{queue}");
    assert_eq!(seen["calls"][0]["queue"], "a");

    let again = hall.gateway().await;
    again.lines.history().until_caught_up().await;
    let site = Subject::new(&["shop", "hall"]).unwrap();
    assert_eq!(again.lines.history().model(&site), gateway.lines.history().model(&site));
    let accuracy = again.lines.history().accuracy();
    assert_eq!(accuracy, gateway.lines.history().accuracy());
    let total = accuracy.total();
    assert_eq!((total.count(), total.coverage()), (31, Some(0.0)), "nobody came in three minutes");
}

#[tokio::test]
async fn a_visit_that_is_written_twice_teaches_once() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    a_slow_day(&hall, &gateway).await;
    let said = said(&hall).await;
    let once = write(&hall, said.clone()).await;
    gateway.lines.history().until(once).await;
    let site = Subject::new(&["shop", "hall"]).unwrap();
    let model = gateway.lines.history().model(&site);
    let twice = write(&hall, said).await;
    gateway.lines.history().until(twice).await;
    assert_eq!(gateway.lines.history().model(&site), model);
    assert_eq!(gateway.lines.history().accuracy().total().count(), 31);
}
