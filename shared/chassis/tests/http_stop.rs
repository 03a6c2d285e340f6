//! Tests of the soft stop of a port: whoever is connected is answered, also if the request was on
//! its way, and nobody waits for whoever asks nothing.

use axum::Router;
use axum::routing::get;
use paihao_chassis::Tasks;
use paihao_chassis::http::{ConnectionLimits, serve};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends a request. Returns the answer up to its text, and whether the connection ends with it.
async fn request(stream: &mut TcpStream) -> (String, bool) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("here") {
        let mut bytes = [0; 1024];
        let read = timeout(WAIT_TIMEOUT, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert_ne!(read, 0, "no answer but {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    let closes = answer.contains("connection: close");
    (answer, closes)
}

#[tokio::test]
async fn requests_on_their_way_at_the_stop_are_answered_and_their_connections_end() {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", get(async || "here"));
    serve(&tasks, "http", listener, routes, ConnectionLimits::default());

    let mut fresh = TcpStream::connect(address).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut kept = TcpStream::connect(address).await.unwrap();
    // The last one is accepted, and so are those before it.
    let (answer, closes) = request(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !closes, "{answer}");

    tasks.stop().cancel();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for stream in [&mut fresh, &mut kept] {
        let (answer, closes) = request(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200") && closes, "{answer}");
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    }
    assert_eq!(timeout(WAIT_TIMEOUT, idle.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
    timeout(WAIT_TIMEOUT, tasks.wait()).await.unwrap();
}
