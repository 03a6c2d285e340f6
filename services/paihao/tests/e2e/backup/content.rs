//! Content of a store: entries of every log, messages of every queue, and consumers that are
//! behind.

use futures::StreamExt;
use paihao_contracts::dead_letter::HANDLED_SUBJECT;
use paihao_contracts::streams::{
    CONSUMERS, Consumer, DEAD_LETTERS, Keep, LEDGER, LOGS, Log, NOTICES, SNAPSHOTS, WORK_QUEUES,
    WorkQueue,
};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Entries of a log in a filled store.
pub const ENTRIES: u64 = 60;

/// Entry without its position: subject, time, headers and payload.
pub type Content = (String, i64, Vec<(String, String)>, Vec<u8>);

pub fn subject(parts: &[&str]) -> Subject {
    Subject::new(parts).unwrap()
}

/// Appends entries to every log by turns, so that no log of a file has its positions to itself.
pub async fn fill_logs(ledger: &dyn Ledger) {
    let mut letters = Vec::new();
    for index in 0..ENTRIES {
        for log in LOGS {
            let site = format!("site-{}", index % 7);
            let payload = format!("{} {index}", log.name);
            let entry = Entry::new(payload).with_header("traceparent", format!("00-{index}"));
            let to = match log {
                DEAD_LETTERS if index % 3 == 2 => {
                    let letter: Position = letters[letters.len() - 1];
                    subject(&[HANDLED_SUBJECT, &letter.0.to_string()])
                }
                _ => subject(&["shop", &site]),
            };
            let position = ledger.append(&log, &to, ExpectedPosition::Any, entry).await.unwrap();
            if log == DEAD_LETTERS && index % 3 != 2 {
                letters.push(position);
            }
        }
    }
}

