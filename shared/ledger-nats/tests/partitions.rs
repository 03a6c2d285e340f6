//! Tests of the number of partitions: the streams keep it, whoever connects first, and a process
//! with another number is refused.

use async_nats::jetstream;
use harness::{NatsServer, nats_server_oldest};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{LEDGER, SNAPSHOTS};
use paihao_ledger::Ledger;
use paihao_ledger::backup::RestoreTarget;
use paihao_ledger_nats::{ConnectError, NatsBackup, NatsLedger, NatsOptions, NatsRestore, inspect};
use std::sync::LazyLock;

static OLDEST: LazyLock<NatsServer> =
    LazyLock::new(|| NatsServer::start_with(&nats_server_oldest()));

fn options(server: &NatsServer, namespace: &str, partitions: usize) -> NatsOptions {
    let partitions = Partitions::new(partitions).unwrap();
    let (url, namespace) = (server.url(), namespace.to_owned());
    NatsOptions { url, namespace, partitions, ..NatsOptions::default() }
}

#[tokio::test]
async fn a_ledger_keeps_the_number_that_it_was_begun_with() {
    for server in [NatsServer::shared(), &*OLDEST] {
        for found in [1, 2, 4, 16] {
            let namespace = format!("number-{found}");
            let options = |partitions| options(server, &namespace, partitions);
            drop(NatsLedger::connect(options(found)).await.unwrap());
            for expected in [1, 2, 4, 16].into_iter().filter(|expected| *expected != found) {
                let refusal = ConnectError::Partitions { found, expected };
                assert!(refusal.to_string().contains(&format!("set it to {found}")));
                let refused = NatsLedger::connect(options(expected)).await.err();
                assert_eq!(refused.as_ref(), Some(&refusal));
                assert_eq!(inspect(&options(expected)).await.err().as_ref(), Some(&refusal));
                let refused = NatsBackup::connect(options(expected)).await.err();
                assert_eq!(refused.as_ref(), Some(&refusal));
                let mut target = NatsRestore::new(options(expected), false, || 0);
                let refused = target.begin().await.err().unwrap().to_string();
                assert!(refused.contains(&format!("has {found} partitions")), "{refused}");
                // To begin anew is to begin with the number that is there.
                let begin = NatsOptions { begin_empty: true, ..options(expected) };
                assert_eq!(NatsLedger::connect(begin).await.err(), Some(refusal));
            }
            let ledger = NatsLedger::connect(options(found)).await.unwrap();
            ledger.check().await.unwrap();
            assert_eq!(ledger.partitions().count(), found);
            let info = inspect(&options(found)).await.unwrap();
            assert_eq!(info.missing, Vec::<String>::new());
            assert_eq!(info.streams.len(), ledger.usage().await.unwrap().len());
        }
    }
}

/// A former version knows one stream of decisions, and finds it gone.
#[tokio::test]
async fn several_partitions_have_no_stream_that_a_former_version_would_use() {
    let server = NatsServer::shared();
    NatsLedger::connect(options(server, "divided", 2)).await.unwrap();
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    for log in [LEDGER, SNAPSHOTS] {
        let name = format!("DIVIDED_{}", log.name.to_ascii_uppercase());
        assert!(context.get_stream(&name).await.is_err(), "{name}");
        for number in [1, 2] {
            context.get_stream(format!("{name}_{number}")).await.unwrap();
        }
    }
}

#[tokio::test]
async fn of_processes_with_two_numbers_at_the_first_start_not_both_begin() {
    let server = NatsServer::shared();
    for round in 0..12 {
        let namespace = format!("first-{round}");
        let [one, other] = [[1, 4], [2, 4], [4, 1]][round % 3];
        let (one, other) = tokio::join!(
            NatsLedger::connect(options(server, &namespace, one)),
            NatsLedger::connect(options(server, &namespace, other))
        );
        let begun = [&one, &other].iter().filter(|connected| connected.is_ok()).count();
        assert!(begun < 2, "both have begun");
        for refused in [one, other].into_iter().filter_map(Result::err) {
            assert!(matches!(refused, ConnectError::Partitions { .. }), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_partition_that_was_there_and_is_gone_is_not_made_anew() {
    let server = NatsServer::shared();
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    for number in 1..=4 {
        let namespace = format!("gone-{number}");
        drop(NatsLedger::connect(options(server, &namespace, 4)).await.unwrap());
        let stream = format!("GONE_{number}_LEDGER_{number}");
        context.delete_stream(&stream).await.unwrap();
        let refused = NatsLedger::connect(options(server, &namespace, 4)).await.err();
        assert_eq!(refused, Some(ConnectError::Lost { stream }));
    }
}
