//! Tests of snapshots: what a site is does not depend on the retention of the ledger.

use crate::support::engine::{
    MORNING_MS, RunningEngine, at_counter, command, finish, take_ticket, ticket_number,
};
use crate::support::shop::{
    COVERED, DAY, Shop, a_morning, hall, settings, snapshot, take_with_key,
};
use crate::support::wait_until;
use futures::StreamExt;
use harness::NatsServer;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::{Commit, Event};
use paihao_contracts::streams::{LEDGER, Log, SNAPSHOTS};
use paihao_domain::{Act, Person, TicketId, TicketKey, TicketStatus};
use paihao_gateway::engine::SiteSnapshot;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{Ledger, LogItem, Position, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_line_that_carries_over_survives_a_closure_of_two_weeks() {
    for power_cut in [false, true] {
        let shop = Shop::new();
        let before_closure = shop.start().await;
        a_morning(&before_closure.engine).await;
        let before = snapshot(&before_closure.engine);
        if power_cut {
            tokio::time::sleep(COVERED).await;
            before_closure.kill().await;
        } else {
            before_closure.stop().await;
        }
        shop.stay_closed(14 * DAY).await;

        // The state stands as it stood: an engine whose clock stood still shows it.
        let frozen = shop.start_over(shop.ledger.clone(), ManualClock::at(MORNING_MS)).await;
        assert_eq!(snapshot(&frozen.engine).digest(), before.digest());
        frozen.kill().await;

        let reopened = shop.start().await;
        let engine = &reopened.engine;
        wait_until("the day to turn", async || snapshot(engine).site.day() > before.site.day())
            .await;
        let SiteSnapshot { site, previous_day, .. } = snapshot(engine);
        for (n, person) in [(2, "ben"), (3, "cid"), (4, "dan"), (5, "eve")] {
            let ticket = site.live_ticket_of(&Person::new(person)).expect("still in line");
            assert_eq!((ticket.id, ticket.number.to_string()), (TicketId(n), format!("A00{n}")));
            assert_eq!(ticket.key, Some(TicketKey([n as u8; 16])), "the link");
        }
        assert_eq!(site.ticket(TicketId(2)).unwrap().status(), TicketStatus::Called);
        let served = previous_day.as_deref().and_then(|day| day.ticket(TicketId(1))).unwrap();
        assert_eq!((served.key, served.status()), (Some(TicketKey([1; 16])), TicketStatus::Done));

        assert_eq!(ticket_number(engine.submit("hall", take_ticket("cid again")).await), "A006");
        let again = engine.submit("hall", take_with_key("cid", 9)).await;
        assert_eq!(
            ticket_number(again),
            "A003",
            "the first command is long forgotten, not the line"
        );
        let done = at_counter("1", finish, "second done");
        engine.submit("hall", done).await.unwrap();
        let called = engine.submit("hall", at_counter("1", Act::CallNext, "third")).await;
        assert_eq!(ticket_number(called), "A003");
        let last = shop.ledger.last(&LEDGER, &hall()).await.unwrap().unwrap();
        let commit: Commit = serde_json::from_slice(&last.entry.payload).unwrap();
        let told = commit.decisions.iter().flat_map(|decision| &decision.events).any(|event| {
            matches!(event, Event::NotificationTriggered(trigger)
                if trigger.ticket == 3 && &*trigger.person == "cid" && trigger.key.is_some())
        });
        assert!(told, "the holder is told of the call: {commit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_whose_first_entries_have_aged_out_stands() {
    let shop = Shop::new();
    let running = shop.start().await;
    assert_eq!(ticket_number(running.engine.submit("hall", take_ticket("ann")).await), "A001");
    assert_eq!(ticket_number(running.engine.submit("hall", take_ticket("ben")).await), "A002");
    tokio::time::sleep(COVERED).await;
    shop.clock.advance(Duration::from_secs(8 * 3600));
    assert_eq!(ticket_number(running.engine.submit("hall", take_ticket("cid")).await), "A003");
    let digest = snapshot(&running.engine).digest();
    running.kill().await;
    let frozen_clock = ManualClock::at(shop.clock.now_ms());
    shop.clock.advance(Duration::from_secs(66 * 3600));
    shop.ledger.remove_expired(shop.clock.now_ms()).await.unwrap();
    let first = shop.ledger.follow(&LEDGER, Position::START).await.unwrap().next().await;
    assert!(matches!(first, Some(LogItem::Entry(_))), "the newest entry is still there: {first:?}");

    let frozen = shop.start_over(shop.ledger.clone(), frozen_clock).await;
    assert_eq!(snapshot(&frozen.engine).digest(), digest);
    frozen.kill().await;
    let restarted = shop.start().await;
    assert_eq!(ticket_number(restarted.engine.submit("hall", take_ticket("dan")).await), "A004");
    assert_eq!(ticket_number(restarted.engine.submit("hall", take_ticket("cid")).await), "A003");
}

#[tokio::test(start_paused = true)]
async fn a_restart_at_any_cut_equals_never_having_stopped() {
    let shop = Shop::new();
    let running = shop.start().await;
    let mut skipped = false;
    for round in 0..12 {
        let engine = &running.engine;
        for i in 0..7 {
            engine.submit("hall", take_ticket(&format!("person {round}/{i}"))).await.unwrap();
        }
        let id = |step: &str| format!("{step} {round}");
        // Some of these are refused.
        let _ = engine.submit("hall", at_counter("1", Act::OpenCounter, &id("open"))).await;
        for step in 0..3 {
            let _ = engine.submit("hall", at_counter("1", Act::CallNext, &id("call"))).await;
            let _ = engine.submit("hall", at_counter("1", finish, &id(&format!("{step}")))).await;
        }
        // With the newest entries in a snapshot, with some behind it, and over the turn of a day.
        if round % 3 != 1 {
            tokio::time::sleep(COVERED).await;
        }
        if round == 7 {
            shop.clock.advance(DAY);
            let opened = at_counter("1", Act::OpenCounter, "a new day");
            engine.submit("hall", opened).await.unwrap();
        }
        let ledger = RoutedLedger::new(shop.ledger.clone(), SnapshotStore::Same);
        let restarted = shop.start_over(ledger.clone(), shop.clock.clone()).await;
        let replayed = shop.start_without_snapshots().await;
        let newest = snapshot(engine);
        for other in [&restarted, &replayed] {
            let other = snapshot(&other.engine);
            assert_eq!(other.position, newest.position);
            assert_eq!(other.digest(), newest.digest());
        }
        skipped |= ledger.followed_after.lock()[0] > Position::START;
        restarted.kill().await;
        replayed.kill().await;
    }
    assert!(skipped, "no start left out what the snapshots include");
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_person_leaves_the_snapshot_at_once() {
    const OPENID: &str = "oForgottenPerson0123456789ab";
    let shop = Shop::new();
    let running = shop.start().await;
    for person in [OPENID, "oSomebodyElse"] {
        running.engine.submit("hall", take_ticket(person)).await.unwrap();
    }
    tokio::time::sleep(COVERED).await;
    let stored = shop.stored_text().await;
    assert!(stored.contains(OPENID) && stored.contains("oSomebodyElse"), "{stored}");

    let person = Person::new(OPENID);
    let mut forget = command("forget", Act::Forget { person: person.clone() });
    forget.actor = paihao_domain::Actor::Customer(person);
    let asked_at = tokio::time::Instant::now();
    running.engine.submit("hall", forget).await.unwrap();
    let position = snapshot(&running.engine).position;
    wait_until("a new snapshot", async || shop.stored_position().await >= position).await;
    assert!(asked_at.elapsed() < Duration::from_secs(5));
    let stored = shop.stored_text().await;
    assert!(!stored.contains(OPENID) && stored.contains("oSomebodyElse"), "{stored}");

    // Once the entries have left, no byte of the file names the person; the line stands.
    running.stop().await;
    shop.stay_closed(4 * DAY).await;
    let count = |text: &str| count_occurrences(shop.folder.path(), text);
    assert_eq!((count(OPENID), count("oSomebodyElse")), (0, 0), "what is left is compressed");
    assert!(shop.stored_text().await.contains("oSomebodyElse"));
}

fn count_occurrences(folder: &Path, text: &str) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let count = |path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    };
    files.map(count).sum()
}

#[tokio::test(start_paused = true)]
async fn replicas_that_store_a_snapshot_together_leave_one() {
    let shop = Shop::new();
    let [left, right] = [shop.start().await, shop.start().await];
    for round in 0..10 {
        left.engine.submit("hall", take_ticket(&format!("left {round}"))).await.unwrap();
        right.engine.submit("hall", take_ticket(&format!("right {round}"))).await.unwrap();
        tokio::time::sleep(COVERED).await;
        let newest = shop.ledger.last(&LEDGER, &hall()).await.unwrap().unwrap();
        assert_eq!(shop.stored_position().await, newest.position);
        let entries = shop.ledger.follow(&SNAPSHOTS, Position::START).await.unwrap();
        let limit = tokio::time::sleep(Duration::from_secs(1));
        let entries: Vec<_> = entries.take_until(limit).collect().await;
        assert!(entries.len() <= 2, "one of the site, and the floor: {entries:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_stored_after_a_thousand_entries() {
    let shop = Shop::new();
    let running = shop.start().await;
    for i in 0..1_000 {
        running.engine.submit("hall", take_ticket(&format!("person {i}"))).await.unwrap();
    }
    wait_until("a snapshot", async || {
        shop.ledger.last(&SNAPSHOTS, &hall()).await.unwrap().is_some()
    })
    .await;
    let bytes = shop.stored().await.entry.payload.len();
    assert!(bytes < 200_000, "{bytes} bytes for a thousand people");
}

#[tokio::test(start_paused = true)]
async fn every_decision_is_observed_once_after_a_start_from_snapshots() {
    let shop = Shop::new();
    let running = shop.start().await;
    a_morning(&running.engine).await;
    running.stop().await;
    let observed = Arc::new(Mutex::new(BTreeMap::new()));
    let counts = observed.clone();
    let observer = Arc::new(move |_: &Subject, decision: &paihao_domain::Decision| {
        *counts.lock().entry(decision.command).or_insert(0) += 1;
    });
    let clock = Arc::new(shop.clock.clone());
    let restarted = RunningEngine::start(&settings(), shop.ledger.clone(), clock, observer);
    restarted.engine.until_caught_up().await;
    restarted.engine.submit("hall", take_ticket("fay")).await.unwrap();
    wait_until("all of them", async || observed.lock().len() >= 10).await;
    assert!(observed.lock().values().all(|times| *times == 1), "{observed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_on_jetstream_outlives_its_entries_and_equals_their_replay() {
    let nats = NatsServer::start();
    let brief = Log { retention: Some(Duration::from_secs(6)), ..LEDGER };
    let options =
        NatsOptions { url: nats.url(), retention_overrides: vec![brief], ..Default::default() };
    let nats: Arc<dyn Ledger> = Arc::new(NatsLedger::connect(options).await.unwrap());
    let shop = Shop::new();
    let start = async |ledger: Arc<dyn Ledger>| shop.start_over(ledger, shop.clock.clone()).await;
    let running = start(nats.clone()).await;
    a_morning(&running.engine).await;
    let before = snapshot(&running.engine);
    running.stop().await;

    let routed = RoutedLedger::new(nats.clone(), SnapshotStore::Same);
    let restarted = start(routed.clone()).await;
    let replayed = start(RoutedLedger::new(nats.clone(), SnapshotStore::Absent)).await;
    for other in [&restarted, &replayed] {
        assert_eq!(snapshot(&other.engine).digest(), before.digest());
    }
    // The follower may not have read the newest entry itself when the replica stopped.
    assert!(routed.followed_after.lock()[0] > Position::START);
    restarted.kill().await;
    replayed.kill().await;

    wait_until("the entries to age out", async || {
        nats.head(&LEDGER).await.unwrap() == Position::START
    })
    .await;
    let reopened = start(nats.clone()).await;
    assert_eq!(snapshot(&reopened.engine).digest(), before.digest());
    assert_eq!(ticket_number(reopened.engine.submit("hall", take_ticket("fay")).await), "A006");
}
