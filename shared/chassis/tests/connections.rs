//! Tests of a port whose connections are used up, and of peers that do not read.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::{StreamExt, stream};
use paihao_chassis::Tasks;
use paihao_chassis::http::{ConnectionLimits, serve};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Long enough for a machine with much to do; what is waited for comes at once on others.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

async fn start(tasks: &Tasks, routes: Router, limits: ConnectionLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(tasks, "http", listener, routes, limits);
    address
}

async fn request(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.unwrap();
    String::from_utf8_lossy(&start).into_owned()
}

#[tokio::test]
async fn idle_connections_make_room_for_whoever_has_a_request() {
    let tasks = Tasks::new();
    let limits = ConnectionLimits { total: 16, per_address: 16, ..ConnectionLimits::default() };
    let address = start(&tasks, Router::new().route("/", get(async || "")), limits).await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..64 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(timeout(WAIT_TIMEOUT, request(&mut stream)).await.unwrap(), "HTTP/1.1 200 OK");
    }
    // The first of the idle ones was closed by the server.
    let closed = timeout(WAIT_TIMEOUT, idle[0].read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    tasks.abort();
}

#[tokio::test]
async fn a_connection_in_use_outlives_those_that_want_its_place() {
    let tasks = Tasks::new();
    let opened = Arc::new(Notify::new());
    let begun = opened.clone();
    let stream_route = get(move || {
        begun.notify_one();
        async { Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()) }
    });
    let routes = Router::new().route("/", stream_route);
    let limits = ConnectionLimits { total: 1, per_address: 1, ..ConnectionLimits::default() };
    let address = start(&tasks, routes, limits).await;
    let mut used = TcpStream::connect(address).await.unwrap();
    assert_eq!(request(&mut used).await, "HTTP/1.1 200 OK");
    opened.notified().await;
    for _ in 0..8 {
        let mut other = TcpStream::connect(address).await.unwrap();
        let closed = timeout(WAIT_TIMEOUT, other.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
    let mut rest = [0; 4096];
    let open = timeout(Duration::from_millis(200), async {
        while used.read(&mut rest).await.unwrap() > 0 {}
    });
    assert!(open.await.is_err(), "the stream goes on");
    tasks.abort();
}

/// Tells when it is dropped.
struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_that_never_reads_loses_its_connection() {
    let tasks = Tasks::new();
    let ended = Arc::new(Notify::new());
    let notify = ended.clone();
    let endless = get(async move || {
        let held = Dropped(notify.clone());
        let chunks = stream::repeat(Bytes::from(vec![b'x'; 1 << 16]));
        Body::from_stream(chunks.map(move |chunk| {
            let _held = &held;
            Ok::<_, Infallible>(chunk)
        }))
    });
    let limits = ConnectionLimits {
        unread_timeout: Duration::from_millis(500),
        ..ConnectionLimits::default()
    };
    let address = start(&tasks, Router::new().route("/", endless), limits).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    timeout(WAIT_TIMEOUT, ended.notified()).await.expect("the stream is dropped");
    tasks.abort();
}
