//! Tests of power cuts: the process is killed, and its files lose what was not synced.

use futures::StreamExt;
use harness::{PowerCut, SyncedFiles, count_syncs};
use paihao_contracts::streams::{LEDGER, NOTICES};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Time for a message that is there.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

const CHILD_ENV_VAR: &str = "PAIHAO_TEST_APPEND_TO";
const APPENDERS_ENV_VAR: &str = "PAIHAO_TEST_APPENDERS";

fn open(path: &Path) -> SqliteLedger {
    let options = SqliteOptions::new(Arc::new(|| 1_700_000_000_000));
    SqliteLedger::open(path, options).expect("a file that a power cut left can be opened")
}

/// Appends and enqueues from several tasks until it is killed, and reports what is durable.
async fn append_until_killed(path: &Path) {
    let appenders: usize = std::env::var(APPENDERS_ENV_VAR).unwrap().parse().unwrap();
    let ledger = open(path);
    let subject = Subject::new(&["acc", "site"]).unwrap();
    // Large enough that the log is copied into the file now and then.
    let padding = "x".repeat(20_000);
    let appenders = (0..appenders).map(|appender| {
        let (ledger, subject, padding) = (ledger.clone(), subject.clone(), padding.clone());
        async move {
            for n in 0.. {
                let text = format!("{}/{appender}/{n}", std::process::id());
                let entry = Entry::new(format!("{text} {padding}"));
                ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap();
                println!("\nsafe {text}");
                let entry = Entry::new(text.clone());
                ledger.enqueue(&NOTICES, &text, entry, Duration::ZERO).await.unwrap();
                println!("\nqueued {text}");
            }
        }
    });
    futures::future::join_all(appenders).await;
}

/// Lets a child process append until it has reported so many lines, and kills it. Returns what was
/// appended and what was enqueued.
fn run_child(path: &Path, files: &SyncedFiles, appenders: usize, lines: usize) -> [Vec<String>; 2] {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_power_cut_loses_nothing_that_was_acknowledged", "--nocapture"])
        .env(CHILD_ENV_VAR, path)
        .env(APPENDERS_ENV_VAR, appenders.to_string())
        .envs(files.environment())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let reported = BufReader::new(child.stdout.take().unwrap()).lines();
    let [mut safe, mut queued] = [Vec::new(), Vec::new()];
    for line in reported.map_while(Result::ok) {
        safe.extend(line.strip_prefix("safe ").map(str::to_owned));
        queued.extend(line.strip_prefix("queued ").map(str::to_owned));
        if safe.len() + queued.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    [safe, queued]
}

async fn all_entries(ledger: &SqliteLedger) -> BTreeSet<String> {
    let head = ledger.head(&LEDGER).await.unwrap();
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let mut texts = BTreeSet::new();
    while let Some(LogItem::Entry(recorded)) = follower.next().await {
        let text = String::from_utf8(recorded.entry.payload.to_vec()).unwrap();
        texts.insert(text.split(' ').next().unwrap().to_owned());
        if recorded.position == head {
            break;
        }
    }
    texts
}

/// Messages of the queue, until all that are expected have come.
async fn all_messages(ledger: &SqliteLedger, expected: &[String]) -> BTreeSet<String> {
    let mut worker = ledger.consume_queue(&NOTICES, 10_000).await.unwrap();
    let mut texts = BTreeSet::new();
    while !expected.iter().all(|text| texts.contains(text)) {
        let next = tokio::time::timeout(MESSAGE_TIMEOUT, worker.next()).await;
        let Ok(Some(one)) = next else { break };
        texts.insert(String::from_utf8(one.message.entry.payload.to_vec()).unwrap());
        one.ack().await.unwrap();
    }
    texts
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    if let Some(path) = std::env::var_os(CHILD_ENV_VAR) {
        append_until_killed(Path::new(&path)).await;
    }
    let cuts = [PowerCut::LosesAll, PowerCut::LosesSome(1), PowerCut::LosesSome(20_261_129)];
    for cut in cuts {
        let (dir, files) = (TempDir::new().unwrap(), SyncedFiles::new());
        let path = dir.path().join("ledger.db");
        // The second round begins with what the first one left.
        for round in 1..=2 {
            let [safe, queued] = run_child(&path, &files, 6, 500);
            files.cut_power(dir.path(), cut);
            let ledger = open(&path);
            let entries = all_entries(&ledger).await;
            let messages = all_messages(&ledger, &queued).await;
            assert!(safe.len() > 200, "{cut:?} {round}: {} safe", safe.len());
            let lost = safe.iter().filter(|text| !entries.contains(*text)).count()
                + queued.iter().filter(|text| !messages.contains(*text)).count();
            assert_eq!(lost, 0, "{cut:?}, round {round}: of {}", safe.len() + queued.len());
            ledger.close().await;
        }
    }
}

#[tokio::test]
async fn each_acknowledgement_waits_for_a_sync_of_its_own() {
    let (dir, files) = (TempDir::new().unwrap(), SyncedFiles::new());
    let [safe, queued] = run_child(&dir.path().join("ledger.db"), &files, 1, 100);
    let acknowledged = safe.len() + queued.len();
    let syncs = files.sync_count();
    assert!(syncs >= acknowledged, "{syncs} syncs for {acknowledged} acknowledgements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_and_acknowledgements_wait_for_no_disk_and_entries_do() {
    const MESSAGES: usize = 20;
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder.path().join("ledger.db"));
    let enqueue = async || {
        for n in 0..MESSAGES {
            let key = n.to_string();
            ledger.enqueue(&NOTICES, &key, Entry::new("x"), Duration::ZERO).await.unwrap();
        }
    };
    let syncs = count_syncs(std::process::id(), enqueue).await;
    assert!(syncs >= MESSAGES, "{syncs} syncs for {MESSAGES} messages");
    let acknowledge = async || {
        let mut worker = ledger.consume_queue(&NOTICES, 1).await.unwrap();
        for _ in 0..MESSAGES {
            let message = tokio::time::timeout(MESSAGE_TIMEOUT, worker.next()).await.unwrap();
            message.unwrap().ack().await.unwrap();
        }
    };
    let syncs = count_syncs(std::process::id(), acknowledge).await;
    assert!(syncs <= 2, "{syncs} syncs for {MESSAGES} acknowledgements");
    // What was acknowledged is there again only after a power cut.
    let mut worker = ledger.consume_queue(&NOTICES, 1).await.unwrap();
    let again = tokio::time::timeout(Duration::from_millis(300), worker.next()).await;
    assert!(again.is_err(), "delivered twice");
}