/// Notice of a queue's message, as far as a restore looks at it.
pub fn notice(index: u64) -> String {
    format!(r#"{{"v":1,"key":"hall/1/{index}/called#1","valid_until":99,"number":"A{index}"}}"#)
}

/// Enqueues messages on every queue, some of which are due in an hour, and works some off.
pub async fn fill_queues(ledger: &dyn Ledger) {
    for queue in WORK_QUEUES {
        for index in 0..10 {
            let delay = Duration::from_secs(if index % 5 == 4 { 3600 } else { 0 });
            let payload = if queue == NOTICES { notice(index) } else { format!("{index}") };
            let entry = Entry::new(payload).with_header("traceparent", format!("00-{index}"));
            ledger.enqueue(&queue, &format!("key/{index}"), entry, delay).await.unwrap();
        }
        let mut deliveries = ledger.consume_queue(&queue, 1).await.unwrap();
        for _ in 0..3 {
            deliveries.next().await.unwrap().ack().await.unwrap();
        }
    }
    ledger.close().await;
}

/// Lets every consumer handle its first entries but for one, and stop. Returns the subjects and
/// payloads that are still to be handled.
pub async fn advance_consumers(ledger: &dyn Ledger) {
    for (log, consumer) in CONSUMERS {
        let mut deliveries = ledger.consume(&log, &consumer, 64).await.unwrap();
        let mut held = Vec::new();
        for index in 0..20 {
            let delivery = deliveries.next().await.unwrap();
            if index == 11 {
                held.push(delivery);
            } else {
                delivery.ack().await.unwrap();
            }
        }
        drop((held, deliveries));
    }
    ledger.close().await;
}

/// Reads a log to its head.
pub async fn read_log(ledger: &dyn Ledger, log: &Log) -> Vec<StoredEntry> {
    let head = ledger.head(log).await.unwrap();
    let mut entries = Vec::new();
    if head == Position::START {
        return entries;
    }
    let mut stream = ledger.follow(log, Position::START).await.unwrap();
    loop {
        let Some(LogItem::Entry(stored)) = stream.next().await else { panic!("cut off") };
        let position = stored.position;
        entries.push(stored);
        if position >= head {
            return entries;
        }
    }
}

pub fn without_position(stored: &StoredEntry) -> Content {
    let StoredEntry { subject, at_ms, entry, .. } = stored;
    let mut headers = entry.headers.clone();
    headers.sort();
    (subject.to_string(), *at_ms, headers, entry.payload.to_vec())
}

/// Contents of a log. In the log of dead letters a record of a handling has the payload of its
/// letter in place of the position, which it names.
pub async fn contents(ledger: &dyn Ledger, log: &Log) -> Vec<Content> {
    let entries = read_log(ledger, log).await;
    let payloads: BTreeMap<String, String> = entries
        .iter()
        .map(|stored| {
            let payload = String::from_utf8_lossy(&stored.entry.payload).into_owned();
            (stored.position.0.to_string(), payload)
        })
        .collect();
    let resolve = |stored: &StoredEntry| {
        let (mut to, at, headers, payload) = without_position(stored);
        if let Some(letter) = to.strip_prefix(&format!("{HANDLED_SUBJECT}.")) {
            to = format!("handled: {}", payloads[letter]);
        }
        (to, at, headers, payload)
    };
    entries.iter().map(resolve).collect()
}

/// Longest wait for what has to come.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(45);

/// Time without a delivery after which none is due.
const QUIET_PERIOD: Duration = Duration::from_millis(700);

/// Payloads that [`advance_consumers`] left open in a log.
pub fn left_open(log: &Log) -> BTreeSet<String> {
    let handled = |index: &usize| *index < 20 && *index != 11;
    let entries = filled(log).into_iter().enumerate();
    entries.filter(|(index, _)| !handled(index)).map(|(_, payload)| payload).collect()
}

/// Payloads that a consumer still gets: those that are expected, for which it waits, and others.
pub async fn remaining(
    ledger: &dyn Ledger,
    log: &Log,
    consumer: &Consumer,
    expected: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut deliveries = ledger.consume(log, consumer, 1024).await.unwrap();
    let mut payloads = BTreeSet::new();
    loop {
        let is_complete = payloads.is_superset(expected);
        let timeout = if is_complete { QUIET_PERIOD } else { DELIVERY_TIMEOUT };
        let Ok(Some(delivery)) = tokio::time::timeout(timeout, deliveries.next()).await else {
            return payloads;
        };
        payloads.insert(String::from_utf8_lossy(&delivery.message.entry.payload).into_owned());
        delivery.ack().await.unwrap();
    }
}

/// Returns true if a consumer gets nothing at once.
pub async fn is_done(ledger: &dyn Ledger, log: &Log, consumer: &Consumer) -> bool {
    let mut deliveries = ledger.consume(log, consumer, 1024).await.unwrap();
    tokio::time::timeout(QUIET_PERIOD, deliveries.next()).await.is_err()
}

/// Payloads that are due on a queue, of which there is one at least.
pub async fn due(ledger: &dyn Ledger, queue: &WorkQueue) -> BTreeSet<String> {
    let mut deliveries = ledger.consume_queue(queue, 1024).await.unwrap();
    let mut payloads = BTreeSet::new();
    loop {
        let timeout = if payloads.is_empty() { DELIVERY_TIMEOUT } else { QUIET_PERIOD };
        let Ok(Some(delivery)) = tokio::time::timeout(timeout, deliveries.next()).await else {
            return payloads;
        };
        payloads.insert(String::from_utf8_lossy(&delivery.message.entry.payload).into_owned());
        delivery.ack().await.unwrap();
    }
}

/// The payloads of a log that [`fill_logs`] filled.
pub fn filled(log: &Log) -> Vec<String> {
    let all = (0..ENTRIES).map(|index| format!("{} {index}", log.name));
    match log.keep {
        Keep::All => all.collect(),
        Keep::Newest => all.skip(ENTRIES as usize - 7).collect(),
    }
}

/// Positions of the ledger, and the largest of the log of snapshots.
pub async fn positions(ledger: &dyn Ledger) -> (Vec<Position>, Position) {
    let entries = read_log(ledger, &LEDGER).await;
    let snapshots = ledger.head(&SNAPSHOTS).await.unwrap();
    (entries.iter().map(|stored| stored.position).collect(), snapshots)
}
