//! Tests of the bounds of the file: the write-ahead log under readers that never pause, the limit
//! of the size, and a disk that is full.

use futures::StreamExt;
use paihao_contracts::streams::{HISTORY, LEDGER, LOGS, Log, NOTICES, WORK_QUEUES};
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoreUsage, Subject,
};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

const START_MS: i64 = 1_795_140_000_000;

fn subject(name: &str) -> Subject {
    Subject::new(&["shop", name]).unwrap()
}

fn options(clock: &Arc<AtomicI64>, max_bytes: Option<u64>) -> SqliteOptions {
    let clock = clock.clone();
    SqliteOptions {
        max_bytes,
        ..SqliteOptions::new(Arc::new(move || clock.load(Ordering::SeqCst)))
    }
}

fn wal_size(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

async fn append(ledger: &SqliteLedger, log: &Log, payload: Vec<u8>) -> Result<(), AppendError> {
    let entry = Entry::new(payload);
    ledger.append(log, &subject("hall"), ExpectedPosition::Any, entry).await.map(drop)
}

async fn usage(ledger: &SqliteLedger, name: &str) -> StoreUsage {
    let usage = ledger.usage().await.unwrap();
    usage.into_iter().find(|part| part.name == name).unwrap()
}

/// Pattern of the reads.
#[derive(Debug, Clone, Copy)]
enum ReadPattern {
    /// Pages of entries.
    Pages,
    /// Newest entries.
    Newest,
    /// Both.
    Mixed,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_write_ahead_log_is_bounded_under_readers_that_never_pause() {
    const WRITTEN: u64 = 96 << 20;
    const ENTRY: usize = 32 << 10;
    const BOUND: u64 = 40 << 20;
    for reading in [ReadPattern::Pages, ReadPattern::Newest, ReadPattern::Mixed] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let clock = Arc::new(AtomicI64::new(START_MS));
        let ledger = SqliteLedger::open(&path, options(&clock, None)).unwrap();
        for _ in 0..256 {
            append(&ledger, &LEDGER, vec![7; ENTRY]).await.unwrap();
        }
        let done = Arc::new(AtomicBool::new(false));
        let reads = Arc::new(AtomicU64::new(0));
        let readers: Vec<_> = (0..8)
            .map(|reader| {
                let (ledger, done, reads) = (ledger.clone(), done.clone(), reads.clone());
                #[expect(clippy::disallowed_methods, reason = "joined below")]
                tokio::spawn(async move {
                    while !done.load(Ordering::Relaxed) {
                        let pages = matches!(reading, ReadPattern::Pages)
                            || matches!(reading, ReadPattern::Mixed) && reader % 2 == 0;
                        if pages {
                            let mut entries =
                                ledger.follow(&LEDGER, Position::START).await.unwrap();
                            entries.next().await;
                        } else {
                            ledger.last(&LEDGER, &subject("hall")).await.unwrap();
                        }
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let largest = Arc::new(AtomicU64::new(0));
        let writers = (0..16).map(|_| {
            let (ledger, path, largest) = (ledger.clone(), path.clone(), largest.clone());
            async move {
                for _ in 0..WRITTEN / 16 / ENTRY as u64 {
                    append(&ledger, &LEDGER, vec![7; ENTRY]).await.unwrap();
                    largest.fetch_max(wal_size(&path), Ordering::Relaxed);
                }
            }
        });
        futures::future::join_all(writers).await;
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        let largest = largest.load(Ordering::Relaxed);
        assert!(reads.load(Ordering::Relaxed) > 100, "{reading:?}");
        assert!(largest <= BOUND, "{reading:?}: {} MiB", largest >> 20);
    }
}

#[tokio::test]
async fn a_full_file_refuses_what_is_new_keeps_what_it_has_and_takes_more_when_there_is_room() {
    const LIMIT: u64 = 2 << 20;
    for log in LOGS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let clock = Arc::new(AtomicI64::new(START_MS));
        let ledger = SqliteLedger::open(&path, options(&clock, Some(LIMIT))).unwrap();
        ledger.enqueue(&NOTICES, "early", Entry::new("x"), Duration::ZERO).await.unwrap();
        let mut kept = 0;
        let refusal = loop {
            let entry = Entry::new(vec![7; 8 << 10]);
            let to = subject(&format!("site-{kept}"));
            match ledger.append(&log, &to, ExpectedPosition::Empty, entry).await {
                Ok(_) => kept += 1,
                Err(error) => break error,
            }
            assert!(kept < 1000, "{}: no limit", log.name);
        };
        assert!(matches!(refusal, AppendError::Unavailable(_)), "{refusal}");
        assert!(refusal.to_string().contains("full"), "{refusal}");
        let part = usage(&ledger, "file").await;
        assert_eq!(part.limit_bytes, Some(LIMIT));
        assert!((LIMIT..LIMIT + (64 << 10)).contains(&part.bytes), "{part:?}");
        for queue in WORK_QUEUES {
            let enqueued = ledger.enqueue(&queue, "late", Entry::new("x"), Duration::ZERO).await;
            assert!(enqueued.is_err(), "{}", queue.name);
        }

        // What is there is read, worked off and acknowledged.
        let mut entries = ledger.follow(&log, Position::START).await.unwrap();
        for _ in 0..kept {
            assert!(matches!(entries.next().await, Some(LogItem::Entry(_))));
        }
        let mut deliveries = ledger.consume_queue(&NOTICES, 1).await.unwrap();
        deliveries.next().await.unwrap().ack().await.unwrap();

        // Entries leave with time; of a log that keeps them for ever an operator raises the limit.
        let ledger = match log.retention {
            Some(retention) => {
                let later = START_MS + retention.as_millis() as i64 + 1;
                clock.store(later, Ordering::SeqCst);
                ledger.remove_expired(later).await.unwrap();
                ledger
            }
            None => {
                drop((entries, deliveries));
                ledger.close().await;
                SqliteLedger::open(&path, options(&clock, Some(2 * LIMIT))).unwrap()
            }
        };
        append(&ledger, &log, vec![7; 8 << 10]).await.unwrap();
        ledger.enqueue(&NOTICES, "again", Entry::new("x"), Duration::ZERO).await.unwrap();
    }
}

/// File system of a few megabytes in memory, and one of the test's own; `None` where no file system
/// may be mounted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_is_left_by_itself_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("no file system may be mounted here: a full disk is not tested");
        return;
    };
    let clock = Arc::new(AtomicI64::new(START_MS));
    let path = disk.0.path().join("ledger.sqlite");
    let ledger = SqliteLedger::open(&path, options(&clock, None)).unwrap();
    append(&ledger, &HISTORY, b"first".to_vec()).await.unwrap();
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let mut kept = 1;
    let refusal = loop {
        match append(&ledger, &HISTORY, vec![7; 16 << 10]).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 2000, "the disk is not full");
    };
    assert!(matches!(refusal, AppendError::Unavailable(_)), "{refusal}");
    for _ in 0..3 {
        assert!(append(&ledger, &HISTORY, vec![7; 16 << 10]).await.is_err(), "still full");
    }
    // Everything that was confirmed is there, and nothing else.
    let read = async |ledger: &SqliteLedger| {
        let head = ledger.head(&HISTORY).await.unwrap();
        let mut entries = ledger.follow(&HISTORY, Position::START).await.unwrap();
        let mut read = 0;
        loop {
            let Some(LogItem::Entry(stored)) = entries.next().await else { panic!("cut off") };
            read += 1;
            if stored.position >= head {
                return read;
            }
        }
    };
    assert_eq!(read(&ledger).await, kept);
    std::fs::remove_file(&ballast).unwrap();
    append(&ledger, &HISTORY, vec![7; 16 << 10]).await.unwrap();
    assert_eq!(read(&ledger).await, kept + 1);
    ledger.close().await;
    let ledger = SqliteLedger::open(&path, options(&clock, None)).unwrap();
    assert_eq!(read(&ledger).await, kept + 1);
    ledger.close().await;
}
