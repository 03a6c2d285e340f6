//! Tests of the limits of the streams: a full one refuses what is new, keeps what it has, and takes
//! more when there is room; the others go on.

use futures::StreamExt;
use harness::{NatsServer, nats_server_oldest};
use paihao_contracts::streams::{Keep, LEDGER, LOGS, Log, NOTICES, WORK_QUEUES};
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoreUsage, Subject,
};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: u64 = 256 << 10;
const ENTRY: usize = 8 << 10;

fn options(server: &NatsServer, limited: &str, limit: u64) -> NatsOptions {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NatsOptions {
        url: server.url(),
        namespace: format!("limit-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        max_bytes: [(limited.to_owned(), limit)].into(),
        ..NatsOptions::default()
    }
}

fn subject(name: &str) -> Subject {
    Subject::new(&["shop", name]).unwrap()
}

async fn append(ledger: &NatsLedger, log: &Log, site: u64) -> Result<Position, AppendError> {
    let entry = Entry::new(vec![7; ENTRY]);
    ledger.append(log, &subject(&format!("site-{site}")), ExpectedPosition::Empty, entry).await
}

async fn usage(ledger: &NatsLedger, name: &str) -> StoreUsage {
    let usage = ledger.usage().await.unwrap();
    usage.into_iter().find(|part| part.name == name).unwrap()
}

/// Servers of the newest and of the oldest supported version.
fn servers() -> [&'static NatsServer; 2] {
    static OLDEST: LazyLock<NatsServer> =
        LazyLock::new(|| NatsServer::start_with(&nats_server_oldest()));
    [NatsServer::shared(), &OLDEST]
}

#[tokio::test]
async fn a_full_log_refuses_what_is_new_and_drops_nothing() {
    for server in servers() {
        for log in LOGS {
            let options = options(server, log.name, LIMIT);
            let ledger = NatsLedger::connect(options.clone()).await.unwrap();
            let mut kept = 0;
            let refusal = loop {
                match append(&ledger, &log, kept).await {
                    Ok(_) => kept += 1,
                    Err(error) => break error,
                }
                assert!(kept < 1000, "{}: no limit", log.name);
            };
            assert!(matches!(refusal, AppendError::Unavailable(_)), "{refusal}");
            let part = usage(&ledger, log.name).await;
            assert_eq!(part.limit_bytes, Some(LIMIT));
            assert!(part.bytes <= LIMIT && part.bytes > LIMIT * 8 / 10, "{part:?}");
            let mut entries = ledger.follow(&log, Position::START).await.unwrap();
            for site in 0..kept {
                let Some(LogItem::Entry(stored)) = entries.next().await else { panic!("cut off") };
                assert_eq!(stored.subject, subject(&format!("site-{site}")), "{}", log.name);
            }
            // The other parts take more.
            for other in LOGS.into_iter().filter(|other| *other != log) {
                append(&ledger, &other, 1).await.unwrap();
            }
            ledger.enqueue(&NOTICES, "k", Entry::new("x"), Duration::ZERO).await.unwrap();
            // A higher limit, as an operator sets it, counts from the next start.
            let raised = [(log.name.to_owned(), 2 * LIMIT)].into();
            let raised = NatsOptions { max_bytes: raised, ..options };
            let ledger = NatsLedger::connect(raised).await.unwrap();
            append(&ledger, &log, kept).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_new_until_messages_are_worked_off() {
    for server in servers() {
        for queue in WORK_QUEUES {
            let ledger = NatsLedger::connect(options(server, queue.name, LIMIT)).await.unwrap();
            let enqueue = async |key: u64| {
                let entry = Entry::new(vec![7; ENTRY]);
                ledger.enqueue(&queue, &format!("k{key}"), entry, Duration::ZERO).await
            };
            let mut kept = 0;
            while enqueue(kept).await.is_ok() {
                kept += 1;
                assert!(kept < 1000, "{}: no limit", queue.name);
            }
            assert!(append(&ledger, &LEDGER, 1).await.is_ok(), "the ledger is another stream");
            let mut deliveries = ledger.consume_queue(&queue, 2).await.unwrap();
            for _ in 0..2 {
                deliveries.next().await.unwrap().ack().await.unwrap();
            }
            enqueue(kept).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_full_ledger_takes_more_by_itself_once_entries_have_aged_out() {
    for server in servers() {
        let aged = Log { retention: Some(Duration::from_secs(2)), ..LEDGER };
        let options =
            NatsOptions { retention_overrides: vec![aged], ..options(server, LEDGER.name, LIMIT) };
        let ledger = NatsLedger::connect(options).await.unwrap();
        let mut kept = 0;
        while append(&ledger, &LEDGER, kept).await.is_ok() {
            kept += 1;
        }
        assert!(kept > 5);
        harness::wait_until("there is room", Duration::from_secs(20), async || {
            append(&ledger, &LEDGER, kept).await.is_ok()
        })
        .await;
    }
}

#[tokio::test]
async fn a_limit_that_the_server_has_no_room_for_is_left_out() {
    let ledger = NatsLedger::connect(options(NatsServer::shared(), LEDGER.name, 1 << 60)).await;
    let ledger = ledger.unwrap();
    append(&ledger, &LEDGER, 1).await.unwrap();
    assert_eq!(usage(&ledger, LEDGER.name).await.limit_bytes, None);
    assert!(LOGS.iter().any(|log| log.keep == Keep::Newest), "those too");
}
