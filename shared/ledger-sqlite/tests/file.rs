//! Tests of the file: opened by one process at a time, in a known version, without loss of entries.

#![expect(clippy::disallowed_methods, reason = "tasks of a test end with its runtime")]

use futures::StreamExt;
use paihao_contracts::streams::{Consumer, LEDGER, Log, NOTICES, PLANNER};
use paihao_ledger::{
    Deliveries, Delivery, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    Subject,
};
use paihao_ledger_sqlite::{OpenError, SqliteLedger, SqliteOptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const HOUR_MS: i64 = 3_600_000;

#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl TestClock {
    fn new() -> Self {
        TestClock(Arc::new(AtomicI64::new(1_700_000_000_000)))
    }

    fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn options(&self) -> SqliteOptions {
        let clock = self.clone();
        SqliteOptions::new(Arc::new(move || clock.now()))
    }
}

fn open(dir: &TempDir, clock: &TestClock) -> SqliteLedger {
    SqliteLedger::open(dir.path().join("ledger.db"), clock.options()).unwrap()
}

fn subject() -> Subject {
    Subject::new(&["acc", "site"]).unwrap()
}

async fn append_payload(ledger: &SqliteLedger, log: &Log, payload: &str) -> Position {
    let entry = Entry::new(payload.to_owned());
    ledger.append(log, &subject(), ExpectedPosition::Any, entry).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_there_is_not_made_anew() {
    let (dir, clock) = (TempDir::new().unwrap(), TestClock::new());
    let path = dir.path().join("ledger.db");
    let ledger = open(&dir, &clock);
    append_payload(&ledger, &LEDGER, "x").await;
    std::fs::remove_file(&path).unwrap();
    assert!(ledger.until_lost().await.contains("ledger.db"), "noticed while it runs");
    ledger.close().await;
    assert!(ledger.until_lost().await.contains("writer"));
    drop(ledger);

    let error = SqliteLedger::open(&path, clock.options()).err().unwrap();
    assert!(matches!(&error, OpenError::Lost(lost) if *lost == path), "{error}");
    assert!(!path.exists(), "nothing was made");
    std::fs::remove_file(dir.path().join("ledger.db.lock")).unwrap();
    open(&dir, &clock).check().await.unwrap();
}

async fn next_delivery(deliveries: &mut Deliveries) -> Delivery {
    let next = tokio::time::timeout(Duration::from_secs(60), deliveries.next());
    next.await.expect("a delivery in time").expect("deliveries do not end")
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let clock = TestClock::new();
    let ledger = open(&dir, &clock);
    let position = append_payload(&ledger, &LEDGER, "kept").await;
    let second = append_payload(&ledger, &LEDGER, "held").await;
    let mut planner = ledger.consume(&LEDGER, &PLANNER, 4).await.unwrap();
    next_delivery(&mut planner).await.ack().await.unwrap();
    let delivery = next_delivery(&mut planner).await;
    let hour = Duration::from_secs(3600);
    ledger.enqueue(&NOTICES, "later", Entry::new("later"), hour).await.unwrap();
    // Ends like a killed process, without releasing anything.
    std::mem::forget(delivery);
    ledger.close().await;
    assert!(ledger.check().await.is_err());

    let ledger = open(&dir, &clock);
    assert_eq!(ledger.head(&LEDGER).await.unwrap(), second);
    let conflict =
        ledger.append(&LEDGER, &subject(), ExpectedPosition::At(position), Entry::new("no")).await;
    assert!(conflict.is_err());
    let mut planner = ledger.consume(&LEDGER, &PLANNER, 4).await.unwrap();
    let delivery = next_delivery(&mut planner).await;
    assert_eq!(
        (delivery.message.position, delivery.attempt),
        (second, 2),
        "at once, not after its wait"
    );
    let same = ledger.enqueue(&NOTICES, "later", Entry::new("later"), hour).await.unwrap();
    assert_eq!(same, EnqueueOutcome::Duplicate);
    let mut worker = ledger.consume_queue(&NOTICES, 1).await.unwrap();
    clock.advance(HOUR_MS);
    assert_eq!(next_delivery(&mut worker).await.message.entry.payload, "later");
}

#[tokio::test]
async fn a_second_process_cannot_open_the_file() {
    let dir = TempDir::new().unwrap();
    let clock = TestClock::new();
    let ledger = open(&dir, &clock);
    let second = SqliteLedger::open(dir.path().join("ledger.db"), clock.options());
    let error = second.err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains("in use by another process"), "{error}");
    ledger.close().await;
    open(&dir, &clock).check().await.unwrap();
}

