//! Tests of events that time alone causes: every replica proposes them, and they happen once.

use crate::support::engine::{
    MORNING_MS, at_counter, command, digest, open_ledger, settings_with_queue, start_engine_with,
    take_ticket, ticket_number,
};
use paihao_chassis::clock::ManualClock;
use paihao_domain::{Act, CloseReason, QueueRules, TicketId, TicketState, TicketStatus};
use paihao_gateway::engine::Engine;
use paihao_ledger::Ledger;
use std::time::Duration;

/// Waits until a ticket reaches a state by itself.
async fn wait_until_state(engine: &Engine, ticket: u32, state: TicketStatus) {
    let mut snapshots = engine.watch("hall").unwrap();
    let reached = snapshots.wait_for(|snapshot| {
        snapshot.site.ticket(TicketId(ticket)).is_some_and(|ticket| ticket.status() == state)
    });
    let is_reached = tokio::time::timeout(Duration::from_secs(20), reached).await.is_ok();
    assert!(is_reached, "ticket {ticket} never was {state:?}");
}

fn auto_miss_rules() -> QueueRules {
    QueueRules { auto_miss: true, grace_seconds: 60, ..QueueRules::new("存取款", "A") }
}

#[tokio::test]
async fn of_three_replicas_one_marks_the_absent_as_missed_and_later_as_expired() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let settings = settings_with_queue(auto_miss_rules());
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(start_engine_with(&settings, ledger.clone(), &clock).await);
    }
    replicas[0].submit("hall", take_ticket("ann")).await.unwrap();
    replicas[0].submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    assert_eq!(
        ticket_number(replicas[0].submit("hall", at_counter("1", Act::CallNext, "call")).await),
        "A001"
    );
    let head = ledger.head(&paihao_contracts::streams::LEDGER).await.unwrap();
    clock.advance(Duration::from_secs(61));
    for engine in &replicas {
        wait_until_state(engine, 1, TicketStatus::Missed).await;
    }
    clock.advance(Duration::from_secs(30 * 60));
    for engine in &replicas {
        wait_until_state(engine, 1, TicketStatus::Closed).await;
        let site = engine.snapshot("hall").unwrap().site;
        let ticket_state = &*site.ticket(TicketId(1)).unwrap().state;
        assert!(
            matches!(ticket_state, TicketState::Closed { reason: CloseReason::Expired, .. }),
            "{ticket_state:?}"
        );
        assert_eq!(site.ticket(TicketId(1)).unwrap().counts.misses, 1);
    }
    // There is one entry for the miss and one for the end.
    let now = ledger.head(&paihao_contracts::streams::LEDGER).await.unwrap();
    assert_eq!(now.0, head.0 + 2);
    let digests = [digest(&replicas[0], &*ledger).await, digest(&replicas[2], &*ledger).await];
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn a_day_ends_by_itself_and_only_what_carries_over_goes_on() {
    let clock = ManualClock::at(MORNING_MS);
    for carry_over in [false, true] {
        let (ledger, _folder) = open_ledger(&clock);
        let settings = settings_with_queue(QueueRules { carry_over, ..auto_miss_rules() });
        let engine = start_engine_with(&settings, ledger.clone(), &clock).await;
        engine.submit("hall", take_ticket("ann")).await.unwrap();
        let day = engine.snapshot("hall").unwrap().site.day().unwrap();
        clock.advance(Duration::from_secs(24 * 3600));
        let mut snapshots = engine.watch("hall").unwrap();
        let next = snapshots.wait_for(|snapshot| snapshot.site.day() > Some(day));
        tokio::time::timeout(Duration::from_secs(20), next).await.unwrap().map(drop).unwrap();
        let second = ticket_number(engine.submit("hall", take_ticket("ben")).await);
        assert_eq!(second, if carry_over { "A002" } else { "A001" });
        let again = engine.submit("hall", command("again", take_ticket("ann").act)).await;
        assert_eq!(ticket_number(again), if carry_over { "A001" } else { "A002" });
    }
}
