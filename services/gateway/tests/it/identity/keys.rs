//! Tests of API keys that managers create for programs.

use super::browser::Browser;
use super::sessions::assert_stream_ends;
use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, read_json};
use crate::support::wait_until;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn create_key(browser: &Browser<'_>, gateway: &Gateway, body: Value) -> (StatusCode, Value) {
    let request =
        browser.same_origin_request(Method::POST, gateway, "/keys").body(body.to_string());
    read_json(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_key_is_shown_once_works_at_any_replica_and_not_after_it_was_revoked() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &one).await;
    let (status, made) =
        create_key(&browser, &one, json!({"name": "CRM", "sites": ["hall"]})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["id"].as_str().unwrap();
    let key = made["key"].as_str().unwrap();
    let with_key = async |gateway: &Gateway| {
        let request = cluster.http.get(gateway.api("/sites/hall/feed/pages")).bearer_auth(key);
        request.send().await.unwrap().status()
    };
    wait_until("the key works", async || with_key(&other).await == StatusCode::OK).await;
    let (_, listed) = browser.get(&one, "/staff").await;
    assert_eq!(listed["keys"][0]["name"], "CRM");
    assert!(!listed.to_string().contains(key), "it was shown once");

    // A program manages lines, not people.
    for request in [cluster.http.get(one.api("/staff")), cluster.http.post(one.api("/me/sessions"))]
    {
        let response = request.bearer_auth(key).send().await.unwrap();
        assert_eq!(read_json(response).await.1["code"], "not_allowed");
    }

    // Its stream continues until the key is revoked.
    let request = cluster.http.get(one.api("/sites/hall/desk/events")).bearer_auth(key);
    let stream = request.send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);

    let gone = browser
        .same_origin_request(Method::DELETE, &other, &format!("/keys/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    wait_until("it is over", async || with_key(&one).await == StatusCode::UNAUTHORIZED).await;
    assert_stream_ends(stream).await;
    let again = browser
        .same_origin_request(Method::DELETE, &one, &format!("/keys/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(read_json(again).await.1["code"], "unknown_key");
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_wish_for_a_key_that_is_said_twice_is_one_key_and_the_secret_is_told_once() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &one).await;
    let create = async |gateway: &Gateway| {
        let request = browser
            .same_origin_request(Method::POST, gateway, "/keys")
            .header("idempotency-key", "w");
        let request = request.body(json!({"name": "CRM", "sites": ["hall"]}).to_string());
        read_json(request.send().await.unwrap()).await.1
    };
    let made = create(&one).await;
    let id = made["id"].as_str().unwrap();
    let key = made["key"].as_str().unwrap();
    for gateway in [&one, &other] {
        let refused = create(gateway).await;
        assert_eq!((&refused["code"], &refused["detail"]), (&json!("key_made_before"), &json!(id)));
        assert!(!refused.to_string().contains(key), "{refused}");
    }
    let (_, listed) = browser.get(&one, "/staff").await;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1, "{listed}");

    // The key is not created again after its revocation either, since a repeated request may be
    // late.
    browser.same_origin_request(Method::DELETE, &one, &format!("/keys/{id}")).send().await.unwrap();
    assert_eq!(create(&one).await["code"], "key_made_before");
    cluster.tasks.abort();
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &gateway).await;
    for (body, code) in [
        (json!({"name": "CRM"}), "not_your_site"),
        (json!({"name": "CRM", "sites": ["nowhere"]}), "unknown_site"),
        (json!({"name": " ", "sites": ["hall"]}), "malformed_request"),
        (json!({"name": "CRM", "sites": ["hall"], "counters": ["99"]}), "unknown_counter"),
        (json!({"name": "CRM", "sites": ["hall"], "role": "manager"}), "malformed_request"),
    ] {
        let (_, refused) = create_key(&browser, &gateway, body.clone()).await;
        assert_eq!(refused["code"], code, "{body}: {refused}");
    }
    let (_, listed) = browser.get(&gateway, "/staff").await;
    assert_eq!(listed, json!({"members": [], "keys": []}));
    cluster.tasks.abort();
}