#[tokio::test]
async fn newer_and_foreign_files_are_refused() {
    let dir = TempDir::new().unwrap();
    let clock = TestClock::new();
    let path = dir.path().join("ledger.db");
    open(&dir, &clock).close().await;
    let edit = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    edit("PRAGMA user_version = 999");
    let error = SqliteLedger::open(&path, clock.options()).err().unwrap();
    assert!(matches!(error, OpenError::NewerVersion { found: 999, .. }), "{error}");
    edit("PRAGMA application_id = 7");
    let error = SqliteLedger::open(&path, clock.options()).err().unwrap();
    assert!(matches!(error, OpenError::NotALedger(_)), "{error}");
    let text = dir.path().join("text.db");
    std::fs::write(&text, "this is a letter and not a database at all, however long it is")
        .unwrap();
    let error = SqliteLedger::open(&text, clock.options()).err().unwrap();
    assert!(matches!(error, OpenError::NotALedger(_)), "{error}");
    let error = SqliteLedger::open(dir.path().join("no/dir.db"), clock.options()).err().unwrap();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn expired_entries_are_hidden_at_once_and_removed_later() {
    const SHORT_LIVED_LOG: Log = Log::kept_for("brief", Duration::from_secs(3600));
    const READER: Consumer = Consumer::prompt("reader", Duration::from_secs(30));
    let dir = TempDir::new().unwrap();
    let clock = TestClock::new();
    let ledger = open(&dir, &clock);
    let old = append_payload(&ledger, &SHORT_LIVED_LOG, "old").await;
    for _ in 0..700 {
        append_payload(&ledger, &SHORT_LIVED_LOG, "old").await;
    }
    let mut reader = ledger.consume(&SHORT_LIVED_LOG, &READER, 1).await.unwrap();
    let delivery = next_delivery(&mut reader).await;
    clock.advance(HOUR_MS / 2);
    let young = append_payload(&ledger, &SHORT_LIVED_LOG, "young").await;
    clock.advance(HOUR_MS / 2);
    let mut follower = ledger.follow(&SHORT_LIVED_LOG, Position::START).await.unwrap();
    let Some(LogItem::Entry(first)) = follower.next().await else { panic!("an entry") };
    assert_eq!(first.position, young, "an expired entry is hidden, removed or not");
    drop(delivery);
    assert_eq!(next_delivery(&mut reader).await.message.position, young);

    let count = || {
        let file = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
        file.query_row("SELECT count(*) FROM entries", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(), 702);
    ledger.remove_expired(clock.now()).await.unwrap();
    assert_eq!(count(), 1);
    clock.advance(HOUR_MS);
    ledger.remove_expired(clock.now()).await.unwrap();
    assert_eq!(count(), 0);
    assert_eq!(ledger.head(&SHORT_LIVED_LOG).await.unwrap(), Position::START);
    let new = ledger
        .append(&SHORT_LIVED_LOG, &subject(), ExpectedPosition::Empty, Entry::new("new"))
        .await
        .unwrap();
    assert!(new > young && young > old);
}

#[tokio::test]
async fn a_key_is_remembered_for_two_minutes() {
    let dir = TempDir::new().unwrap();
    let clock = TestClock::new();
    let ledger = open(&dir, &clock);
    let offer =
        async || ledger.enqueue(&NOTICES, "k", Entry::new("x"), Duration::ZERO).await.unwrap();
    assert_eq!(offer().await, EnqueueOutcome::New);
    clock.advance(119_999);
    ledger.remove_expired(clock.now()).await.unwrap();
    assert_eq!(offer().await, EnqueueOutcome::Duplicate);
    clock.advance(1);
    assert_eq!(offer().await, EnqueueOutcome::New);
}

/// With a paused clock an idle reader lets time pass, and a busy file holds it.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_is_enough() {
    let started = tokio::time::Instant::now();
    let base = TestClock::new();
    let zero = base.now();
    let clock = Arc::new(move || zero + started.elapsed().as_millis() as i64);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.db");
    let ledger = SqliteLedger::open(path, SqliteOptions::new(clock)).unwrap();
    append_payload(&ledger, &LEDGER, "x").await;
    let delay = Duration::from_secs(20);
    ledger.enqueue(&NOTICES, "k", Entry::new("x"), delay).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO, "time does not run while a write is under way");
    let mut worker = ledger.consume_queue(&NOTICES, 1).await.unwrap();
    let first = worker.next().await.unwrap();
    assert!(started.elapsed() >= delay);
    let before = started.elapsed();
    drop(ledger.consume_queue(&NOTICES, 1).await.unwrap());
    std::mem::forget(first);
    let mut other = ledger.consume_queue(&NOTICES, 1).await.unwrap();
    assert_eq!(other.next().await.unwrap().attempt, 2);
    assert!(started.elapsed() >= before + NOTICES.ack_wait);
}

