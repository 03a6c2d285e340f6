//! Tests with servers that crash, freeze, lose the connection or lose all data.

#![expect(clippy::disallowed_methods, reason = "tasks of a test end with its runtime")]

use async_nats::jetstream;
use futures::StreamExt;
use futures::stream::BoxStream;
use harness::{NatsServer, Proxy, wait_until};
use paihao_contracts::streams::{Consumer, LEDGER, NOTICES, PLANNER, WorkQueue};
use paihao_ledger::{
    AppendError, Delivery, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
};
use paihao_ledger_nats::{ConnectError, NatsLedger, NatsOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const TEST_TIMEOUT: Duration = Duration::from_secs(60);
const NO_DELAY: Duration = Duration::ZERO;

fn options(port: u16) -> NatsOptions {
    NatsOptions {
        url: format!("nats://127.0.0.1:{port}"),
        timeout: Duration::from_secs(1),
        heartbeat: Duration::from_millis(200),
        recreate_lost: true,
        ..NatsOptions::default()
    }
}

async fn connect(port: u16) -> NatsLedger {
    NatsLedger::connect(options(port)).await.unwrap()
}

async fn with_timeout<T>(description: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TEST_TIMEOUT, future)
        .await
        .unwrap_or_else(|_| panic!("waited for {description}"))
}

fn subject(name: &str) -> Subject {
    Subject::new(&["acc", name]).unwrap()
}

fn payload_text(recorded: &StoredEntry) -> String {
    String::from_utf8(recorded.entry.payload.to_vec()).unwrap()
}

async fn append_payload(ledger: &NatsLedger, payload: &str) -> Position {
    let entry = Entry::new(payload.to_owned());
    ledger.append(&LEDGER, &subject("a"), ExpectedPosition::Any, entry).await.unwrap()
}

async fn next_item(follower: &mut BoxStream<'static, LogItem>) -> LogItem {
    with_timeout("an item", follower.next()).await.unwrap()
}

async fn next_text(follower: &mut BoxStream<'static, LogItem>) -> String {
    match next_item(follower).await {
        LogItem::Entry(recorded) => payload_text(&recorded),
        LogItem::Restarted => panic!("the log is the same"),
    }
}

