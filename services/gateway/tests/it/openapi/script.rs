//! Interpreter of scripts, which have a request and its expected outcome in each line.
//!
//! An example is `staff call counter=1 {"number":"A001"} -> wrong_state`: the holder of the key,
//! the operation, its parameters, its body, and the refusal's code. Without an arrow the outcome is
//! `ok`. `wait 20` advances the clock by 20 s, `SEEN` is the revision of the hall, and `LOGO` a
//! picture in base64, which `body=PNG` sends as it is.

use super::fixture::{Fixture, logo_png};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::time::Duration;

/// Runs a script, in which `WHO` stands for this holder of a key.
pub async fn run_script(fixture: &Fixture, holder: &str, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(seconds) = line.strip_prefix("wait ") {
            // The worker evaluates the timers once more after the last command, and then sleeps.
            tokio::time::sleep(Duration::from_millis(200)).await;
            fixture.clock.advance(Duration::from_secs(seconds.parse().unwrap()));
            continue;
        }
        let mut line = line.replace("WHO", holder);
        if line.contains("SEEN") {
            let tag =
                fixture.client.request("read_site").with_key_of("owner").send().await.etag.unwrap();
            line = line.replace("SEEN", tag.trim_matches('"'));
        }
        line = line.replace("LOGO", &STANDARD.encode(logo_png()));
        let (call, expected) = line.split_once(" -> ").unwrap_or((&line, "ok"));
        let (operation, body) = call.split_at(call.find('{').unwrap_or(call.len()));
        let mut words = operation.split_whitespace();
        let sender = words.next().unwrap();
        let id = words.next().unwrap();
        let mut request = fixture.client.request(id);
        if sender != "anybody" {
            request = request.with_key_of(sender);
        }
        for word in words {
            let (name, value) = word.split_once('=').unwrap();
            request = match name {
                "wish" => request.header("idempotency-key", value),
                "seen" => request.header("if-match", &format!("\"{value}\"")),
                "query" => request.query(value),
                "body" => request.bytes(logo_png()),
                "cookie" => request.header("cookie", value).header("x-paihao-page", "1"),
                parameter => request.path_parameter(parameter, value),
            };
        }
        if !body.is_empty() {
            request = request.json(&serde_json::from_str::<Value>(body).unwrap());
        }
        let response = request.send().await;
        assert_eq!(response.problem_code(), expected, "{line}: {response:?}");
    }
}
