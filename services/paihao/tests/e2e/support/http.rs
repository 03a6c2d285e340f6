//! HTTP client of the tests: requests, JSON, and server-sent events.

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// Builds a client that keeps its connections, uses no proxy, and times out after 20 s.
pub fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy().timeout(Duration::from_secs(20));
    builder.build().expect("a client for loopback can be built")
}

/// Sends a request. Returns the status, and the body as JSON, or as a string if it is none.
pub async fn send_json(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("a response");
    let status = response.status();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Builds a POST request with a staff key and an idempotency key.
pub fn staff_request(
    client: &Client,
    staff_key: &str,
    url: &str,
    idempotency_key: &str,
) -> reqwest::RequestBuilder {
    client
        .request(Method::POST, url)
        .bearer_auth(staff_key)
        .header("idempotency-key", idempotency_key)
}

/// Reader of the server-sent events of a response. Written by hand, since the tests check the exact
/// fields that the gateway sends.
pub struct SseReader {
    response: Response,
    buffer: String,
}

impl SseReader {
    /// Wraps a response whose body has not been read; its status must be 200.
    pub fn new(response: Response) -> SseReader {
        assert_eq!(response.status(), StatusCode::OK);
        SseReader { response, buffer: String::new() }
    }

    /// Waits for the next event. Returns its name and data.
    pub async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start().to_owned())
                };
                let event = field("event:").zip(field("data:"));
                let rest = rest.to_owned();
                self.buffer = rest;
                if let Some((name, data)) = event {
                    return (name, serde_json::from_str(&data).expect("JSON data"));
                }
                continue;
            }
            let chunk = self.response.chunk().await.expect("a stream without an error");
            let chunk = chunk.expect("a stream that has not ended");
            self.buffer.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
}