/// Follows the rule of the port: without a response, reads before it retries.
async fn append_until_stored(ledger: &NatsLedger, subject: &Subject, payload: &str) {
    let mut on = None;
    loop {
        let expect = on.map_or(ExpectedPosition::Empty, ExpectedPosition::At);
        let entry = Entry::new(payload.to_owned());
        match ledger.append(&LEDGER, subject, expect, entry).await {
            Ok(_) => return,
            Err(AppendError::Conflict { .. } | AppendError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
        match ledger.last(&LEDGER, subject).await {
            Ok(Some(last)) if payload_text(&last) == payload => return,
            Ok(last) => on = last.map(|last| last.position),
            Err(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_every_acknowledged_entry_once() {
    const APPENDERS: usize = 8;
    const EACH: usize = 60;
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let appended = Arc::new(AtomicUsize::new(0));
    let appenders: Vec<_> = (0..APPENDERS)
        .map(|appender| {
            let ledger = ledger.clone();
            let appended = Arc::clone(&appended);
            tokio::spawn(async move {
                let subject = subject(&format!("s{appender}"));
                for n in 0..EACH {
                    append_until_stored(&ledger, &subject, &format!("{appender}/{n}")).await;
                    appended.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
        })
        .collect();
    for kill_at in [60, 200] {
        wait_until("appends", TEST_TIMEOUT, async || appended.load(Ordering::SeqCst) >= kill_at)
            .await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.restart();
    }
    for appender in appenders {
        with_timeout("an appender", appender).await.unwrap();
    }
    let mut texts = BTreeSet::new();
    let mut before = Position::START;
    while texts.len() < APPENDERS * EACH {
        let LogItem::Entry(recorded) = next_item(&mut follower).await else {
            panic!("it is the same")
        };
        assert!(recorded.position > before, "no repeat");
        before = recorded.position;
        assert!(texts.insert(payload_text(&recorded)), "{} is repeated", payload_text(&recorded));
    }
    assert_eq!(ledger.head(&LEDGER).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_costs_no_more_than_the_time_limit() {
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    append_payload(&ledger, "before").await;
    assert_eq!(next_text(&mut follower).await, "before");
    server.freeze();
    let started = Instant::now();
    let subject = subject("a");
    let answer = ledger.append(&LEDGER, &subject, ExpectedPosition::Any, Entry::new("lost?")).await;
    assert!(matches!(answer, Err(AppendError::Unavailable(_))), "{answer:?}");
    assert!(started.elapsed() < options(0).timeout * 10, "it hangs: {:?}", started.elapsed());
    assert!(ledger.check().await.is_err());
    assert!(ledger.last(&LEDGER, &subject).await.is_err());
    assert!(ledger.head(&LEDGER).await.is_err());
    assert!(ledger.enqueue(&NOTICES, "k", Entry::new("x"), NO_DELAY).await.is_err());
    server.thaw();
    wait_until("recovery", TEST_TIMEOUT, async || ledger.check().await.is_ok()).await;
    append_payload(&ledger, "after").await;
    let mut texts = vec![next_text(&mut follower).await];
    while texts.last().unwrap() != "after" {
        texts.push(next_text(&mut follower).await);
    }
    // The frozen server received after its thaw what was sent before.
    assert!(texts == ["after"] || texts == ["lost?", "after"], "{texts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_behind_a_broken_connection_misses_and_repeats_nothing() {
    const COUNT: usize = 1_000;
    let server = NatsServer::start();
    let proxy = Proxy::start(server.port());
    let near = connect(server.port()).await;
    let far = connect(proxy.port()).await;
    let mut follower = far.follow(&LEDGER, Position::START).await.unwrap();
    let appending = tokio::spawn(async move {
        for n in 0..COUNT {
            append_payload(&near, &n.to_string()).await;
        }
    });
    for n in 0..COUNT {
        if [100, 300, 301, 700].contains(&n) {
            proxy.cut();
            tokio::time::sleep(Duration::from_millis(50)).await;
            proxy.restore();
        }
        assert_eq!(next_text(&mut follower).await, n.to_string());
    }
    appending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_connection_workers_wait_without_spinning() {
    let server = NatsServer::start();
    let proxy = Proxy::start(server.port());
    let ledger = connect(proxy.port()).await;
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let mut worker = ledger.consume_queue(&NOTICES, 4).await.unwrap();
    let waiting = tokio::spawn(async move { worker.next().await });
    assert!(futures::poll!(follower.next()).is_pending());
    let attempts_before = proxy.attempts();
    proxy.cut();
    let following = tokio::spawn(async move { next_item(&mut follower).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let attempts = proxy.attempts() - attempts_before;
    assert!((1..=12).contains(&attempts), "{attempts} attempts in three seconds");
    assert!(ledger.check().await.is_err());
    proxy.restore();
    wait_until("the connection", TEST_TIMEOUT, async || ledger.check().await.is_ok()).await;
    append_payload(&ledger, "x").await;
    ledger.enqueue(&NOTICES, "k", Entry::new("x"), NO_DELAY).await.unwrap();
    assert!(matches!(with_timeout("the follower", following).await.unwrap(), LogItem::Entry(_)));
    with_timeout("the worker", waiting).await.unwrap().unwrap().ack().await.unwrap();
}

async fn next_delivery(deliveries: &mut paihao_ledger::Deliveries) -> Delivery {
    with_timeout("a delivery", deliveries.next()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_is_recreated_and_all_clients_continue() {
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let mut planner = ledger.consume(&LEDGER, &PLANNER, 2).await.unwrap();
    let mut worker = ledger.consume_queue(&NOTICES, 2).await.unwrap();
    let old = append_payload(&ledger, "old").await;
    ledger.enqueue(&NOTICES, "k", Entry::new("old"), NO_DELAY).await.unwrap();
    assert_eq!(next_text(&mut follower).await, "old");
    next_delivery(&mut planner).await.ack().await.unwrap();
    let delivery = next_delivery(&mut worker).await;

    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    for stream in ["PAIHAO_LEDGER", "PAIHAO_NOTICES"] {
        context.delete_stream(stream).await.unwrap();
    }
    let planned =
        tokio::spawn(async move { payload_text(&next_delivery(&mut planner).await.message) });
    let worked =
        tokio::spawn(async move { payload_text(&next_delivery(&mut worker).await.message) });
    assert_eq!(
        next_item(&mut follower).await,
        LogItem::Restarted,
        "by itself, with nobody appending"
    );
    assert!(delivery.ack().await.is_err());
    wait_until("the queue, with nobody enqueuing", TEST_TIMEOUT, async || {
        context.get_stream("PAIHAO_NOTICES").await.is_ok()
    })
    .await;

    let at_the_old = ExpectedPosition::At(old);
    let conflict = ledger.append(&LEDGER, &subject("a"), at_the_old, Entry::new("no")).await;
    assert!(matches!(conflict, Err(AppendError::Conflict { found: None, .. })), "{conflict:?}");
    assert_eq!(append_payload(&ledger, "new").await, old, "positions begin again");
    ledger.enqueue(&NOTICES, "k", Entry::new("new"), NO_DELAY).await.unwrap();
    assert_eq!(next_text(&mut follower).await, "new");
    assert_eq!(with_timeout("the planner", planned).await.unwrap(), "new");
    assert_eq!(with_timeout("the worker", worked).await.unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_everything_is_a_restart() {
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    append_payload(&ledger, "old").await;
    assert_eq!(next_text(&mut follower).await, "old");
    server.kill();
    server.lose_data();
    server.restart();
    assert_eq!(next_item(&mut follower).await, LogItem::Restarted);
    append_payload(&ledger, "new").await;
    assert_eq!(next_text(&mut follower).await, "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_there_is_not_made_anew() {
    let server = NatsServer::start();
    let strict = NatsOptions { recreate_lost: false, ..options(server.port()) };
    let ledger = NatsLedger::connect(strict.clone()).await.unwrap();
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    append_payload(&ledger, "old").await;
    assert_eq!(next_text(&mut follower).await, "old");
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    context.delete_stream("PAIHAO_LEDGER").await.unwrap();
    let following = tokio::spawn(async move { follower.next().await });
    assert_eq!(with_timeout("the loss is noticed", ledger.until_lost()).await, "PAIHAO_LEDGER");
    assert!(!following.is_finished(), "nothing tells it to begin anew");
    assert!(ledger.check().await.is_err());
    let to = subject("a");
    let append = ledger.append(&LEDGER, &to, ExpectedPosition::Any, Entry::new("no")).await;
    assert!(matches!(append, Err(AppendError::Unavailable(_))), "{append:?}");
    assert!(context.get_stream("PAIHAO_LEDGER").await.is_err(), "nobody made it");

    // The others are there, and tell a further start that it was no first one.
    let error = NatsLedger::connect(strict.clone()).await.err().unwrap();
    assert!(
        matches!(&error, ConnectError::Lost { stream } if stream == "PAIHAO_LEDGER"),
        "{error}"
    );
    // After the loss of all of them whoever knows of the ledger has to say so.
    server.kill();
    server.lose_data();
    server.restart();
    let known = NatsOptions { must_exist: true, ..strict };
    let lost = async || NatsLedger::connect(known.clone()).await.err();
    wait_until("the server is back", TEST_TIMEOUT, async || {
        matches!(lost().await, Some(ConnectError::Lost { .. }))
    })
    .await;
    let anew = NatsOptions { begin_empty: true, ..known };
    NatsLedger::connect(anew).await.unwrap().check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_ahead_is_back_before_the_process_ends() {
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    for n in 0..20 {
        let key = format!("k{n}");
        ledger.enqueue(&NOTICES, &key, Entry::new("x"), NO_DELAY).await.unwrap();
    }
    let mut worker = ledger.consume_queue(&NOTICES, 20).await.unwrap();
    let held = next_delivery(&mut worker).await;
    drop((held, worker));
    with_timeout("the close", ledger.close()).await;
    // Another process gets all of them at once, long before the wait for an acknowledgement ends.
    let other = connect(server.port()).await;
    let mut worker = other.consume_queue(&NOTICES, 20).await.unwrap();
    let started = std::time::Instant::now();
    for _ in 0..20 {
        next_delivery(&mut worker).await.ack().await.unwrap();
    }
    assert!(started.elapsed() < NOTICES.ack_wait / 2, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_outlive_the_server() {
    const COUNT: usize = 60;
    const WORK: WorkQueue = WorkQueue { name: "work", ack_wait: Duration::from_secs(2) };
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    let mut worker = ledger.consume_queue(&WORK, 8).await.unwrap();
    let (finished, mut received) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(delivery) = worker.next().await {
            let payload = payload_text(&delivery.message);
            // After a failure it is unknown whether the server received it: the message comes
            // again, or does not.
            let _ = delivery.ack().await;
            let _ = finished.send(payload);
        }
    });
    let mut appended = BTreeSet::new();
    for n in 0..COUNT {
        if n == COUNT / 2 {
            server.kill();
            server.restart();
        }
        let key = n.to_string();
        while ledger.enqueue(&WORK, &key, Entry::new(key.clone()), NO_DELAY).await.is_err() {}
    }
    while appended.len() < COUNT {
        appended.insert(with_timeout("a message", received.recv()).await.unwrap());
    }
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    wait_until("an empty queue", TEST_TIMEOUT, async || {
        let stream = context.get_stream("PAIHAO_WORK").await.unwrap();
        stream.cached_info().state.messages == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_consumer_begins_again_at_the_oldest() {
    const READER: Consumer = Consumer::prompt("reader", Duration::from_secs(30));
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    append_payload(&ledger, "1").await;
    let mut reader = ledger.consume(&LEDGER, &READER, 1).await.unwrap();
    next_delivery(&mut reader).await.ack().await.unwrap();
    let waiting =
        tokio::spawn(async move { payload_text(&next_delivery(&mut reader).await.message) });
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = jetstream::new(client).get_stream("PAIHAO_LEDGER").await.unwrap();
    stream.delete_consumer(READER.name).await.unwrap();
    assert_eq!(with_timeout("the reader", waiting).await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_lettered_message_leaves_the_queue() {
    let server = NatsServer::start();
    let ledger = connect(server.port()).await;
    ledger.enqueue(&NOTICES, "k", Entry::new("x"), NO_DELAY).await.unwrap();
    let mut worker = ledger.consume_queue(&NOTICES, 1).await.unwrap();
    next_delivery(&mut worker).await.dead_letter("no").await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    wait_until("an empty queue", TEST_TIMEOUT, async || {
        let stream = context.get_stream("PAIHAO_NOTICES").await.unwrap();
        stream.cached_info().state.messages == 0
    })
    .await;
}
