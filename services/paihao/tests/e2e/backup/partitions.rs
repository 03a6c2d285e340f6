//! Tests of backups of a ledger in partitions, and of the move by which a ledger is divided.

use super::content::{contents, left_open, read_log, remaining, subject, without_position};
use super::store::{Shape, Store};
use super::stores::{filled_store, until_stopped};
use super::world::{WAIT_TIMEOUT, World, assert_ran, text};
use crate::support::cluster::STAFF_KEY;
use futures::future::join_all;
use harness::wait_until;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{LEDGER, PLANNER, SNAPSHOTS};
use paihao_ledger::backup::RestoreError;
use paihao_ledger::{Entry, ExpectedPosition, Ledger};
use reqwest::StatusCode;
use std::collections::BTreeSet;

/// Fills a store with a ledger in one partition.
async fn filled(shape: Shape) -> (Store, Vec<u8>) {
    let store = filled_store(shape).await;
    until_stopped(&store).await;
    let backup = store.back_up().await;
    (store, backup)
}

#[tokio::test]
async fn a_ledger_is_divided_by_a_restore_and_every_site_keeps_its_entries_and_their_positions() {
    let cases = [Shape::Sqlite, Shape::Nats]
        .into_iter()
        .flat_map(|from| [2, 4, 16].map(|partitions| (from, partitions)));
    join_all(cases.map(|(from, partitions)| check_division(from, partitions))).await;
}

async fn check_division(from: Shape, number: usize) {
    let case = format!("{from:?} to {number}");
    let (source, backup) = filled(from).await;
    let target = Store::divided(Shape::Nats, number);
    target.restore(&backup, true).await.unwrap();
    let (old, new) = (source.open().await, target.open().await);
    assert_eq!(new.partitions().count(), number);

    let mut largest = 0;
    let mut moved = 0;
    for site in (0..7).map(|i| subject(&["shop", &format!("site-{i}")])) {
        let partition = new.partition_of(&site);
        for (before, after) in [(LEDGER, partition.ledger), (SNAPSHOTS, partition.snapshots)] {
            let of_site = async |ledger: &dyn Ledger, log| {
                let mut entries = read_log(ledger, log).await;
                entries.retain(|stored| stored.subject == site);
                entries
            };
            let (before, after) = (of_site(&*old, &before).await, of_site(&*new, &after).await);
            let bare = |entries: &[_]| entries.iter().map(without_position).collect::<Vec<_>>();
            assert_eq!(bare(&before), bare(&after), "{case}: {site}");
            if after[0].entry.payload.starts_with(b"ledger") {
                let positions: Vec<_> = after.iter().map(|stored| stored.position).collect();
                let expected: Vec<_> = before.iter().map(|stored| stored.position).collect();
                assert_eq!(positions, expected, "{case}: {site}");
                largest = largest.max(positions[positions.len() - 1].0);
                moved += positions.len();
            }
        }
    }
    assert_eq!(moved, read_log(&*old, &LEDGER).await.len(), "{case}: nothing is left out");
    for log in new.partitions().logs().filter(|log| log.family() == log.name) {
        assert_eq!(contents(&*old, &log).await, contents(&*new, &log).await, "{case}");
    }

    // Each consumer goes on where it stood.
    let mut open = BTreeSet::new();
    for partition in new.partitions().all() {
        let own = read_log(&*new, &partition.ledger).await.into_iter();
        let own = own.map(|stored| String::from_utf8_lossy(&stored.entry.payload).into_owned());
        let own: BTreeSet<_> = own.collect();
        let expected: BTreeSet<_> = left_open(&LEDGER).intersection(&own).cloned().collect();
        let found = remaining(&*new, &partition.ledger, &PLANNER, &expected).await;
        assert!(found.is_superset(&expected) && found.is_subset(&own), "{case}: {found:?}");
        open.extend(found);
    }
    let repeated = open.len() - left_open(&LEDGER).len();
    // JetStream does not tell what is done behind the oldest open entry.
    assert!(repeated <= if from == Shape::Sqlite { 0 } else { 20 - 11 }, "{case}: {repeated}");

    // Each partition goes on behind every position that a snapshot may name.
    for partition in new.partitions().all() {
        let to = subject(&["shop", "newcomer"]);
        let entry = Entry::new("more");
        let more = new.append(&partition.ledger, &to, ExpectedPosition::Empty, entry).await;
        assert!(more.unwrap().0 > largest, "{case}");
    }
}

