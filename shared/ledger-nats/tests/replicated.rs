//! Tests on three servers with replicated streams: conformance, reads at a minority, changes of the
//! leader.

#![expect(clippy::disallowed_methods, reason = "tasks of a test end with its runtime")]

use async_nats::jetstream;
use futures::StreamExt;
use harness::{NatsCluster, NatsServer, Proxy, wait_until};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const TEST_TIMEOUT: Duration = Duration::from_secs(60);
const STREAM: &str = "PAIHAO_LEDGER";

fn options(url: String) -> NatsOptions {
    NatsOptions {
        url,
        replicas: 3,
        timeout: Duration::from_secs(2),
        heartbeat: Duration::from_millis(500),
        ..NatsOptions::default()
    }
}

async fn client_of(cluster: &NatsCluster) -> async_nats::Client {
    let urls: Vec<_> = cluster.servers().iter().map(NatsServer::url).collect();
    async_nats::connect(urls).await.unwrap()
}

/// Connects when the new cluster is ready to create streams.
async fn connect(url: String) -> NatsLedger {
    let mut connected = None;
    wait_until("the cluster creates streams", TEST_TIMEOUT, async || {
        connected = NatsLedger::connect(options(url.clone())).await.ok();
        connected.is_some()
    })
    .await;
    connected.expect("it is connected")
}

fn subject(name: &str) -> Subject {
    Subject::new(&["acc", name]).unwrap()
}

async fn append(ledger: &NatsLedger, name: &str, payload: &str) -> Result<Position, AppendError> {
    let entry = Entry::new(payload.to_owned());
    ledger.append(&LEDGER, &subject(name), ExpectedPosition::Any, entry).await
}

mod conformance {
    use super::*;
    use std::sync::LazyLock;

    /// One cluster for all cases, and a namespace for each, whose streams the next one removes.
    async fn make() -> (Arc<dyn Ledger>, ()) {
        static CLUSTER: LazyLock<NatsCluster> = LazyLock::new(|| NatsCluster::start(3));
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let context = jetstream::new(client_of(&CLUSTER).await);
        let names: Vec<_> = context.stream_names().collect().await;
        for name in names {
            context.delete_stream(name.unwrap()).await.unwrap();
        }
        let namespace = format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let options = NatsOptions {
            namespace,
            timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(2),
            ..options(CLUSTER.url())
        };
        (Arc::new(NatsLedger::connect(options).await.unwrap()), ())
    }

    paihao_ledger::ledger_conformance!(make in turn);
}

