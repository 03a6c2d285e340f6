//! Tests of the limits per address at public endpoints: of rates, and of open streams.

use crate::support::cluster::Cluster;
use crate::support::wait_until;
use crate::ticket::link::join;
use paihao_gateway::http::rate_limit::RateLimitSettings;
use paihao_gateway::http::stream_budget::StreamLimits;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn more_than_an_address_may_ask_for_is_refused_until_it_waited() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.limits = RateLimitSettings {
        codes_per_minute: 3,
        looks_per_minute: 2,
        ..RateLimitSettings::default()
    };
    let gateway = cluster.start(setup).await;
    let send = async |request: reqwest::RequestBuilder| {
        // This peer is not a trusted proxy, so the header is ignored.
        let response = request.header("x-forwarded-for", "1.2.3.4").send().await.unwrap();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .map(|retry_after| retry_after.to_str().unwrap().to_owned());
        let body: Value = response.json().await.unwrap();
        (body["code"].as_str().unwrap().to_owned(), retry_after)
    };
    let url = |path: &str| gateway.api(path);
    let open_code = async |path: &str| {
        let body = r#"{"site":"hall","queue":"a"}"#;
        send(cluster.http.post(url(path)).header("x-paihao-page", "1").body(body)).await
    };
    let read_events = async |what: &str| {
        send(cluster.http.get(url(&format!("/{what}/{}/events", Uuid::nil())))).await
    };
    for path in ["/scan-sessions", "/logins", "/scan-sessions"] {
        let (code, retry_after) = open_code(path).await;
        assert!(code != "too_many_requests" && retry_after.is_none(), "{path}: {code}");
    }
    for path in ["/scan-sessions", "/logins"] {
        let refused = ("too_many_requests".to_owned(), Some("20".to_owned()));
        assert_eq!(open_code(path).await, refused, "{path}");
    }
    for what in ["scan-sessions", "logins"] {
        assert_eq!(read_events(what).await.0, "unknown_session", "looks are counted by themselves");
    }
    assert_eq!(read_events("scan-sessions").await, ("too_many_requests".into(), Some("30".into())));
    assert_eq!(read_events("logins").await.0, "too_many_requests");

    cluster.clock.advance(Duration::from_secs(20));
    assert_ne!(open_code("/scan-sessions").await.0, "too_many_requests", "as was said");
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_public_stream_counts_until_it_ends_and_the_next_is_refused() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.streams = StreamLimits { total: 10, per_address: 1 };
    let gateway = cluster.start(setup).await;
    let open = async |path: &str| gateway.http.get(gateway.api(path)).send().await.unwrap();
    let ticket = join(&gateway, "ann").await;
    let paths = ["/sites/hall/events".to_owned(), format!("{ticket}/events")];
    for path in &paths {
        let mut held = None;
        wait_until("there is a place", async || {
            held = Some(open(path).await).filter(|held| held.status() == StatusCode::OK);
            held.is_some()
        })
        .await;
        for other in &paths {
            let refused = open(other).await;
            assert_eq!(refused.headers()[RETRY_AFTER], "30", "{other} beside {path}");
            let problem: Value = refused.json().await.unwrap();
            assert_eq!(problem["code"], "too_many_streams", "{other} beside {path}");
        }
        drop(held);
    }
    cluster.tasks.abort();
}

/// The document is held to the routes by tests of its own.
#[test]
fn every_stream_without_a_key_is_within_the_budget() {
    let document = include_str!("../../../../../docs/reference/openapi.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let mut public_streams = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let operation = &operations["get"];
        let streams = operation["responses"]["200"]["content"].get("text/event-stream").is_some();
        if streams && operation["security"].as_array().is_some_and(Vec::is_empty) {
            public_streams += 1;
            let refusals = operation["responses"]["503"].to_string();
            assert!(refusals.contains("too_many_streams"), "{path}: {refusals}");
        }
    }
    assert!(public_streams >= 4, "{public_streams}");
}
