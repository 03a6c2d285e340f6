//! Tests of snapshots that cannot be read or stored, and of ledgers that do not fit them.

use crate::support::engine::{RunningEngine, take_ticket, ticket_number};
use crate::support::shop::{COVERED, DAY, Shop, a_morning, hall, snapshot};
use futures::StreamExt;
use paihao_contracts::streams::{LEDGER, SNAPSHOT_FLOOR, SNAPSHOTS};
use paihao_gateway::engine::SubmitError;
use paihao_gateway::settings::DeploymentSettings;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_decoded_is_left_out() {
    for payload in [&b"no snapshot at all"[..], br#"{"v":1}"#] {
        let shop = Shop::new();
        let running = shop.start().await;
        a_morning(&running.engine).await;
        let digest = snapshot(&running.engine).digest();
        running.stop().await;
        let broken = Entry::new(payload);
        shop.ledger.append(&SNAPSHOTS, &hall(), ExpectedPosition::Any, broken).await.unwrap();
        let restarted = shop.start().await;
        assert_eq!(snapshot(&restarted.engine).digest(), digest);
        restarted.engine.submit("hall", take_ticket("fay")).await.unwrap();
        tokio::time::sleep(COVERED).await;
        assert_eq!(shop.stored_position().await, snapshot(&restarted.engine).position);
    }
}

fn newer_snapshot() -> Entry {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(br#"{"v":99,"position":7,"wonders":[]}"#).unwrap();
    Entry::new(encoder.finish().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_newer_program_is_left_to_it_and_nothing_is_guessed() {
    let shop = Shop::new();
    let running = shop.start().await;
    a_morning(&running.engine).await;
    let digest = snapshot(&running.engine).digest();
    running.stop().await;
    shop.ledger.append(&SNAPSHOTS, &hall(), ExpectedPosition::Any, newer_snapshot()).await.unwrap();
    // The ledger holds the beginning of the day.
    let restarted = shop.start().await;
    assert_eq!(snapshot(&restarted.engine).digest(), digest);
    assert_eq!(ticket_number(restarted.engine.submit("hall", take_ticket("fay")).await), "A006");
    tokio::time::sleep(COVERED).await;
    assert_eq!(shop.stored().await.entry, newer_snapshot());
    assert_eq!(restarted.engine.newer(), None, "it lacks nothing");
    restarted.stop().await;

    // It holds nothing any more: only the newer program knows the line.
    shop.stay_closed(14 * DAY).await;
    let reopened = shop.start().await;
    let answer = reopened.engine.submit("hall", take_ticket("gil")).await;
    assert_eq!(answer, Err(SubmitError::Unreadable));
    assert_eq!(reopened.engine.newer().map(|newer| newer.version), Some(99));
    assert_eq!(shop.ledger.head(&LEDGER).await.unwrap(), Position::START);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_no_snapshot_is_in_nobodys_way() {
    let shop = Shop::new();
    let running = shop.start_without_snapshots().await;
    for i in 0..20 {
        running.engine.submit("hall", take_ticket(&format!("person {i}"))).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(shop.ledger.last(&SNAPSHOTS, &hall()).await.unwrap(), None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_made_anew_begins_with_empty_lines() {
    let shop = Shop::new();
    let running = shop.start().await;
    a_morning(&running.engine).await;
    running.stop().await;
    // The snapshots are those of the ledger that is gone.
    let fresh = Shop::new();
    let snapshots = SnapshotStore::Other(shop.ledger.clone());
    let ledger = RoutedLedger::new(fresh.ledger.clone(), snapshots);
    let started_at = tokio::time::Instant::now();
    let restarted = shop.start_over(ledger.clone(), shop.clock.clone()).await;
    assert!(started_at.elapsed() >= Duration::from_secs(15), "it is doubted for a while");
    assert_eq!(ticket_number(restarted.engine.submit("hall", take_ticket("zoe")).await), "A001");
    tokio::time::sleep(COVERED).await;
    assert_eq!(shop.stored_position().await, snapshot(&restarted.engine).position);
    restarted.kill().await;
    let again = shop.start_over(ledger, shop.clock.clone()).await;
    assert_eq!(snapshot(&again.engine).site.tickets().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_ledger_has_lost_stands_as_far_as_a_snapshot_includes_it() {
    let shop = Shop::new();
    let running = shop.start().await;
    a_morning(&running.engine).await;
    let digest = snapshot(&running.engine).digest();
    running.stop().await;
    let floor = Subject::new(&[SNAPSHOT_FLOOR]).unwrap();
    let low = Entry::new(&br#"{"v":1,"position":2}"#[..]);
    shop.ledger.append(&SNAPSHOTS, &floor, ExpectedPosition::Any, low).await.unwrap();
    // The newest entries were acknowledged and not kept.
    let truncated = Shop::new();
    let entries = shop.ledger.follow(&LEDGER, Position::START).await.unwrap();
    for item in entries.take(6).collect::<Vec<_>>().await {
        let LogItem::Entry(stored) = item else { panic!("{item:?}") };
        let (inner, subject) = (&truncated.ledger, hall());
        let copied = inner.append(&LEDGER, &subject, ExpectedPosition::Any, stored.entry).await;
        assert_eq!(copied.unwrap(), stored.position);
    }
    let snapshots = SnapshotStore::Other(shop.ledger.clone());
    let ledger = RoutedLedger::new(truncated.ledger.clone(), snapshots);
    let restarted = shop.start_over(ledger.clone(), shop.clock.clone()).await;
    assert_eq!(snapshot(&restarted.engine).digest(), digest);
    assert_eq!(ticket_number(restarted.engine.submit("hall", take_ticket("fay")).await), "A006");
    assert_eq!(truncated.ledger.head(&LEDGER).await.unwrap(), Position(7), "given once more");
    let digest = snapshot(&restarted.engine).digest();
    restarted.kill().await;
    let again = shop.start_over(ledger, shop.clock.clone()).await;
    assert_eq!(snapshot(&again.engine).digest(), digest);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_was_retired_leaves_with_the_retention_of_the_ledger() {
    let shop = Shop::new();
    let running = shop.start().await;
    a_morning(&running.engine).await;
    running.stop().await;
    shop.stay_closed(4 * DAY).await;
    assert!(shop.stored_text().await.contains("eve"));

    let (clock, observer) = (Arc::new(shop.clock.clone()), Arc::new(|_: &Subject, _: &_| {}));
    let without_site = DeploymentSettings::default();
    let retired = RunningEngine::start(&without_site, shop.ledger.clone(), clock, observer);
    tokio::time::sleep(2 * DAY).await;
    assert!(shop.stored_text().await.contains("eve"), "the settings may be wrong for a while");
    tokio::time::sleep(2 * DAY).await;
    assert!(!shop.stored_text().await.contains("eve"));
    retired.stop().await;
    let again = shop.start().await;
    assert_eq!(ticket_number(again.engine.submit("hall", take_ticket("fay")).await), "A001");
}
