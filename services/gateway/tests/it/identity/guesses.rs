//! Tests of guesses: who sends wrong keys, signatures and codes is slowed, and nobody else.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, read_json};
use crate::support::wechat::{event_elements, push_body, signed_query};
use paihao_contracts::settings::AccountSetup;
use paihao_gateway::http::guesses::GuessLimits;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Starts a gateway that takes three wrong guesses a minute from an address.
async fn start(cluster: &Cluster) -> Gateway {
    let mut setup = cluster.setup_with_account(AccountSetup::default());
    setup.settings.guesses = GuessLimits { per_address: 3, in_all: 0 };
    cluster.start(setup).await
}

async fn code_of(request: RequestBuilder) -> (StatusCode, String) {
    let (status, body) = read_json(request.send().await.unwrap()).await;
    (status, body["code"].as_str().unwrap_or("ok").to_owned())
}

#[tokio::test]
async fn whoever_guesses_keys_is_refused_and_keys_that_were_right_go_on() {
    let cluster = Cluster::new();
    let gateway = start(&cluster).await;
    let me = |key: &str| gateway.http.get(gateway.api("/me")).bearer_auth(key);
    assert_eq!(code_of(me(MANAGER_KEY)).await.0, StatusCode::OK);
    for guess in ["a-guess", "another-guess", "paihao_one-more"] {
        let refused = (StatusCode::UNAUTHORIZED, "unauthorised".to_owned());
        assert_eq!(code_of(me(guess)).await, refused, "{guess}");
    }
    let limited = (StatusCode::TOO_MANY_REQUESTS, "too_many_requests".to_owned());
    // A right one among the guesses tells nothing.
    for guess in ["a-fourth-guess", OWNER_KEY] {
        assert_eq!(code_of(me(guess)).await, limited, "{guess}");
    }
    assert_eq!(code_of(me(MANAGER_KEY)).await.0, StatusCode::OK, "it was right before");
    cluster.clock.advance(Duration::from_secs(20));
    assert_eq!(code_of(me(OWNER_KEY)).await.0, StatusCode::OK);
    // What needs no key is answered whatever comes with it, and no other scheme is a guess.
    let basic = |path: &str| gateway.http.get(gateway.api(path)).basic_auth("a", Some("b"));
    for _ in 0..10 {
        assert_eq!(basic("/sites/hall").send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(code_of(basic("/me")).await.1, "unauthorised");
    }
    assert_eq!(code_of(me(OWNER_KEY)).await.0, StatusCode::OK);
    cluster.tasks.abort();
}

#[tokio::test]
async fn whoever_guesses_codes_is_refused() {
    let cluster = Cluster::new();
    let gateway = start(&cluster).await;
    let begin = |first: &str| {
        let request = gateway.post_public("/logins").header("x-paihao-page", "1");
        request.body(json!({ "first": first }).to_string())
    };
    for _ in 0..3 {
        assert_eq!(code_of(begin("a-guess")).await.1, "first_code_used");
    }
    assert_eq!(code_of(begin("a-guess")).await.1, "too_many_requests");
    let pair = gateway.http.post(gateway.api("/sites/hall/kiosks")).bearer_auth(MANAGER_KEY);
    let pair = pair.body(json!({ "code": "00000000", "name": "x" }).to_string());
    // A manager who is behind the same address waits as well.
    assert_eq!(code_of(pair).await.1, "too_many_requests");
    cluster.tasks.abort();
}

#[tokio::test]
async fn wrong_signatures_are_answered_late_and_right_ones_at_once() {
    let cluster = Cluster::new();
    let gateway = start(&cluster).await;
    let push = async |query: &str, ticket: u32| {
        let elements = event_elements("VIEW", "https://example.com", &ticket.to_string());
        let start = Instant::now();
        let request = gateway.http.post(format!("{}/wechat/shop?{query}", gateway.url));
        let response = request.body(push_body("oAnn", &elements)).send().await.unwrap();
        (response.status(), start.elapsed())
    };
    let forged = signed_query().replace("signature=", "signature=0");
    for guess in 0..5 {
        let (status, elapsed) = push(&forged, guess).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "WeChat's console shows the same all the time");
        assert!(guess < 3 || elapsed >= Duration::from_secs(1), "{guess}: {elapsed:?}");
        let (status, _) = push(&signed_query(), 100 + guess).await;
        assert_eq!(status, StatusCode::OK, "what WeChat signed is never refused");
    }
    cluster.tasks.abort();
}
