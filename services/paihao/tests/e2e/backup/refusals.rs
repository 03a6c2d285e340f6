//! Tests of restores that are refused: by a backup that is not whole, or a store that is not empty.
//! Nothing is left of them.

use super::content::{contents, fill_logs, fill_queues};
use super::store::{Shape, Store};
use paihao_contracts::streams::{LEDGER, LOGS, NOTICES, SETTINGS};
use paihao_ledger::backup::{RestoreError, RestoreOptions, restore};
use paihao_ledger::{Entry, ExpectedPosition, Subject};
use std::time::Duration;

const SHAPES: [Shape; 3] = [Shape::Sqlite, Shape::Nats, Shape::NatsOldest];

async fn backup_of(shape: Shape) -> Vec<u8> {
    let store = Store::new(shape);
    let ledger = store.open().await;
    fill_logs(&*ledger).await;
    fill_queues(&*ledger).await;
    store.back_up().await
}

#[tokio::test]
async fn a_backup_that_is_not_whole_leaves_a_store_empty_and_of_use() {
    for shape in SHAPES {
        let backup = backup_of(Shape::Sqlite).await;
        let target = Store::new(shape);
        let length = backup.len();
        for cut in [0, 10, length / 7, length / 3, length / 2, length - 1] {
            let refused = target.restore(&backup[..cut], false).await.unwrap_err();
            let sentence = refused.to_string();
            assert!(
                sentence.contains("cut off") || sentence.contains("no backup"),
                "{shape:?} {cut}: {sentence}"
            );
        }
        for place in [length / 5, length / 2, length - 40] {
            let mut altered = backup.clone();
            altered[place] ^= 0x20;
            let refused = target.restore(&altered, false).await.unwrap_err();
            assert!(matches!(refused, RestoreError::Format(_)), "{shape:?} {place}: {refused}");
        }
        target.restore(&backup, false).await.unwrap();
        let ledger = target.open().await;
        assert!(!contents(&*ledger, &LEDGER).await.is_empty(), "{shape:?}");
    }
}

#[tokio::test]
async fn a_store_that_holds_anything_is_not_overwritten() {
    let backup = backup_of(Shape::Sqlite).await;
    for shape in SHAPES {
        // One entry of any log, or one message, is something.
        for part in 0..=LOGS.len() {
            let target = Store::new(shape);
            let ledger = target.open().await;
            match LOGS.get(part) {
                Some(log) => {
                    let to = Subject::new(&["shop", "hall"]).unwrap();
                    let entry = Entry::new("mine");
                    ledger.append(log, &to, ExpectedPosition::Any, entry).await.unwrap();
                }
                None => {
                    let entry = Entry::new("mine");
                    ledger.enqueue(&NOTICES, "k", entry, Duration::ZERO).await.unwrap();
                }
            }
            drop(ledger);
            let refused = target.restore_when_free(&backup).await.unwrap_err();
            assert!(matches!(refused, RestoreError::NotEmpty(_)), "{shape:?} {part}: {refused}");
            let ledger = target.open().await;
            let left = match LOGS.get(part) {
                Some(log) => contents(&*ledger, log).await.len(),
                None => super::content::due(&*ledger, &NOTICES).await.len(),
            };
            assert_eq!(left, 1, "{shape:?}");
        }
    }
}

#[tokio::test]
async fn a_store_in_use_is_not_restored_into() {
    let backup = backup_of(Shape::Nats).await;
    for shape in SHAPES {
        let target = Store::new(shape);
        let ledger = target.open().await;
        let _waiting = ledger.consume_queue(&NOTICES, 4).await.unwrap();
        let followed = ledger.follow(&LEDGER, paihao_ledger::Position::START).await.unwrap();
        let refused = target.restore(&backup, false).await.unwrap_err();
        assert!(matches!(refused, RestoreError::InUse(_)), "{shape:?}: {refused}");
        drop(followed);
    }
}

#[tokio::test]
async fn no_process_starts_on_a_restore_that_was_broken_off() {
    let backup = backup_of(Shape::Sqlite).await;
    for shape in SHAPES {
        let target = Store::new(shape);
        // The restore ends as a power cut ends it: nothing is tidied up.
        let half = backup.len() / 2;
        let (mut write, read) = tokio::io::duplex(1 << 20);
        let mut open = target.target(false);
        let restoring = restore(read, &mut *open, RestoreOptions::default());
        let feeding = async {
            tokio::io::AsyncWriteExt::write_all(&mut write, &backup[..half]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        tokio::select! {
            _ = restoring => panic!("it waits for the rest"),
            () = feeding => {}
        }
        drop(open);
        let started = target.try_open().await;
        match shape {
            // The file has another name until it is complete, so this is an empty ledger.
            Shape::Sqlite => {
                let ledger = started.unwrap();
                assert!(contents(&*ledger, &SETTINGS).await.is_empty());
                drop(ledger);
                target.restore_when_free(&backup).await.unwrap();
            }
            Shape::Nats | Shape::NatsOldest => {
                let refused = started.err().unwrap();
                assert!(refused.contains("--discard-partial"), "{refused}");
                let refused = target.restore(&backup, false).await.unwrap_err();
                assert!(matches!(refused, RestoreError::Partial(_)), "{refused}");
                let options = RestoreOptions::default();
                restore(&backup[..], &mut *target.target(true), options).await.unwrap();
            }
        }
        let ledger = target.open().await;
        assert!(!contents(&*ledger, &SETTINGS).await.is_empty(), "{shape:?}");
    }
}
