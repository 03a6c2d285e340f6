//! Keys that managers make for programs.

use crate::browser::{Browser, api, until};
use crate::door::{Gateway, Hall, read};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn make(browser: &Browser<'_>, gateway: &Gateway, wanted: Value) -> (StatusCode, Value) {
    let asked = browser.asks(Method::POST, gateway, "/keys").body(wanted.to_string());
    read(asked.send().await.unwrap()).await
}

#[tokio::test]
async fn a_key_is_shown_once_works_at_any_replica_and_not_after_it_was_revoked() {
    let hall = Hall::new();
    let (one, other) = (hall.gateway().await, hall.gateway().await);
    let browser = Browser::logged_in(&hall, &one).await;
    let (status, made) = make(&browser, &one, json!({"name": "CRM", "sites": ["hall"]})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let with_key = async |gateway: &Gateway| {
        let asked =
            hall.http.get(format!("{}/sites/hall/feed/pages", api(gateway))).bearer_auth(key);
        asked.send().await.unwrap().status()
    };
    until("the key works", async || with_key(&other).await == StatusCode::OK).await;
    let (_, listed) = browser.gets(&one, "/staff").await;
    assert_eq!(listed["keys"][0]["name"], "CRM");
    assert!(!listed.to_string().contains(key), "it was shown once");

    // A program runs lines, not people.
    let asked = hall.http.get(format!("{}/staff", api(&one))).bearer_auth(key);
    assert_eq!(read(asked.send().await.unwrap()).await.1["code"], "not_allowed");
    let asked = hall.http.post(format!("{}/me/sessions", api(&one))).bearer_auth(key);
    assert_eq!(read(asked.send().await.unwrap()).await.1["code"], "not_allowed");

    let gone = browser.asks(Method::DELETE, &other, &format!("/keys/{id}")).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    until("it is over", async || with_key(&one).await == StatusCode::UNAUTHORIZED).await;
    let again = browser.asks(Method::DELETE, &one, &format!("/keys/{id}")).send().await.unwrap();
    assert_eq!(read(again).await.1["code"], "unknown_key");
    hall.tasks.abort();
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    let browser = Browser::logged_in(&hall, &gateway).await;
    for (wanted, code) in [
        (json!({"name": "CRM"}), "not_your_site"),
        (json!({"name": "CRM", "sites": ["nowhere"]}), "unknown_site"),
        (json!({"name": " ", "sites": ["hall"]}), "malformed_request"),
        (json!({"name": "CRM", "sites": ["hall"], "counters": ["99"]}), "unknown_counter"),
        (json!({"name": "CRM", "sites": ["hall"], "role": "manager"}), "malformed_request"),
    ] {
        let (_, refused) = make(&browser, &gateway, wanted.clone()).await;
        assert_eq!(refused["code"], code, "{wanted}: {refused}");
    }
    let (_, listed) = browser.gets(&gateway, "/staff").await;
    assert_eq!(listed, json!({"members": [], "keys": []}));
    hall.tasks.abort();
}