/// A cancelled caller does not keep followers from the written entry.
#[tokio::test]
async fn a_cancelled_append_still_reaches_followers() {
    let dir = TempDir::new().unwrap();
    let clock = TestClock::new();
    let ledger = open(&dir, &clock);
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let waiting = tokio::spawn(async move { follower.next().await });
    tokio::task::yield_now().await;
    let subject = subject();
    let mut append =
        Box::pin(ledger.append(&LEDGER, &subject, ExpectedPosition::Empty, Entry::new("told")));
    assert!(futures::poll!(append.as_mut()).is_pending());
    drop(append);
    let received = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert!(matches!(received, Some(LogItem::Entry(_))));
}

const CHILD_ENV_VAR: &str = "PAIHAO_TEST_APPEND_TO";

/// Appends until it is killed, and reports each durable entry.
async fn append_until_killed(path: &Path) {
    let ledger = SqliteLedger::open(path, TestClock::new().options()).unwrap();
    let appenders = (0..8).map(|appender| {
        let ledger = ledger.clone();
        async move {
            for n in 0.. {
                let text = format!("{}/{appender}/{n}", std::process::id());
                append_payload(&ledger, &LEDGER, &text).await;
                let entry = Entry::new(text.clone());
                ledger.enqueue(&NOTICES, &text, entry, Duration::ZERO).await.unwrap();
                println!("safe {text}");
            }
        }
    });
    futures::future::join_all(appenders).await;
}

