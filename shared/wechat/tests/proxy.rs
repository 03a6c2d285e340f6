//! Tests of calls through an HTTP proxy, which is a small one of the tests' own.

#![expect(clippy::disallowed_methods, reason = "it plays the proxy, with a task of its own")]

use paihao_wechat::{
    AccessToken, Client, ClientOptions, Endpoints, OpenId, ProxyAddress, TemplateMessage,
};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const TOKEN: &str = "43_the-access-token";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n\
    {\"errcode\":0,\"errmsg\":\"ok\",\"msgid\":7777}";

/// Reads the head of a request.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Proxy that answers in the place of WeChat: it accepts tunnels, and says what it saw.
async fn start_proxy() -> (String, Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let tunnelled = Arc::<Mutex<Vec<u8>>>::default();
    let (seen, within) = (heads.clone(), tunnelled.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = read_head(&mut stream).await;
            seen.lock().unwrap().push(head.clone());
            if head.starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut first = vec![0; 4096];
                let length = stream.read(&mut first).await.unwrap_or(0);
                within.lock().unwrap().extend_from_slice(&first[..length]);
            } else {
                stream.write_all(ANSWER.as_bytes()).await.unwrap();
            }
        }
    });
    (address, heads, tunnelled)
}

fn client(api: &str, proxy: &str) -> Client {
    let api = Url::parse(api).unwrap();
    let endpoints = Endpoints { mp: api.clone(), api };
    let proxy = Some(ProxyAddress::parse(proxy).unwrap());
    Client::new(ClientOptions { endpoints, proxy, ..ClientOptions::default() }).unwrap()
}

fn message() -> TemplateMessage {
    TemplateMessage {
        to: OpenId::new("oA"),
        template_id: "T".into(),
        url: None,
        mini_program: None,
        client_msg_id: None,
        fields: Vec::new(),
    }
}

#[tokio::test]
async fn a_call_passes_the_proxy_with_its_password() {
    let (address, heads, _) = start_proxy().await;
    let client = client("http://wechat.invalid/", &format!("http://user:secret@{address}"));
    let id = client.send_template(&AccessToken::new(TOKEN), &message()).await.unwrap();
    assert_eq!(id.0, 7777);
    let heads = heads.lock().unwrap();
    let line = "POST http://wechat.invalid/cgi-bin/message/template/send?access_token=";
    assert!(heads[0].starts_with(line), "{}", heads[0]);
    let head = heads[0].to_ascii_lowercase();
    assert!(head.contains("proxy-authorization: basic dxnlcjpzzwnyzxq="), "{head}");
}

#[tokio::test]
async fn the_proxy_of_a_call_by_https_sees_the_host_alone() {
    let (address, heads, tunnelled) = start_proxy().await;
    let client = client("https://api.weixin.qq.com/", &format!("http://{address}"));
    let error = client.send_template(&AccessToken::new(TOKEN), &message()).await.unwrap_err();
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("CONNECT api.weixin.qq.com:443 HTTP/1.1\r\n"), "{}", heads[0]);
    let tunnelled = tunnelled.lock().unwrap();
    assert_eq!(tunnelled[0], 22, "a TLS handshake");
    let seen = format!("{} {}", heads.concat(), String::from_utf8_lossy(&tunnelled));
    assert!(!seen.contains("access_token") && !seen.contains(TOKEN));
    assert!(!format!("{error:?} {error}").contains(TOKEN));
}

#[tokio::test]
async fn a_proxy_that_is_away_makes_no_call_without_it() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let wechat = format!("http://{}/", listener.local_addr().unwrap());
    let client = client(&wechat, "http://127.0.0.1:9");
    client.send_template(&AccessToken::new(TOKEN), &message()).await.unwrap_err();
    let connection = listener.accept().map_err(|error| error.kind());
    assert_eq!(connection.unwrap_err(), std::io::ErrorKind::WouldBlock, "past the proxy");
}

#[test]
fn a_proxy_address_is_read_and_not_printed() {
    let proxy = ProxyAddress::parse("http://user:secret@proxy:3128").unwrap();
    assert!(!format!("{proxy:?}").contains("secret"));
    for bad in ["", "proxy:3128", "socks5://proxy:1", "https://proxy:1"] {
        assert_eq!(ProxyAddress::parse(bad), None, "{bad}");
    }
}
