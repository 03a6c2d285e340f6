//! Test that removed data leaves no bytes in the file.

use paihao_contracts::streams::{DEAD_LETTERS, LEDGER, NOTICES, OUTCOMES};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const NEEDLE: &str = "oGoneForGood0123456789abcdef";
const HOUR_MS: i64 = 3_600_000;

/// Counts the occurrences of a text in all files of a folder.
fn count_occurrences(folder: &Path, text: &str) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let count = |path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    };
    files.map(count).sum()
}

/// Payloads from a few bytes to many pages, so that pages fill, split and overflow.
fn sized_entry(i: usize, name: &str) -> Entry {
    let size = [40, 300, 900, 2500, 9000, 30_000][i % 6] + i % 37;
    Entry::new(format!("{name} {} {name}", ".".repeat(size)))
}

#[tokio::test]
async fn removed_entries_leave_no_bytes_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(1_795_000_000_000));
    let clock = now.clone();
    let options = SqliteOptions {
        retention_interval: Duration::from_secs(3600),
        ..SqliteOptions::new(Arc::new(move || clock.load(Ordering::Relaxed)))
    };
    let ledger = SqliteLedger::open(folder.path().join("x.sqlite"), options).unwrap();
    let subjects: Vec<_> =
        (0..5).map(|i| Subject::new(&["shop", &format!("s{i}")]).unwrap()).collect();
    // One person leaves traces everywhere on the first of six days; others do so every day.
    let mut waiting = 0;
    for i in 0..1200 {
        let is_foreign = i < 200 && i % 3 == 0;
        let entry = sized_entry(i, if is_foreign { NEEDLE } else { "oSomebodyElse" });
        let log = if i % 4 == 0 { &OUTCOMES } else { &LEDGER };
        ledger.append(log, &subjects[i % 5], ExpectedPosition::Any, entry.clone()).await.unwrap();
        if i % 7 == 0 {
            let key = format!("key {i}");
            ledger.enqueue(&NOTICES, &key, entry, Duration::ZERO).await.unwrap();
            waiting += 1;
        }
        now.fetch_add(6 * 24 * HOUR_MS / 1200, Ordering::Relaxed);
        if i == 210 {
            assert!(
                count_occurrences(folder.path(), NEEDLE) > 100,
                "the search finds nothing at all"
            );
        }
        if i % 50 == 0 {
            ledger.remove_expired(now.load(Ordering::Relaxed)).await.unwrap();
        }
        if i % 100 == 99 {
            let mut work = ledger.consume_queue(&NOTICES, 64).await.unwrap();
            for _ in 0..std::mem::take(&mut waiting) {
                work.next().await.unwrap().ack().await.unwrap();
            }
        }
    }
    ledger.remove_expired(now.load(Ordering::Relaxed)).await.unwrap();
    assert_eq!(count_occurrences(folder.path(), NEEDLE), 0, "while the ledger is open");
    assert!(count_occurrences(folder.path(), "oSomebodyElse") > 100, "others are still there");
    ledger.close().await;
    assert_eq!(count_occurrences(folder.path(), NEEDLE), 0, "after it was closed");
}

#[test]
fn nothing_that_names_a_person_is_kept_longer_than_the_ledger() {
    // Dead letters hold their source, with a person's openid.
    for log in [LEDGER, OUTCOMES, DEAD_LETTERS] {
        assert!(
            log.retention.is_some_and(|retention| retention <= LEDGER.retention.unwrap()),
            "{}",
            log.name
        );
    }
}