/// Moves the leader of a stream to this server.
async fn lead_from(cluster: &NatsCluster, stream: &str, server: usize) {
    let client = client_of(cluster).await;
    wait_until("the stream is led from the server", TEST_TIMEOUT, async || {
        if cluster.leader_of(stream) == Some(server) {
            return true;
        }
        let step_down = format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}");
        let _ = client.request(step_down, "".into()).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.leader_of(stream) == Some(server)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_cut_off_answers_no_read_from_what_it_alone_knows() {
    let cluster = NatsCluster::start(3);
    let near = connect(cluster.url()).await;
    let old = append(&near, "a", "old").await.unwrap();
    lead_from(&cluster, STREAM, 0).await;
    let others = cluster.servers()[1..].iter().map(|server| server.url()).collect::<Vec<_>>();
    let majority = connect(others.join(",")).await;
    let minority = connect(cluster.servers()[0].url()).await;
    assert_eq!(minority.last(&LEDGER, &subject("a")).await.unwrap().unwrap().position, old);

    cluster.isolate(0);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let appending = tokio::spawn(async move {
        // Until another leader is elected, nothing is stored.
        while !stopped.load(Ordering::SeqCst) {
            if append(&majority, "b", "new").await.is_ok() {
                return append(&majority, "a", "new").await.unwrap();
            }
        }
        panic!("the majority elected no leader");
    });
    // Read all the time: from the moment at which the others have stored something, no answer may
    // lack it.
    let mut reads = 0;
    let new = loop {
        let is_stored = appending.is_finished();
        let last = minority.last(&LEDGER, &subject("a")).await;
        let head = minority.head(&LEDGER).await;
        let absent = minority.get(&LEDGER, Position(1_000)).await;
        if is_stored {
            assert!(last.is_err(), "{last:?}");
            assert!(head.is_err(), "{head:?}");
            assert!(absent.is_err(), "{absent:?}");
            reads += 1;
        }
        if reads == 3 {
            stop.store(true, Ordering::SeqCst);
            break appending.await.unwrap();
        }
    };
    cluster.heal();
    wait_until("the reads are confirmed again", TEST_TIMEOUT, async || {
        minority.last(&LEDGER, &subject("a")).await.is_ok()
    })
    .await;
    let last = minority.last(&LEDGER, &subject("a")).await.unwrap().unwrap();
    assert_eq!(last.position, new);
    assert_eq!(minority.head(&LEDGER).await.unwrap(), new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_frozen_answers_nothing_old_when_it_goes_on() {
    let cluster = NatsCluster::start(3);
    let near = connect(cluster.url()).await;
    append(&near, "a", "old").await.unwrap();
    lead_from(&cluster, STREAM, 0).await;
    let others = cluster.servers()[1..].iter().map(|server| server.url()).collect::<Vec<_>>();
    let majority = connect(others.join(",")).await;
    let minority = connect(cluster.servers()[0].url()).await;
    let leader = &cluster.servers()[0];
    for round in 0..2 {
        leader.freeze();
        let mut new = None;
        wait_until("the others elect a leader", TEST_TIMEOUT, async || {
            new = append(&majority, "a", &round.to_string()).await.ok();
            new.is_some()
        })
        .await;
        // Sent while it is frozen, and read by it first of all.
        let subject = subject("a");
        let reads = (0..20).map(|_| minority.last(&LEDGER, &subject));
        let (answers, ()) = tokio::join!(futures::future::join_all(reads), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            leader.thaw();
        });
        let found = answers.into_iter().filter_map(Result::ok);
        let found: BTreeSet<_> = found.map(|last| last.map(|last| last.position)).collect();
        assert!(found.iter().all(|found| *found == new), "{found:?} instead of {new:?}");
        cluster.wait_until_healthy();
        lead_from(&cluster, STREAM, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_leaves_a_server_that_has_lost_the_others() {
    let cluster = NatsCluster::start(3);
    let paths = cluster.client_paths();
    let urls: Vec<_> =
        paths.iter().map(|path| format!("nats://127.0.0.1:{}", path.port())).collect();
    let ledger = connect(urls.join(",")).await;
    lead_from(&cluster, STREAM, 0).await;
    // Attempts to reach the others have failed, which the client remembers.
    paths.iter().for_each(Proxy::cut);
    wait_until("the client is at no server", TEST_TIMEOUT, async || {
        append(&ledger, "a", "nowhere").await.is_err()
    })
    .await;
    paths[0].restore();
    wait_until("the client is at the server", TEST_TIMEOUT, async || {
        paths[0].open_connections() > 0 && append(&ledger, "a", "before").await.is_ok()
    })
    .await;
    paths[1..].iter().for_each(Proxy::restore);
    cluster.isolate(0);
    // The server stays cut off, and answers the client's pings.
    wait_until("another server takes the entries", TEST_TIMEOUT, async || {
        append(&ledger, "a", "after").await.is_ok()
    })
    .await;
    assert!(ledger.last(&LEDGER, &subject("a")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_leader_is_no_new_log() {
    let cluster = NatsCluster::start(3);
    let ledger = connect(cluster.url()).await;
    let mut follower = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let appender = {
        let (ledger, stop) = (ledger.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut stored = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let payload = stored.len().to_string();
                stored.extend(append(&ledger, "a", &payload).await.ok());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stored
        })
    };
    for round in 0..4 {
        let leader = cluster.leader_of(STREAM).expect("a leader");
        let server = &cluster.servers()[leader];
        match round {
            0 => {
                server.kill();
                tokio::time::sleep(Duration::from_secs(1)).await;
                server.restart();
            }
            1 => {
                cluster.isolate(leader);
                tokio::time::sleep(Duration::from_secs(12)).await;
                cluster.heal();
            }
            2 => {
                let follower = (leader + 1) % 3;
                let saved = cluster.servers()[follower].save_data();
                tokio::time::sleep(Duration::from_secs(2)).await;
                cluster.servers()[follower].kill();
                cluster.servers()[follower].put_back(&saved);
                cluster.servers()[follower].restart();
            }
            _ => server.restart_softly(),
        }
        cluster.wait_until_healthy();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::SeqCst);
    let stored = appender.await.unwrap();
    assert!(stored.len() > 100, "only {} appends succeeded", stored.len());
    let head = ledger.head(&LEDGER).await.unwrap();
    let mut read = BTreeSet::new();
    let mut before = Position::START;
    while before < head {
        let next = tokio::time::timeout(TEST_TIMEOUT, follower.next()).await;
        let LogItem::Entry(entry) = next.expect("an entry").unwrap() else {
            panic!("the log is the same")
        };
        assert!(entry.position > before, "{:?} after {before:?}", entry.position);
        before = entry.position;
        read.insert(entry.position);
    }
    let lost: Vec<_> = stored.iter().filter(|position| !read.contains(position)).collect();
    assert!(lost.is_empty(), "acknowledged and not read: {lost:?}");
}
