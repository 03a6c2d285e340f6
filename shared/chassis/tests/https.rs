//! Tests of a port with a certificate.

use axum::Router;
use axum::routing::get;
use paihao_chassis::Tasks;
use paihao_chassis::http::{
    Certificate, ConnectionLimits, Listener, ServedCertificate, redirect_to, serve,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Long enough for a machine with much to do; what is waited for comes at once on others.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

const HOST: &str = "queue.example.com";

/// Certificate signed by itself, and its PEM, which clients trust.
fn self_signed() -> (Certificate, String) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    (Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap(), chain)
}

async fn start(tasks: &Tasks, served: ServedCertificate, limits: ConnectionLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", get(async || "here"));
    serve(tasks, "https", Listener::https(listener, served), routes, limits);
    address
}

/// Connects with trust in one certificate alone.
async fn connect(address: SocketAddr, trusted: &str) -> std::io::Result<TlsStream<TcpStream>> {
    connect_for(address, trusted, &[]).await
}

/// Connects with trust in one certificate alone, for one of these protocols.
async fn connect_for(
    address: SocketAddr,
    trusted: &str,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await
}

async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 15];
    timeout(WAIT_TIMEOUT, stream.read_exact(&mut start)).await.unwrap().unwrap();
    String::from_utf8_lossy(&start).into_owned()
}

#[tokio::test]
async fn a_replaced_certificate_is_that_of_new_connections_and_old_ones_go_on() {
    let tasks = Tasks::new();
    let (first, first_pem) = self_signed();
    let (second, second_pem) = self_signed();
    let served = ServedCertificate::new(first);
    let address = start(&tasks, served.clone(), ConnectionLimits::default()).await;
    let mut old = connect(address, &first_pem).await.unwrap();
    assert_eq!(request(&mut old).await, "HTTP/1.1 200 OK");
    assert!(connect(address, &second_pem).await.is_err(), "not that one yet");

    assert!(served.replace(second));
    let mut new = connect(address, &second_pem).await.unwrap();
    assert_eq!(request(&mut new).await, "HTTP/1.1 200 OK");
    assert!(connect(address, &first_pem).await.is_err());
    let mut rest = [0; 4096];
    let read = timeout(WAIT_TIMEOUT, old.read(&mut rest)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&rest[..read]).contains("here"));
    assert_eq!(request(&mut old).await, "HTTP/1.1 200 OK", "the old connection");
    tasks.abort();
}

#[tokio::test]
async fn a_challenge_is_answered_beside_what_is_served_and_speaks_no_http() {
    let tasks = Tasks::new();
    let (challenge, challenge_pem) = self_signed();
    let (certificate, pem) = self_signed();
    let served = ServedCertificate::default();
    let address = start(&tasks, served.clone(), ConnectionLimits::default()).await;
    assert!(connect(address, &pem).await.is_err(), "there is no certificate yet");
    assert!(connect_for(address, &challenge_pem, &["acme-tls/1"]).await.is_err());

    served.set_challenge(Some(challenge));
    let mut authority = connect_for(address, &challenge_pem, &["acme-tls/1"]).await.unwrap();
    assert_eq!(authority.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    let _ = authority.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = timeout(WAIT_TIMEOUT, authority.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    assert!(connect(address, &challenge_pem).await.is_err(), "nobody else gets that one");

    assert!(served.replace(certificate));
    let mut browser = connect_for(address, &pem, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(request(&mut browser).await, "HTTP/1.1 200 OK");
    served.set_challenge(None);
    assert!(connect_for(address, &challenge_pem, &["acme-tls/1"]).await.is_err());
    tasks.abort();
}

#[tokio::test]
async fn whoever_never_ends_the_handshake_takes_nobodys_place() {
    let tasks = Tasks::new();
    let (certificate, pem) = self_signed();
    let limits = ConnectionLimits { total: 16, per_address: 16, ..ConnectionLimits::default() };
    let address = start(&tasks, ServedCertificate::new(certificate), limits).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..8 {
        let mut stream = timeout(WAIT_TIMEOUT, connect(address, &pem)).await.unwrap().unwrap();
        assert_eq!(request(&mut stream).await, "HTTP/1.1 200 OK");
    }
    tasks.abort();
}

#[tokio::test]
async fn plain_http_is_not_answered_and_a_stop_waits_for_no_handshake() {
    let tasks = Tasks::new();
    let (certificate, _) = self_signed();
    let served = ServedCertificate::new(certificate);
    let address = start(&tasks, served, ConnectionLimits::default()).await;
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(WAIT_TIMEOUT, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "an alert of TLS at most");

    let _silent = TcpStream::connect(address).await.unwrap();
    tasks.stop().cancel();
    timeout(WAIT_TIMEOUT, tasks.wait()).await.expect("the stop");
}

#[tokio::test]
async fn plain_http_leads_to_the_same_page_of_the_public_address() {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = redirect_to("https://queue.example.com".to_owned());
    serve(&tasks, "redirect", listener, routes, ConnectionLimits::internal());
    for (asked, location) in [
        ("/kiosk/hall?queue=a", "https://queue.example.com/kiosk/hall?queue=a"),
        ("//other.example.com/x", "https://queue.example.com//other.example.com/x"),
        ("http://other.example.com/x", "https://queue.example.com/x"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(WAIT_TIMEOUT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        assert!(answer.contains(&format!("location: {location}\r\n")), "{asked}: {answer}");
    }
    tasks.abort();
}
