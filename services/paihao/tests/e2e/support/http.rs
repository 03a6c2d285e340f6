//! A browser without a screen: requests, JSON, and server-sent events.

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// One client for all; connections are kept.
pub fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy().timeout(Duration::from_secs(20));
    builder.build().expect("a client for loopback can be built")
}

/// Status and body of a request.
pub async fn send_json(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// What somebody with a staff key asks.
pub fn staff_request(client: &Client, key: &str, url: &str, wish: &str) -> reqwest::RequestBuilder {
    client.request(Method::POST, url).bearer_auth(key).header("idempotency-key", wish)
}

/// Reads server-sent events from an answer.
pub struct SseReader {
    answer: Response,
    buffer: String,
}

impl SseReader {
    /// Of an answer that has begun.
    pub fn new(answer: Response) -> SseReader {
        assert_eq!(answer.status(), StatusCode::OK);
        SseReader { answer, buffer: String::new() }
    }

    /// The next event's name and data.
    pub async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start().to_owned())
                };
                let found = field("event:").zip(field("data:"));
                let rest = rest.to_owned();
                self.buffer = rest;
                if let Some((name, data)) = found {
                    return (name, serde_json::from_str(&data).expect("JSON data"));
                }
                continue;
            }
            let chunk = self.answer.chunk().await.expect("a stream that lives");
            let chunk = chunk.expect("a stream that goes on");
            self.buffer.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
}
