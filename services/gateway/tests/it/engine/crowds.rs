//! Tests with more people than one entry of the ledger can hold, over each ledger. A decision about
//! all of them is made in batches, by any replica.

use crate::support::engine::{
    MORNING_MS, at_counter, command, digest, open_ledger, settings_with_queue, start_engine_with,
    take_ticket, ticket_number,
};
use futures::stream::{StreamExt, TryStreamExt};
use harness::NatsServer;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::commit::{Commit, Event};
use paihao_contracts::streams::LEDGER;
use paihao_domain::{Act, CloseReason, QueueId, QueueRules, QueueState, TicketState};
use paihao_gateway::engine::Engine;
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const CROWD_SIZE: usize = 5_000;

/// Waits until the state of the hall satisfies the condition.
async fn wait_until(engine: &Engine, what: &str, condition: impl Fn(&paihao_domain::Site) -> bool) {
    let mut snapshots = engine.watch("hall").unwrap();
    let reached = snapshots.wait_for(|snapshot| condition(&snapshot.site));
    let is_reached = tokio::time::timeout(Duration::from_secs(60), reached).await.is_ok();
    assert!(is_reached, "never {what}");
}

/// Tickets of all notices of a kind, in the order of the ledger.
async fn notified_tickets(ledger: &dyn Ledger, kind: &str) -> Vec<u32> {
    let head = ledger.head(&LEDGER).await.unwrap();
    let mut entries = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let mut tickets = Vec::new();
    while let Some(LogItem::Entry(stored)) = entries.next().await {
        let commit: Commit = serde_json::from_slice(&stored.entry.payload).unwrap();
        for event in commit.decisions.into_iter().flat_map(|decision| decision.events) {
            if let Event::NotificationTriggered(trigger) = event {
                let value = serde_json::to_value(&trigger.kind).unwrap();
                let name = value.get("reached").or(Some(&value)).and_then(|name| name.as_str());
                if name == Some(kind) {
                    tickets.push(trigger.ticket);
                }
            }
        }
        if stored.position >= head {
            break;
        }
    }
    tickets
}

async fn check_crowd(ledger: Arc<dyn Ledger>, clock: ManualClock) {
    let settings = settings_with_queue(QueueRules::new("存取款", "A"));
    let first = start_engine_with(&settings, ledger.clone(), &clock).await;
    let takes = futures::stream::iter(0..CROWD_SIZE)
        .map(async |n| first.submit("hall", take_ticket(&format!("p{n}"))).await.map(drop));
    takes.buffer_unordered(512).try_collect::<()>().await.unwrap();
    first.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    clock.advance(Duration::from_secs(120));
    let queue = QueueId::new("a");
    let line: Vec<_> = {
        let site = first.snapshot("hall").unwrap().site;
        let line = site.line(&queue);
        line.waiting().map(|ticket| ticket.0).collect()
    };
    assert_eq!(line.len(), CROWD_SIZE);

    // The replica that received the command stops after its first batch; two others continue.
    let halt = Act::SetQueueState { queue: queue.clone(), state: QueueState::Halted };
    let others = [
        start_engine_with(&settings, ledger.clone(), &clock).await,
        start_engine_with(&settings, ledger.clone(), &clock).await,
    ];
    first.submit("hall", command("halt", halt)).await.unwrap();
    drop(first);
    let last = paihao_domain::TicketId(*line.last().unwrap());
    for engine in &others {
        wait_until(engine, "all told", |site| site.ticket(last).unwrap().notifications.order > 1)
            .await;
    }
    assert_eq!(notified_tickets(&*ledger, "halted").await, line, "each once, in order");

    clock.advance(Duration::from_secs(120));
    let clear = command("clear", Act::ClearQueue(queue.clone()));
    others[0].submit("hall", clear).await.unwrap();
    // Somebody who comes now does not belong to the line that was cleared.
    assert_eq!(
        ticket_number(others[1].submit("hall", take_ticket("late")).await),
        format!("A{}", CROWD_SIZE + 1)
    );
    for engine in &others {
        wait_until(engine, "all void", |site| site.line(&queue).len() == 1).await;
    }
    let site = others[0].snapshot("hall").unwrap().site;
    let mut ends = BTreeMap::<_, usize>::new();
    for ticket in site.tickets() {
        if let TicketState::Closed { reason, .. } = *ticket.state {
            *ends.entry(format!("{reason:?}")).or_default() += 1;
        }
    }
    assert_eq!(ends, BTreeMap::from([(format!("{:?}", CloseReason::QueueCleared), CROWD_SIZE)]));
    assert_eq!(notified_tickets(&*ledger, "queue_closed").await, line, "each once, in order");
    let digests = [digest(&others[0], &*ledger).await, digest(&others[1], &*ledger).await];
    assert_eq!(digests[0], digests[1]);
}

/// Ends a day with a crowd, in batches; the first command of the new day waits for all of them.
async fn check_night(ledger: Arc<dyn Ledger>, clock: ManualClock, carry_over: bool) {
    let settings =
        settings_with_queue(QueueRules { carry_over, ..QueueRules::new("存取款", "A") });
    let engine = start_engine_with(&settings, ledger.clone(), &clock).await;
    let takes = futures::stream::iter(0..CROWD_SIZE)
        .map(async |n| engine.submit("hall", take_ticket(&format!("p{n}"))).await.map(drop));
    takes.buffer_unordered(512).try_collect::<()>().await.unwrap();
    clock.advance(Duration::from_secs(24 * 3600));
    let early = ticket_number(engine.submit("hall", take_ticket("early")).await);
    let site = engine.snapshot("hall").unwrap().site;
    let waiting = site.line(&QueueId::new("a")).len();
    if carry_over {
        assert_eq!((early, waiting), (format!("A{}", CROWD_SIZE + 1), CROWD_SIZE + 1))
    } else {
        assert_eq!((early, waiting), ("A001".to_owned(), 1))
    }
    let restarted = start_engine_with(&settings, ledger.clone(), &clock).await;
    assert_eq!(digest(&restarted, &*ledger).await, digest(&engine, &*ledger).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_are_halted_and_cleared_in_one_file() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    check_crowd(ledger, clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_are_halted_and_cleared_on_jetstream() {
    let nats = NatsServer::start();
    let options = NatsOptions { url: nats.url(), ..NatsOptions::default() };
    check_crowd(Arc::new(NatsLedger::connect(options).await.unwrap()), ManualClock::at(MORNING_MS))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_are_void_or_go_on_over_the_night() {
    for carry_over in [false, true] {
        let clock = ManualClock::at(MORNING_MS);
        let (ledger, _folder) = open_ledger(&clock);
        check_night(ledger, clock, carry_over).await;
    }
}
