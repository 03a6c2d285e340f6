//! Interpreter of scripts, which have a request and its expected outcome in each line.
//!
//! An example is `staff call counter=1 {"number":"A001"} -> wrong_state`: the holder of the key,
//! the operation, its parameters, its body, and the refusal's code. Without an arrow the outcome is
//! `ok`. `wait 20` advances the clock by 20 s, and `SEEN` is the revision of the hall.

use super::fixture::Fixture;
use serde_json::Value;
use std::time::Duration;

/// Runs a script, in which `WHO` stands for this holder of a key.
pub async fn run_script(hall: &Fixture, who: &str, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(seconds) = line.strip_prefix("wait ") {
            // The worker evaluates the timers once more after the last command, and then sleeps.
            tokio::time::sleep(Duration::from_millis(200)).await;
            hall.clock.advance(Duration::from_secs(seconds.parse().unwrap()));
            continue;
        }
        let mut line = line.replace("WHO", who);
        if line.contains("SEEN") {
            let tag =
                hall.client.request("read_site").with_key_of("owner").send().await.etag.unwrap();
            line = line.replace("SEEN", tag.trim_matches('"'));
        }
        let (act, expected) = line.split_once(" -> ").unwrap_or((&line, "ok"));
        let (act, body) = act.split_at(act.find('{').unwrap_or(act.len()));
        let mut words = act.split_whitespace();
        let (asker, id) = (words.next().unwrap(), words.next().unwrap());
        let mut ask = hall.client.request(id);
        if asker != "anybody" {
            ask = ask.with_key_of(asker);
        }
        for word in words {
            let (name, is) = word.split_once('=').unwrap();
            ask = match name {
                "wish" => ask.header("idempotency-key", is),
                "seen" => ask.header("if-match", &format!("\"{is}\"")),
                "query" => ask.query(is),
                "cookie" => ask.header("cookie", is).header("x-paihao-page", "1"),
                place => ask.path_parameter(place, is),
            };
        }
        if !body.is_empty() {
            ask = ask.json(&serde_json::from_str::<Value>(body).unwrap());
        }
        let answer = ask.send().await;
        assert_eq!(answer.problem_code(), expected, "{line}: {answer:?}");
    }
}
