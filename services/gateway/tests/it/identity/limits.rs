//! Tests of the rate limits per address at public endpoints.

use crate::support::cluster::Cluster;
use paihao_gateway::http::rate_limit::RateLimitSettings;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn more_than_an_address_may_ask_for_is_refused_until_it_waited() {
    let hall = Cluster::new();
    let mut setup = hall.hall_setup();
    setup.settings.limits = RateLimitSettings { codes_per_minute: 3, looks_per_minute: 2 };
    let gateway = hall.start(setup).await;
    let asked = async |request: reqwest::RequestBuilder| {
        // This peer is not a trusted proxy, so the header is ignored.
        let answer = request.header("x-forwarded-for", "1.2.3.4").send().await.unwrap();
        let wait = answer.headers().get(RETRY_AFTER).map(|wait| wait.to_str().unwrap().to_owned());
        let body: Value = answer.json().await.unwrap();
        (body["code"].as_str().unwrap().to_owned(), wait)
    };
    let at = |path: &str| gateway.api(path);
    let code = async |path: &str| {
        let body = r#"{"site":"hall","queue":"a"}"#;
        asked(hall.http.post(at(path)).header("x-paihao-page", "1").body(body)).await
    };
    let look = async |what: &str| {
        asked(hall.http.get(at(&format!("/{what}/{}/events", Uuid::nil())))).await
    };
    for path in ["/scan-sessions", "/logins", "/scan-sessions"] {
        let (code, wait) = code(path).await;
        assert!(code != "too_many_requests" && wait.is_none(), "{path}: {code}");
    }
    for path in ["/scan-sessions", "/logins"] {
        let refused = ("too_many_requests".to_owned(), Some("20".to_owned()));
        assert_eq!(code(path).await, refused, "{path}");
    }
    for what in ["scan-sessions", "logins"] {
        assert_eq!(look(what).await.0, "unknown_session", "looks are counted by themselves");
    }
    assert_eq!(look("scan-sessions").await, ("too_many_requests".into(), Some("30".into())));
    assert_eq!(look("logins").await.0, "too_many_requests");

    hall.clock.advance(Duration::from_secs(20));
    assert_ne!(code("/scan-sessions").await.0, "too_many_requests", "as was said");
    hall.tasks.abort();
}
