//! Tests of what a backup holds, and of what a restore of it gives.

use super::content::{
    ENTRIES, advance_consumers, contents, due, fill_logs, fill_queues, filled, is_done, left_open,
    positions, read_log, remaining, subject,
};
use super::store::{ALL_PAIRS, Shape, Store};
use futures::future::join_all;
use paihao_contracts::streams::{
    CONSUMERS, LEDGER, LOGS, NOTICES, PLANNER, REDRIVER, SNAPSHOTS, STAFF_SESSIONS, WORK_QUEUES,
};
use paihao_ledger::{Entry, ExpectedPosition, Position};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Fills a store and closes it, so that nobody uses it.
pub(super) async fn filled_store(shape: Shape) -> Store {
    let store = Store::new(shape);
    let ledger = store.open().await;
    fill_logs(&*ledger).await;
    fill_queues(&*ledger).await;
    advance_consumers(&*ledger).await;
    drop(ledger);
    store
}

/// Waits until nobody uses a store that was closed.
pub(super) async fn until_stopped(store: &Store) {
    harness::wait_until("nobody uses the store", Duration::from_secs(40), async || {
        store.source().await.is_stopped().await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_moved_is_the_same_and_goes_on() {
    join_all(ALL_PAIRS.map(|(from, to)| check_move(from, to))).await;
}

async fn check_move(from: Shape, to: Shape) {
    let case = format!("{from:?} to {to:?}");
    let source = filled_store(from).await;
    until_stopped(&source).await;
    let backup = source.back_up().await;
    let target = Store::new(to);
    target.restore(&backup, true).await.unwrap();

    let (old, new) = (source.open().await, target.open().await);
    for log in LOGS {
        let name = log.name;
        let contents = (contents(&*old, &log).await, contents(&*new, &log).await);
        assert_eq!(contents.0, contents.1, "{case}: {name}");
        let payloads: Vec<_> = contents.1.iter().map(|content| &content.3[..]).collect();
        let expected = filled(&log);
        let expected: Vec<_> = expected.iter().map(|payload| payload.as_bytes()).collect();
        assert_eq!(payloads, expected, "{case}: {name}");
    }
    let (before, after) = (positions(&*old).await, positions(&*new).await);
    assert_eq!(before.0, after.0, "{case}: the positions of the ledger");

    // Each log goes on behind its newest entry, under an expectation.
    for log in LOGS {
        let to = subject(&["shop", "site-3"]);
        let last = new.last(&log, &to).await.unwrap().unwrap().position;
        let entry = || Entry::new("more");
        let stale = new.append(&log, &to, ExpectedPosition::Empty, entry()).await;
        assert!(stale.is_err(), "{case}");
        let more = new.append(&log, &to, ExpectedPosition::At(last), entry()).await.unwrap();
        let largest = before.0.iter().max().unwrap();
        assert!(more > last && (log != LEDGER || more > *largest), "{case}");
    }

    for (log, consumer) in CONSUMERS {
        let mut expected = left_open(&log);
        let at_old = remaining(&*old, &log, &consumer, &expected).await;
        assert_eq!(at_old, expected, "{case}: {}", consumer.name);
        expected.insert("more".to_owned());
        let mut at_new = remaining(&*new, &log, &consumer, &expected).await;
        assert!(at_new.remove("more"), "{case}");
        // JetStream does not tell what is done behind the oldest open entry.
        if from == Shape::Sqlite {
            assert_eq!(at_old, at_new, "{case}: {}", consumer.name);
        }
        assert!(at_new.is_superset(&at_old), "{case}: {}", consumer.name);
        let repeated = at_new.difference(&at_old).count();
        assert!(repeated <= 20 - 11, "{case}: {repeated} of {}", consumer.name);
    }
    for queue in WORK_QUEUES {
        let (at_old, at_new) = (due(&*old, &queue).await, due(&*new, &queue).await);
        assert_eq!(at_old, at_new, "{case}: {}", queue.name);
        assert!(!at_new.is_empty() && at_new.len() < 8, "{case}: {at_new:?}");
    }
}

#[tokio::test]
async fn a_restore_sends_nothing_that_may_have_been_sent_and_keeps_everything_else() {
    join_all(ALL_PAIRS.map(|(from, to)| check_plain_restore(from, to))).await;
}

async fn check_plain_restore(from: Shape, to: Shape) {
    let case = format!("{from:?} to {to:?}");
    let source = filled_store(from).await;
    let backup = source.back_up().await;
    let target = Store::new(to);
    let summary = target.restore(&backup, false).await.unwrap();
    let (old, new) = (source.open().await, target.open().await);
    for log in LOGS {
        let expected = match log {
            STAFF_SESSIONS => Vec::new(),
            _ => contents(&*old, &log).await,
        };
        assert_eq!(contents(&*new, &log).await, expected, "{case}: {}", log.name);
    }
    assert_eq!(summary.left_out, ENTRIES);
    let notices = due(&*old, &NOTICES).await;
    let ended = due(&*new, &NOTICES).await;
    assert_eq!(notices.len(), ended.len(), "{case}");
    assert!(ended.iter().all(|notice| notice.contains(r#""valid_until":0"#)), "{ended:?}");
    let unsent = left_open(&LEDGER);
    assert!(summary.unplanned >= unsent.len() as u64 && !unsent.is_empty(), "{case}");
    for (log, consumer) in CONSUMERS {
        if [PLANNER, REDRIVER].contains(&consumer) {
            assert!(is_done(&*new, &log, &consumer).await, "{case}: {}", consumer.name);
            continue;
        }
        let expected = left_open(&log);
        let at_new = remaining(&*new, &log, &consumer, &expected).await;
        assert!(at_new.is_superset(&expected), "{case}: {}", consumer.name);
    }
    // A position that was given after the backup is not given again.
    let (before, _) = positions(&*old).await;
    let to = subject(&["shop", "site-3"]);
    let more = new.append(&LEDGER, &to, ExpectedPosition::Any, Entry::new("more")).await;
    let gap = more.unwrap().0 - before.last().unwrap().0;
    assert!(gap >= 10_000, "{case}: {gap}");
    let expected = BTreeSet::from(["more".to_owned()]);
    let planned = remaining(&*new, &LEDGER, &PLANNER, &expected).await;
    assert_eq!(planned, expected, "{case}");
}

#[tokio::test]
async fn a_ledger_whose_entries_have_aged_out_goes_on_behind_them() {
    for (from, to) in ALL_PAIRS {
        let case = format!("{from:?} to {to:?}");
        let source = filled_store(from).await;
        let ledger = source.open().await;
        let (positions, _) = positions(&*ledger).await;
        let last = *positions.last().unwrap();
        drop(ledger);
        // An empty ledger, as after a long closure.
        source.age_out().await;
        until_stopped(&source).await;
        let backup = source.back_up().await;
        for resume in [true, false] {
            let target = Store::new(to);
            target.restore(&backup, resume).await.unwrap();
            let new = target.open().await;
            assert_eq!(new.head(&LEDGER).await.unwrap(), Position::START, "{case}");
            let to = subject(&["shop", "site-3"]);
            let entry = Entry::new("more");
            let more = new.append(&LEDGER, &to, ExpectedPosition::Empty, entry).await.unwrap();
            assert!(more > last, "{case}: a snapshot names {last:?}, and the next is {more:?}");
            assert_eq!(read_log(&*new, &SNAPSHOTS).await.len(), 7, "{case}");
        }
    }
}

#[tokio::test]
async fn a_backup_of_a_store_in_use_is_of_some_moment_of_each_log_and_never_blocks_it() {
    for (from, to) in ALL_PAIRS {
        let case = format!("{from:?} to {to:?}");
        let source = filled_store(from).await;
        let ledger = source.open().await;
        let _followed = ledger.follow(&LEDGER, Position::START).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let writing = {
            let (ledger, done) = (ledger.clone(), done.clone());
            tokio::spawn(async move {
                let mut written = 0;
                while !done.load(Ordering::Relaxed) {
                    for log in LOGS {
                        let to = subject(&["shop", &format!("site-{}", written % 7)]);
                        let entry = Entry::new(format!("{} more {written}", log.name));
                        ledger.append(&log, &to, ExpectedPosition::Any, entry).await.unwrap();
                    }
                    written += 1;
                }
                written
            })
        };
        let backup = source.back_up().await;
        done.store(true, Ordering::Relaxed);
        assert!(writing.await.unwrap() > 0, "{case}");
        let target = Store::new(to);
        let refused = target.restore(&backup, true).await.unwrap_err();
        assert!(refused.to_string().contains("in use"), "{refused}");
        target.restore(&backup, false).await.unwrap();
        let new = target.open().await;
        for log in LOGS.into_iter().filter(|log| *log != STAFF_SESSIONS) {
            let (old, restored) = (contents(&*ledger, &log).await, contents(&*new, &log).await);
            match log {
                // Every site has a snapshot, whenever it was read.
                SNAPSHOTS => {
                    let sites: BTreeSet<_> = restored.iter().map(|entry| &entry.0).collect();
                    assert_eq!(sites.len(), 7, "{case}");
                }
                _ => {
                    assert_eq!(restored, old[..restored.len()], "{case}: {}", log.name);
                    assert!(restored.len() >= ENTRIES as usize, "{case}: {}", log.name);
                }
            }
        }
    }
}
