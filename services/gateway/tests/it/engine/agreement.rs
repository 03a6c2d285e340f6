//! Tests that replicas agree: on numbers, on repeated commands, on calls, and on the whole state.

use crate::support::engine::{
    MORNING_MS, at_counter, digest, finish, open_ledger, start_engine, take_ticket, ticket_number,
};
use futures::future::join_all;
use paihao_chassis::clock::ManualClock;
use paihao_domain::{Act, Refusal};
use paihao_gateway::engine::SubmitError;
use std::collections::BTreeSet;

#[tokio::test]
async fn every_scan_delivered_twice_to_two_replicas_at_once_is_one_number_and_one_reply() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let left = start_engine(ledger.clone(), &clock).await;
    let right = start_engine(ledger.clone(), &clock).await;
    let people: Vec<_> = (0..200).map(|i| format!("person {i}")).collect();
    let scans = people.iter().map(|person| async {
        let (one, other) = tokio::join!(
            left.submit("hall", take_ticket(person)),
            right.submit("hall", take_ticket(person))
        );
        assert_eq!(one, other);
        ticket_number(one)
    });
    let numbers: BTreeSet<_> = join_all(scans).await.into_iter().collect();
    let expected: BTreeSet<_> = (1..=200).map(|n| format!("A{n:03}")).collect();
    assert_eq!(numbers, expected);
    let restarted = start_engine(ledger.clone(), &clock).await;
    let expected_digest = digest(&left, &*ledger).await;
    assert_eq!(expected_digest, digest(&right, &*ledger).await);
    assert_eq!(expected_digest, digest(&restarted, &*ledger).await);
}

#[tokio::test]
async fn counters_at_two_replicas_share_the_line_and_keep_its_order() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let left = start_engine(ledger.clone(), &clock).await;
    let right = start_engine(ledger.clone(), &clock).await;
    for i in 0..60 {
        left.submit("hall", take_ticket(&format!("person {i}"))).await.unwrap();
    }
    let counter = async |engine: &paihao_gateway::engine::Engine, counter: &'static str| {
        engine.submit("hall", at_counter(counter, Act::OpenCounter, "open")).await.unwrap();
        let mut called = Vec::new();
        for round in 0.. {
            let call = at_counter(counter, Act::CallNext, &format!("call {round}"));
            match engine.submit("hall", call).await {
                Ok(answer) => called.push(ticket_number(Ok(answer))),
                Err(SubmitError::Refused(Refusal::NobodyWaiting(_))) => break,
                Err(other) => panic!("{other:?}"),
            }
            let done = at_counter(counter, finish, &format!("finish {round}"));
            engine.submit("hall", done).await.unwrap();
        }
        called
    };
    let (one, two) = tokio::join!(counter(&left, "1"), counter(&right, "2"));
    assert!(one.is_sorted() && two.is_sorted(), "{one:?} {two:?}");
    let all: BTreeSet<_> = one.iter().chain(&two).cloned().collect();
    assert_eq!((all.len(), one.len() + two.len()), (60, 60), "somebody was called twice");
}

#[tokio::test]
async fn a_replica_refuses_only_what_is_refused_by_the_newest_state() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let left = start_engine(ledger.clone(), &clock).await;
    let right = start_engine(ledger.clone(), &clock).await;
    for i in 0..50 {
        // The commit of the left replica may not have reached the view of the right one yet.
        left.submit("hall", take_ticket(&format!("person {i}"))).await.unwrap();
        left.submit("hall", at_counter("1", Act::OpenCounter, &format!("open {i}"))).await.unwrap();
        right.submit("hall", at_counter("1", Act::CallNext, &format!("call {i}"))).await.unwrap();
        left.submit("hall", at_counter("1", finish, &format!("finish {i}"))).await.unwrap();
        right
            .submit("hall", at_counter("1", Act::CloseCounter, &format!("close {i}")))
            .await
            .unwrap();
        let closed =
            left.submit("hall", at_counter("1", Act::CallNext, &format!("late {i}"))).await;
        assert!(
            matches!(closed, Err(SubmitError::Refused(Refusal::CounterClosed(_)))),
            "{closed:?}"
        );
    }
}

#[tokio::test]
async fn a_replica_that_starts_late_reads_a_long_past_and_goes_on_from_there() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let early = start_engine(ledger.clone(), &clock).await;
    // This is several times the number of entries that are decoded together, and no multiple of it.
    for i in 0..801 {
        early.submit("hall", take_ticket(&format!("person {i}"))).await.unwrap();
    }
    let late = start_engine(ledger.clone(), &clock).await;
    let snapshot = |engine: &paihao_gateway::engine::Engine| engine.snapshot("hall").unwrap();
    assert_eq!(snapshot(&late).position, snapshot(&early).position);
    assert_eq!(snapshot(&late).digest(), snapshot(&early).digest());
    early.submit("hall", take_ticket("one more")).await.unwrap();
    assert_eq!(digest(&late, &*ledger).await, snapshot(&early).digest());
}

#[tokio::test]
async fn what_another_replica_has_written_is_in_the_newest_view() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let left = start_engine(ledger.clone(), &clock).await;
    let right = start_engine(ledger.clone(), &clock).await;
    for i in 1..=50 {
        left.submit("hall", take_ticket(&format!("person {i}"))).await.unwrap();
        assert_eq!(right.latest_snapshot("hall").await.unwrap().site.tickets().count(), i);
    }
    assert_eq!(right.latest_snapshot("nowhere").await.err(), Some(SubmitError::UnknownSite));
}

#[tokio::test]
async fn an_unknown_site_is_said_so() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let engine = start_engine(ledger, &clock).await;
    assert_eq!(engine.submit("nowhere", take_ticket("ann")).await, Err(SubmitError::UnknownSite));
}