#[tokio::test]
async fn a_divided_ledger_is_restored_into_the_same_number_alone() {
    let (_, backup) = filled(Shape::Sqlite).await;
    let divided = Store::divided(Shape::Nats, 4);
    divided.restore(&backup, true).await.unwrap();
    let again = divided.back_up().await;
    for (shape, number) in
        [(Shape::Sqlite, 1), (Shape::Nats, 1), (Shape::Nats, 2), (Shape::Nats, 8)]
    {
        let target = Store::divided(shape, number);
        let refused = target.restore(&again, false).await.unwrap_err();
        assert!(
            matches!(refused, RestoreError::Partitions { of_backup: 4, of_store } if of_store == number),
            "{refused}"
        );
        assert!(refused.to_string().contains("only a ledger with one can be divided"));
        assert_eq!(target.open().await.partitions().count(), number, "nothing was begun");
    }
    let same = Store::divided(Shape::Nats, 4);
    same.restore(&again, false).await.unwrap();
    let (old, new) = (divided.open().await, same.open().await);
    for partition in Partitions::new(4).unwrap().all() {
        for log in [partition.ledger, partition.snapshots] {
            assert_eq!(contents(&*old, &log).await, contents(&*new, &log).await, "{}", log.name);
        }
        let of = async |ledger: &dyn Ledger| {
            let entries = read_log(ledger, &partition.ledger).await;
            entries.into_iter().map(|stored| stored.position).collect::<Vec<_>>()
        };
        assert_eq!(of(&*old).await, of(&*new).await, "positions are kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_divided_by_a_move_and_nobody_notices() {
    for from in [Shape::Sqlite, Shape::Nats] {
        let world = World::new().await;
        let mut shop = world.shop(from);
        world.start(&mut shop).await;
        world.scan(&shop, "oAnn").await;
        for _ in 0..20 {
            world.take(&shop).await.unwrap();
        }
        world.act(&shop, "open").await;
        world.act(&shop, "call-next").await;
        wait_until("the message arrives", WAIT_TIMEOUT, async || world.cards("oAnn") == 1).await;
        let (_, page) = world.get(&shop, "/sites/hall/feed/pages?limit=5", STAFF_KEY).await;
        let cursor = page["next"].as_str().unwrap_or_else(|| panic!("{page}"));
        let feed = format!("/sites/hall/feed/pages?after={cursor}&limit=100");
        let events = world.get(&shop, &feed, STAFF_KEY).await;
        assert_eq!(events.0, StatusCode::OK, "{}", events.1);
        let before = world.digest(&shop).await;
        shop.stop();

        let mut divided = world.shop_with(Shape::Nats, "partitions = 4");
        let config = world.write("divided.toml", &divided.config);
        let arguments = ["move", "--to", config.to_str().unwrap()];
        assert_ran(&world.run_when_stopped(&shop, &arguments).await);
        world.start(&mut divided).await;
        assert_eq!(world.digest(&divided).await, before, "the site is the same");
        assert_eq!(world.get(&divided, &feed, STAFF_KEY).await, events, "so is its feed");
        assert_eq!(world.take(&divided).await, Some(22));
        assert_eq!(world.cards("oAnn"), 1, "nobody is messaged twice");
        world.scan(&divided, "oBen").await;
        for _ in 0..22 {
            world.act(&divided, "finish").await;
            world.act(&divided, "call-next").await;
        }
        wait_until("the next message arrives", WAIT_TIMEOUT, async || world.cards("oBen") == 1)
            .await;

        // A process with another number does not start beside it, and says what to do.
        let mut other = world.shop(Shape::Nats);
        other.config = divided.config.replace("partitions = 4", "partitions = 2");
        let refused = world.run(&other, &["all"]).await;
        assert!(!refused.status.success(), "{}", text(&refused));
        assert!(text(&refused).contains("has 4 partitions"), "{}", text(&refused));
        divided.stop();
    }
}
