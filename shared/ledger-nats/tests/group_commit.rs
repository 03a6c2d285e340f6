//! Tests of group commit: many appends at once share the syncs of the server's disk, and each keeps
//! its own answer.

use futures::future::join_all;
use harness::{NatsServer, NatsSetup, count_syncs, nats_server_oldest, synced_files};
use paihao_contracts::streams::{LEDGER, Log, SNAPSHOTS};
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::collections::BTreeSet;
use std::time::Duration;

/// More than any batch holds, and what is made beside it one by one.
const SITES: usize = 600;

async fn connect(server: &NatsServer) -> NatsLedger {
    let options = NatsOptions { url: server.url(), ..NatsOptions::default() };
    NatsLedger::connect(options).await.unwrap()
}

fn syncing_server() -> NatsServer {
    NatsServer::with_setup(NatsSetup { sync: true, ..NatsSetup::default() })
}

fn site(number: usize) -> Subject {
    Subject::new(&["acc", &number.to_string()]).unwrap()
}

/// Appends to all sites at once, each under its own expectation.
async fn append_to_all(
    ledger: &NatsLedger,
    log: &Log,
    expected: impl Fn(usize) -> ExpectedPosition,
    text: &str,
) -> Vec<Result<Position, AppendError>> {
    let appends = (0..SITES).map(|number| {
        let entry = Entry::new(format!("{text} {number}"));
        let expect = expected(number);
        async move { ledger.append(log, &site(number), expect, entry).await }
    });
    join_all(appends).await
}

/// Fails unless each site's newest entry is the one at its position.
async fn assert_newest(ledger: &NatsLedger, log: &Log, positions: &[Position], text: &str) {
    for (number, position) in positions.iter().enumerate() {
        let last = ledger.last(log, &site(number)).await.unwrap().unwrap();
        assert_eq!((last.position, last.subject), (*position, site(number)));
        assert_eq!(last.entry, Entry::new(format!("{text} {number}")));
    }
}