/// The test starts itself as a child process that appends, kills it, and checks the file.
#[tokio::test]
async fn a_hard_kill_loses_nothing() {
    if let Some(path) = std::env::var_os(CHILD_ENV_VAR) {
        append_until_killed(Path::new(&path)).await;
    }
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.db");
    for round in 1..=2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_hard_kill_loses_nothing", "--nocapture"])
            .env(CHILD_ENV_VAR, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut safe: Vec<String> = Vec::new();
        let mut note =
            |line: &str| safe.extend(line.split_once("safe ").map(|(_, t)| t.to_owned()));
        for line in lines.by_ref().take(300) {
            note(&line.unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| note(&line));

        let ledger = SqliteLedger::open(&path, TestClock::new().options()).unwrap();
        let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
        let head = ledger.head(&LEDGER).await.unwrap();
        let mut texts = Vec::new();
        while let Some(LogItem::Entry(recorded)) = follower.next().await {
            texts.push(String::from_utf8(recorded.entry.payload.to_vec()).unwrap());
            if recorded.position == head {
                break;
            }
        }
        let mut worker = ledger.consume_queue(&NOTICES, 10_000).await.unwrap();
        let mut queued = Vec::new();
        while let Ok(Some(one)) =
            tokio::time::timeout(Duration::from_millis(500), worker.next()).await
        {
            queued.push(String::from_utf8(one.message.entry.payload.to_vec()).unwrap());
            one.ack().await.unwrap();
        }
        assert!(safe.len() > 200, "round {round}: {} safe", safe.len());
        for text in &safe {
            assert!(texts.contains(text), "round {round}: {text} was safe and is gone");
            assert!(queued.contains(text), "{text} was queued and is gone");
        }
        ledger.close().await;
    }
}

/// Nothing tells whether the years have passed: the clock may be wrong.
#[tokio::test(start_paused = true)]
async fn nothing_expires_while_nothing_confirms_the_time() {
    let (dir, clock) = (TempDir::new().unwrap(), TestClock::new());
    let confirmed = Arc::new(AtomicI64::new(0));
    let age_clock = confirmed.clone();
    let options = SqliteOptions {
        age_clock: Arc::new(move || {
            let at_ms = age_clock.load(Ordering::SeqCst);
            (at_ms > 0).then_some(at_ms)
        }),
        retention_interval: Duration::from_secs(60),
        ..clock.options()
    };
    let ledger = SqliteLedger::open(dir.path().join("ledger.db"), options).unwrap();
    let first = append_payload(&ledger, &LEDGER, "1").await;
    let wrote_at = clock.now();
    for error_ms in [4 * 24 * HOUR_MS, -8 * 24 * HOUR_MS, 400 * 24 * HOUR_MS] {
        clock.advance(error_ms);
        tokio::time::sleep(Duration::from_secs(180)).await;
        assert_eq!(ledger.last(&LEDGER, &subject()).await.unwrap().unwrap().position, first);
        assert_eq!(ledger.head(&LEDGER).await.unwrap(), first);
        assert!(ledger.get(&LEDGER, first).await.unwrap().is_some());
    }
    confirmed.store(wrote_at + 71 * HOUR_MS, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert!(ledger.get(&LEDGER, first).await.unwrap().is_some());
    confirmed.store(wrote_at + 73 * HOUR_MS, Ordering::SeqCst);
    assert!(ledger.get(&LEDGER, first).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_due_time_that_a_wrong_clock_wrote() {
    for error_ms in [25 * HOUR_MS, 4 * 24 * HOUR_MS, 400 * 24 * HOUR_MS] {
        let (dir, clock) = (TempDir::new().unwrap(), TestClock::new());
        let ledger = open(&dir, &clock);
        clock.advance(error_ms);
        append_payload(&ledger, &LEDGER, "entry").await;
        let message = Entry::new("message");
        ledger.enqueue(&NOTICES, "key", message.clone(), Duration::ZERO).await.unwrap();
        let mut consumer = ledger.consume(&LEDGER, &PLANNER, 1).await.unwrap();
        let mut queue = ledger.consume_queue(&NOTICES, 1).await.unwrap();
        for deliveries in [&mut consumer, &mut queue] {
            let delivery = deliveries.next().await.unwrap();
            delivery.retry_after(Duration::from_secs(60)).await.unwrap();
        }
        // The clock is set right.
        clock.advance(-error_ms);
        for deliveries in [&mut consumer, &mut queue] {
            let again = tokio::time::timeout(Duration::from_secs(60), deliveries.next()).await;
            again.expect("delivered at once").unwrap().ack().await.unwrap();
        }
        let enqueued = ledger.enqueue(&NOTICES, "key", message, Duration::ZERO).await.unwrap();
        assert_eq!(enqueued, EnqueueOutcome::New, "{error_ms}");
    }
}
