//! Tests that a gateway learns forecasts from the visit log, and again after a restart.

use super::visit_writer::{append_history, history_entries};
use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, command, finish, take_ticket};
use crate::support::gateway::Gateway;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_domain::{Act, CounterId, Outcome, QuotedWait};
use paihao_ledger::Subject;
use std::time::Duration;

fn advance_minutes(clock: &ManualClock, minutes: u64) {
    clock.advance(Duration::from_secs(minutes * 60));
}

async fn quoted_wait(gateway: &Gateway, person: &str) -> QuotedWait {
    match gateway.engine.submit("hall", take_ticket(person)).await.unwrap().outcome {
        Outcome::Holding { standing, .. } => standing.wait.expect("in the line"),
        other => panic!("{other:?}"),
    }
}

/// Runs a day on which services take twenty minutes, although the owner configured three.
async fn run_slow_day(cluster: &Cluster, gateway: &Gateway) {
    let engine = &gateway.engine;
    engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    engine.submit("hall", take_ticket("first")).await.unwrap();
    engine.submit("hall", at_counter("1", Act::CallNext, "first")).await.unwrap();
    for i in 0..32 {
        engine.submit("hall", take_ticket(&format!("p{i}"))).await.unwrap();
        advance_minutes(&cluster.clock, 20);
        engine.submit("hall", at_counter("1", finish, &format!("f{i}"))).await.unwrap();
        engine.submit("hall", at_counter("1", Act::CallNext, &format!("c{i}"))).await.unwrap();
    }
}

#[tokio::test]
async fn what_visits_taught_changes_what_the_next_one_is_told_and_is_read_again_at_a_start() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    run_slow_day(&cluster, &gateway).await;
    let cold = quoted_wait(&gateway, "ann").await;
    assert!(cold.cold && cold.estimate.unwrap().high <= 10, "{cold:?}");

    let last = append_history(&cluster, history_entries(&cluster).await).await;
    gateway.visits.until(last).await;
    let warm = quoted_wait(&gateway, "ben").await;
    let range = warm.estimate.unwrap();
    assert!(!warm.cold && range.low >= 20, "{warm:?}");

    // Somebody who joins now is shown the same estimate everywhere.
    let (_, board) = gateway.get_json("").await;
    let queue = &board["queues"][0];
    assert!(queue["minutes"][0].as_u64().unwrap() >= 20, "{queue}");
    assert_eq!(board["calls"][0]["queue"], "a");

    let again = cluster.start_gateway().await;
    again.visits.until_caught_up().await;
    let site = Subject::new(&["shop", "hall"]).unwrap();
    assert_eq!(again.visits.model(&site), gateway.visits.model(&site));
    let accuracy = again.visits.accuracy();
    assert_eq!(accuracy, gateway.visits.accuracy());
    let total = accuracy.total();
    assert_eq!((total.count(), total.coverage()), (31, Some(0.0)), "nobody came in three minutes");
}

#[tokio::test]
async fn a_visit_that_is_written_twice_teaches_once() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    run_slow_day(&cluster, &gateway).await;
    let history = history_entries(&cluster).await;
    let once = append_history(&cluster, history.clone()).await;
    gateway.visits.until(once).await;
    let site = Subject::new(&["shop", "hall"]).unwrap();
    let model = gateway.visits.model(&site);
    let twice = append_history(&cluster, history).await;
    gateway.visits.until(twice).await;
    assert_eq!(gateway.visits.model(&site), model);
    assert_eq!(gateway.visits.accuracy().total().count(), 31);
}

/// A wrong clock ended a visit in the future. The visits after it count like those before.
#[tokio::test]
async fn a_visit_in_the_future_takes_nothing_from_the_others() {
    for days in [1, 4, 28, 400] {
        let cluster = Cluster::new();
        let gateway = cluster.start_gateway().await;
        let day = Duration::from_secs(24 * 3600);
        let visit = async |n: u32| {
            let step = |name: &str| format!("{name} {n}");
            let act = async |act: fn(CounterId) -> Act, name: &str| {
                advance_minutes(&cluster.clock, 1);
                gateway.engine.submit("hall", at_counter("1", act, &step(name))).await
            };
            // After the reset it is open still.
            let _ = act(Act::OpenCounter, "open").await;
            gateway.engine.submit("hall", take_ticket(&step("first"))).await.unwrap();
            act(Act::CallNext, "call first").await.unwrap();
            // This one waits for the other.
            gateway.engine.submit("hall", take_ticket(&step("second"))).await.unwrap();
            act(finish, "finish first").await.unwrap();
            act(Act::CallNext, "call second").await.unwrap();
            act(finish, "finish second").await.unwrap();
        };
        visit(1).await;
        let today = cluster.clock.now_ms();
        cluster.clock.advance(day * days);
        visit(2).await;
        cluster.clock.set(today);
        let reset = command("reset", Act::ResetDay { force: false });
        gateway.engine.submit("hall", reset).await.unwrap();
        visit(3).await;
        let last = append_history(&cluster, history_entries(&cluster).await).await;
        gateway.visits.until(last).await;
        assert_eq!(gateway.visits.accuracy().total().count(), 3, "{days}");
        let (_, numbers) = gateway.get_json("/numbers?from=2026-11-20").await;
        assert_eq!(numbers["total"]["served"], 4, "{days} {numbers}");
    }
}
