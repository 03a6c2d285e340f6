//! Tests of the admin port and of a server's shutdown, over real sockets.

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use paihao_chassis::admin::{Admin, ReadinessCheck};
use paihao_chassis::http::{serve, until_stop};
use paihao_chassis::{Tasks, metrics};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const TEST_TIMEOUT: Duration = Duration::from_secs(30);

async fn spawn_server(tasks: &Tasks, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    serve(tasks, "http", listener, router, Default::default());
    at
}

async fn send_get(at: SocketAddr, path: &str) -> TcpStream {
    let mut connection = TcpStream::connect(at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

async fn get_text(at: SocketAddr, path: &str) -> String {
    read_response(send_get(at, path).await).await
}

async fn read_response(mut connection: TcpStream) -> String {
    let mut text = String::new();
    let read = connection.read_to_string(&mut text);
    tokio::time::timeout(TEST_TIMEOUT, read).await.expect("the answer ends").unwrap();
    text
}

fn check_returning(answer: Result<(), &'static str>) -> ReadinessCheck {
    Arc::new(move || std::future::ready(answer.map_err(str::to_owned)).boxed())
}

fn hanging_check() -> ReadinessCheck {
    Arc::new(|| std::future::pending().boxed())
}

#[tokio::test]
async fn a_report_is_read_anew_and_a_failure_is_said() {
    let tasks = Tasks::new();
    let reads = Arc::new(AtomicU32::new(0));
    let read = move || match reads.fetch_add(1, Ordering::SeqCst) {
        2 => std::future::ready(Err("the ledger is away".to_owned())).boxed(),
        read => std::future::ready(Ok(serde_json::json!({ "read": read }))).boxed(),
    };
    let admin = Admin::new(tasks.stop()).report("/backlog", Arc::new(read));
    let at = spawn_server(&tasks, admin.router()).await;
    for expected in [r#"{"read":0}"#, r#"{"read":1}"#] {
        let answer = get_text(at, "/backlog").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with(expected), "{answer}");
    }
    let answer = get_text(at, "/backlog").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with(r#"{"error":"the ledger is away"}"#), "{answer}");
}

#[tokio::test]
async fn ready_says_which_check_fails() {
    let tasks = Tasks::new();
    let admin = Admin::new(tasks.stop()).check_timeout(Duration::from_millis(50));
    let good = admin.clone().check("ledger", check_returning(Ok(())));
    let at = spawn_server(&tasks, good.router()).await;
    let text = get_text(at, "/ready").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(
        text.ends_with(
            r#"{"ready":true,"degraded":false,"stopping":false,"checks":{"ledger":"ok"}}"#
        ),
        "{text}"
    );

    let bad = admin
        .check("ledger", check_returning(Ok(())))
        .check("cache", check_returning(Err("no connection")))
        .check("wechat", hanging_check());
    let at = spawn_server(&tasks, bad.router()).await;
    let text = get_text(at, "/ready").await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    let expected =
        r#""checks":{"cache":"no connection","ledger":"ok","wechat":"no answer within 50ms"}"#;
    assert!(text.contains(expected), "{text}");
    assert!(get_text(at, "/live").await.starts_with("HTTP/1.1 200"));
    tasks.stop_and_wait().await;
}

#[tokio::test]
async fn a_process_without_a_store_that_all_share_is_degraded_and_ready() {
    let tasks = Tasks::new();
    let recorder = metrics::install(&tasks).unwrap();
    let admin = Admin::new(tasks.stop())
        .metrics(recorder)
        .check("lines", check_returning(Ok(())))
        .dependency("ledger", check_returning(Ok(())))
        .dependency("cache", check_returning(Err("no connection")));
    let at = spawn_server(&tasks, admin.router()).await;
    let text = get_text(at, "/ready").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains(r#""ready":true,"degraded":true"#), "{text}");
    assert!(text.contains(r#""cache":"no connection""#), "{text}");
    let text = get_text(at, "/metrics").await;
    assert!(text.contains(r#"paihao_dependency_up{dependency="cache"} 0"#), "{text}");
    assert!(text.contains(r#"paihao_dependency_up{dependency="ledger"} 1"#), "{text}");
    tasks.stop_and_wait().await;
}

#[tokio::test(start_paused = true)]
async fn the_checks_are_measured_although_nobody_asks() {
    let tasks = Tasks::new();
    let checks = Arc::new(AtomicU32::new(0));
    let counted = checks.clone();
    let check: ReadinessCheck = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(())).boxed()
    });
    let admin = Admin::new(tasks.stop()).dependency("ledger", check);
    tasks.spawn("checks", admin.watch(tasks.stop().clone()));
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(checks.load(Ordering::SeqCst), 3, "at once, and every ten seconds");
    tasks.stop_and_wait().await;
}

#[tokio::test]
async fn a_stopping_process_is_alive_and_not_ready() {
    let tasks = Tasks::new();
    let process = Tasks::new();
    let at = spawn_server(&tasks, Admin::new(process.stop()).router()).await;
    assert!(get_text(at, "/ready").await.starts_with("HTTP/1.1 200"));
    process.stop().cancel();
    let text = get_text(at, "/ready").await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert!(text.contains(r#""stopping":true"#), "{text}");
    assert!(get_text(at, "/live").await.starts_with("HTTP/1.1 200"));
    tasks.stop_and_wait().await;
}

#[tokio::test]
async fn metrics_are_there_if_they_are_recorded_and_other_routes_beside_them() {
    let tasks = Tasks::new();
    let extra = Router::new().route("/extra", get(async || "more"));
    let admin = Admin::new(tasks.stop()).merge(extra);
    let at = spawn_server(&tasks, admin.clone().router()).await;
    assert!(get_text(at, "/metrics").await.starts_with("HTTP/1.1 404"));
    assert!(get_text(at, "/extra").await.ends_with("more"));

    let recorder = metrics::install(&tasks).unwrap();
    ::metrics::counter!("admin_test_total").increment(3);
    let at = spawn_server(&tasks, admin.metrics(recorder).router()).await;
    let text = get_text(at, "/metrics").await;
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("admin_test_total 3"), "{text}");
    tasks.stop_and_wait().await;
}

#[tokio::test]
async fn a_stop_answers_open_requests_ends_streams_and_closes_idle_connections() {
    let tasks = Tasks::new();
    let handling = Arc::new(Notify::new());
    let resume = Arc::new(Notify::new());
    let slow = {
        let handling = handling.clone();
        let resume = resume.clone();
        async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
            handling.notify_one();
            resume.notified().await;
            format!("answered {}", peer.ip())
        }
    };
    let stop = tasks.stop().clone();
    let events = async move || {
        let first = stream::iter([Ok::<_, Infallible>(Event::default().data("first"))]);
        Sse::new(until_stop(first.chain(stream::pending()), &stop))
    };
    let router = Router::new().route("/slow", get(slow)).route("/events", get(events));
    let at = spawn_server(&tasks, router).await;

    let fresh = TcpStream::connect(at).await.unwrap();
    let in_hand = send_get(at, "/slow").await;
    handling.notified().await;
    let mut streaming = send_get(at, "/events").await;
    let mut seen = String::new();
    while !seen.contains("data: first") {
        let mut some = [0; 512];
        let read = streaming.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&some[..read]));
    }

    tasks.stop().cancel();
    read_response(streaming).await;
    assert_eq!(read_response(fresh).await, "");
    assert!(tasks.running_count() > 0, "the request in hand is waited for");
    resume.notify_one();
    let text = read_response(in_hand).await;
    assert!(text.ends_with("answered 127.0.0.1"), "{text}");
    tokio::time::timeout(TEST_TIMEOUT, tasks.wait()).await.expect("the server ends");
    assert!(TcpStream::connect(at).await.is_err(), "nobody listens any more");
    assert_eq!(tasks.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_is_cut_off() {
    let tasks = Tasks::new();
    let at = spawn_server(&tasks, Admin::new(tasks.stop()).router()).await;
    let mut dawdler = TcpStream::connect(at).await.unwrap();
    dawdler.write_all(b"GET /live HTTP/1.1\r\nhost: te").await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(Duration::from_secs(100), dawdler.read_to_string(&mut text))
        .await
        .expect("the connection is closed")
        .unwrap();
    assert!(!text.contains("200"), "{text}");
    tasks.stop_and_wait().await;
}
