//! Tests of connecting: unfit servers give a clear error, and streams are updated to the
//! configuration.

use async_nats::jetstream;
use harness::{NatsServer, NatsSetup, free_port, nats_server_oldest};
use paihao_contracts::streams::{LEDGER, LOGS, WORK_QUEUES};
use paihao_ledger::Ledger;
use paihao_ledger_nats::{ConnectError, NatsLedger, NatsOptions, inspect};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

fn options_for(url: impl Into<String>) -> NatsOptions {
    NatsOptions { url: url.into(), timeout: Duration::from_secs(2), ..NatsOptions::default() }
}

async fn connect_error(options: NatsOptions) -> ConnectError {
    NatsLedger::connect(options).await.err().expect("it must be refused")
}

/// A server that greets with a given version and answers pings.
async fn fake_server(version: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.split();
        let greeting = format!(
            r#"INFO {{"server_id":"x","server_name":"x","version":"{version}","proto":1,"host":"127.0.0.1","port":{port},"headers":true,"max_payload":1048576,"jetstream":true}}"#
        );
        write.write_all(format!("{greeting}\r\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("PING") {
                write.write_all(b"PONG\r\n").await.unwrap();
            }
        }
    });
    format!("nats://127.0.0.1:{port}")
}

#[tokio::test]
async fn an_older_server_is_refused() {
    let error = connect_error(options_for(fake_server("2.8.4").await)).await;
    assert_eq!(error, ConnectError::TooOld { found: "2.8.4".to_owned() });
    assert!(error.to_string().contains("the oldest supported one is 2.9.10"), "{error}");
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    for binary in [NatsSetup::default().binary, nats_server_oldest()] {
        let setup = NatsSetup { binary, jetstream: false, ..NatsSetup::default() };
        let server = NatsServer::with_setup(setup);
        assert_eq!(connect_error(options_for(server.url())).await, ConnectError::NoJetStream);
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let extra = "authorization { user: paihao, password: right }".to_owned();
    let server = NatsServer::with_setup(NatsSetup { extra_config: extra, ..NatsSetup::default() });
    let with = |password: &str| NatsOptions {
        user: Some("paihao".to_owned()),
        password: Some(password.into()),
        ..options_for(server.url())
    };
    let error = connect_error(with("wrong-secret")).await;
    assert_eq!(error, ConnectError::NotAllowed);
    assert!(!format!("{error} {error:?} {:?}", with("wrong-secret")).contains("wrong-secret"));
    NatsLedger::connect(with("right")).await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_missing_server_is_unreachable_and_the_address_stays_private() {
    let url = format!("nats://user:hush-hush@127.0.0.1:{}", free_port());
    assert!(!format!("{:?}", options_for(url.clone())).contains("hush"));
    let error = connect_error(options_for(url)).await;
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    let error = connect_error(options_for("nats://user:hush-hush@:port:")).await;
    assert!(matches!(error, ConnectError::Invalid(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_namespace_that_would_break_names_is_refused() {
    let options = NatsOptions { namespace: "Pai.Hao".to_owned(), ..NatsOptions::default() };
    assert!(matches!(connect_error(options).await, ConnectError::Invalid(_)));
}

#[tokio::test]
async fn more_replicas_than_servers_is_a_clear_error() {
    let server = NatsServer::shared();
    let namespace = "three".to_owned();
    let error =
        connect_error(NatsOptions { replicas: 3, namespace, ..options_for(server.url()) }).await;
    assert!(matches!(error, ConnectError::Stream { .. }), "{error:?}");
}

#[tokio::test]
async fn an_existing_stream_is_updated_to_the_configuration() {
    let server = NatsServer::shared();
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let older = jetstream::stream::Config {
        name: "ADJUST_LEDGER".to_owned(),
        subjects: vec!["adjust.ledger.>".to_owned()],
        max_age: Duration::from_secs(3600),
        description: Some("an operator's note".to_owned()),
        ..jetstream::stream::Config::default()
    };
    context.create_stream(older.clone()).await.unwrap();
    let options = NatsOptions { namespace: "adjust".to_owned(), ..options_for(server.url()) };
    NatsLedger::connect(options.clone()).await.unwrap();
    let now = context.get_stream("ADJUST_LEDGER").await.unwrap().cached_info().config.clone();
    assert_eq!(Some(now.max_age), LEDGER.retention);
    assert_eq!(now.description.as_deref(), Some("an operator's note"));

    context.delete_stream("ADJUST_LEDGER").await.unwrap();
    let retention = jetstream::stream::RetentionPolicy::WorkQueue;
    context.create_stream(jetstream::stream::Config { retention, ..older }).await.unwrap();
    let error = connect_error(options).await;
    assert!(error.to_string().contains("another kind"), "{error}");
}

#[tokio::test]
async fn an_inspection_creates_nothing_and_reports_differing_streams() {
    let all = LOGS.len() + WORK_QUEUES.len();
    for binary in [NatsSetup::default().binary, nats_server_oldest()] {
        let server = NatsServer::start_with(&binary);
        let server_info = inspect(&options_for(server.url())).await.unwrap();
        assert!(
            server_info.streams.is_empty() && server_info.missing.len() == all,
            "{server_info:?}"
        );
        let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
        let other = jetstream::stream::Config {
            name: "PAIHAO_DEAD_LETTERS".to_owned(),
            subjects: vec!["paihao.dead-letters.>".to_owned()],
            storage: jetstream::stream::StorageType::Memory,
            ..Default::default()
        };
        context.create_stream(other).await.unwrap();
        let server_info = inspect(&options_for(server.url())).await.unwrap();
        assert_eq!((server_info.streams.len(), server_info.missing.len()), (1, all - 1));
        assert!(
            !server_info.streams[0].on_disk && !server_info.streams[0].retention_matches,
            "{server_info:?}"
        );
        context.delete_stream("PAIHAO_DEAD_LETTERS").await.unwrap();

        NatsLedger::connect(options_for(server.url())).await.unwrap();
        let server_info = inspect(&options_for(server.url())).await.unwrap();
        assert!(
            !server_info.untested
                && server_info.missing.is_empty()
                && server_info.streams.len() == all
        );
        for stream in server_info.streams {
            assert!(
                stream.on_disk && stream.retention_matches && stream.replicas == 1,
                "{stream:?}"
            );
        }
    }
}