fn all_written(results: Vec<Result<Position, AppendError>>) -> Vec<Position> {
    let positions: Vec<Position> = results.into_iter().map(Result::unwrap).collect();
    let distinct: BTreeSet<_> = positions.iter().collect();
    assert_eq!(distinct.len(), SITES, "two entries have one position");
    positions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_of_many_sites_share_their_syncs() {
    let server = syncing_server();
    let ledger = connect(&server).await;
    for log in [LEDGER, SNAPSHOTS] {
        let first = append_to_all(&ledger, &log, |_| ExpectedPosition::Empty, "first").await;
        let first = all_written(first);
        assert_newest(&ledger, &log, &first, "first").await;
        let mut second = Vec::new();
        let syncs = count_syncs(server.pid().unwrap(), async || {
            let expected = |number: usize| ExpectedPosition::At(first[number]);
            second = append_to_all(&ledger, &log, expected, "second").await;
        })
        .await;
        assert!(syncs < SITES / 2, "{syncs} syncs for {SITES} appends to {}", log.name);
        assert_newest(&ledger, &log, &all_written(second), "second").await;
    }
}

/// The server gathers a batch in a file of its own and syncs that first: it is the stream's own
/// file by which the entries are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_the_stream_is_synced_before_a_batch_is_acknowledged() {
    let server = syncing_server();
    let ledger = connect(&server).await;
    let files = synced_files(&[server.pid().unwrap()], async || {
        all_written(append_to_all(&ledger, &LEDGER, |_| ExpectedPosition::Empty, "x").await);
    })
    .await;
    let id_of_batch = |file: &String| {
        let (_, rest) = file.split_once("/batches/")?;
        Some(rest.split('/').next().unwrap_or(rest).to_owned())
    };
    let batches: BTreeSet<String> = files.iter().filter_map(id_of_batch).collect();
    assert!(!batches.is_empty(), "no batch was written");
    let is_own = |file: &&String| file.contains("/msgs/") && id_of_batch(file).is_none();
    let own = files.iter().filter(is_own).count();
    assert!(own >= batches.len(), "{own} syncs of the stream for {} batches", batches.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_refuses_its_own_append_alone() {
    let server = syncing_server();
    let ledger = connect(&server).await;
    let first = append_to_all(&ledger, &LEDGER, |_| ExpectedPosition::Empty, "first").await;
    let first = all_written(first);
    // Of every seventh site something else was written meanwhile.
    let is_behind = |number: usize| number.is_multiple_of(7);
    let expected = |number: usize| {
        let behind = is_behind(number);
        if behind { ExpectedPosition::Empty } else { ExpectedPosition::At(first[number]) }
    };
    let second = append_to_all(&ledger, &LEDGER, expected, "second").await;
    for (number, result) in second.into_iter().enumerate() {
        let newest = ledger.last(&LEDGER, &site(number)).await.unwrap().unwrap();
        match result {
            Ok(position) => {
                assert!(!is_behind(number));
                assert_eq!(newest.position, position);
            }
            Err(AppendError::Conflict { expected: ExpectedPosition::Empty, found }) => {
                assert!(is_behind(number));
                assert_eq!((found, newest.position), (Some(first[number]), first[number]));
            }
            Err(other) => panic!("site {number}: {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_wins_at_each_site() {
    let server = syncing_server();
    let (one, other) = (connect(&server).await, connect(&server).await);
    let empty = |_| ExpectedPosition::Empty;
    let (one_won, other_won) = tokio::join!(
        append_to_all(&one, &LEDGER, empty, "one"),
        append_to_all(&other, &LEDGER, empty, "other")
    );
    for (number, results) in one_won.into_iter().zip(other_won).enumerate() {
        let last = one.last(&LEDGER, &site(number)).await.unwrap().unwrap();
        let expected = match results {
            (Ok(position), Err(AppendError::Conflict { found, .. })) => {
                assert_eq!(found, Some(position));
                "one"
            }
            (Err(AppendError::Conflict { found, .. }), Ok(position)) => {
                assert_eq!(found, Some(position));
                "other"
            }
            neither => panic!("site {number}: {neither:?}"),
        };
        assert_eq!(last.entry, Entry::new(format!("{expected} {number}")));
    }
}

/// Appends to one site have no batch: its second entry follows on the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_to_one_site_are_all_written() {
    let server = syncing_server();
    let ledger = connect(&server).await;
    let appends = (0..SITES).map(|number| {
        let entry = Entry::new(number.to_string());
        let ledger = &ledger;
        async move { ledger.append(&LEDGER, &site(1), ExpectedPosition::Any, entry).await }
    });
    all_written(join_all(appends).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_no_longer_waits_is_written_once_or_not_at_all_and_holds_up_nobody() {
    let server = syncing_server();
    let ledger = connect(&server).await;
    let is_patient = |number: usize| number.is_multiple_of(2);
    server.freeze();
    let appends = (0..SITES).map(|number| {
        let ledger = &ledger;
        async move {
            let (subject, entry) = (site(number), Entry::new(number.to_string()));
            let append = ledger.append(&LEDGER, &subject, ExpectedPosition::Empty, entry);
            if is_patient(number) {
                return Some(append.await.unwrap());
            }
            assert!(tokio::time::timeout(Duration::from_millis(200), append).await.is_err());
            None
        }
    });
    let thaw = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.thaw();
    };
    let (results, ()) = tokio::join!(join_all(appends), thaw);
    for (number, written) in results.into_iter().enumerate() {
        let last = ledger.last(&LEDGER, &site(number)).await.unwrap();
        match written {
            Some(position) => assert_eq!(last.unwrap().position, position),
            None => assert!(last.is_none_or(|last| last.entry == Entry::new(number.to_string()))),
        }
    }
    let entry = Entry::new("after");
    ledger.append(&LEDGER, &site(SITES), ExpectedPosition::Empty, entry).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_batches_writes_them_one_by_one() {
    let server = NatsServer::start_with(&nats_server_oldest());
    let ledger = connect(&server).await;
    let first = append_to_all(&ledger, &LEDGER, |_| ExpectedPosition::Empty, "first").await;
    assert_newest(&ledger, &LEDGER, &all_written(first), "first").await;
}

/// An operator can forbid batches, also while the program runs; the next start allows them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_takes_no_batches_gets_its_entries_one_by_one() {
    let server = syncing_server();
    let ledger = connect(&server).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let allows = async || {
        let stream = jetstream.get_stream("PAIHAO_LEDGER").await.unwrap();
        stream.cached_info().config.clone()
    };
    let config = allows().await;
    assert!(config.allow_atomic_publish);
    let forbidding =
        async_nats::jetstream::stream::Config { allow_atomic_publish: false, ..config };
    jetstream.update_stream(forbidding).await.unwrap();
    let first = append_to_all(&ledger, &LEDGER, |_| ExpectedPosition::Empty, "first").await;
    assert_newest(&ledger, &LEDGER, &all_written(first), "first").await;
    connect(&server).await;
    assert!(allows().await.allow_atomic_publish);
}

/// Each site's worker goes on where it was, as one of the program does: what it was told is there,
/// and what is there was its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_of_a_batch_that_it_acknowledged() {
    const ROUNDS: usize = 6;
    let server = syncing_server();
    let ledger = connect(&server).await;
    let worker = async |number: usize| {
        let mut acknowledged = Vec::new();
        let mut expect = ExpectedPosition::Empty;
        let mut round = 0;
        while round < ROUNDS {
            let entry = Entry::new(format!("{round} of {number}"));
            match ledger.append(&LEDGER, &site(number), expect, entry).await {
                Ok(position) => {
                    acknowledged.push(position);
                    (expect, round) = (ExpectedPosition::At(position), round + 1);
                }
                // It may have been written: then it is the newest.
                Err(_) => {
                    let Ok(last) = ledger.last(&LEDGER, &site(number)).await else { continue };
                    let Some(last) = last else { continue };
                    if last.entry == Entry::new(format!("{round} of {number}")) {
                        round += 1;
                    }
                    expect = ExpectedPosition::At(last.position);
                }
            }
        }
        (number, acknowledged)
    };
    let workers = join_all((0..SITES / 2).map(worker));
    let faults = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            server.kill();
            server.restart();
        }
    };
    let (written, ()) = tokio::join!(workers, faults);
    let mut total = 0;
    for (number, acknowledged) in written {
        for position in &acknowledged {
            let stored = ledger.get(&LEDGER, *position).await.unwrap().unwrap();
            assert_eq!(stored.subject, site(number));
        }
        let last = ledger.last(&LEDGER, &site(number)).await.unwrap().unwrap();
        assert_eq!(last.entry, Entry::new(format!("{} of {number}", ROUNDS - 1)));
        total += ROUNDS;
    }
    // Positions count the entries, of which none was written twice.
    assert_eq!(ledger.head(&LEDGER).await.unwrap(), Position(total as u64));
}
