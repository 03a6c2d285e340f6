//! Tests of API keys that managers create for programs.

use super::browser::Browser;
use super::sessions::assert_stream_ends;
use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, read_json};
use crate::support::wait_until;
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::WriteVersion;
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

/// Sets of scopes, with the operations of the document's `x-scope` that they open.
const SCOPES: [(&[&str], &[&str]); 7] = [
    (&["read"], &["read"]),
    (&["feed"], &["feed"]),
    (&["counter"], &["read", "counter"]),
    (&["manage"], &["read", "manage"]),
    (&["read", "feed"], &["read", "feed"]),
    (&["feed", "counter"], &["read", "feed", "counter"]),
    (&["read", "feed", "counter", "manage"], &["read", "feed", "counter", "manage"]),
];

#[tokio::test]
async fn a_key_does_what_its_scopes_say_at_every_operation() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &gateway).await;
    let document = paihao_gateway::http::api::document();
    let mut of_programs = 0;
    for (scopes, opened) in SCOPES {
        let wish = json!({"name": "CRM", "sites": ["hall"], "scopes": scopes});
        let (status, made) = create_key(&browser, &gateway, wish).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let key = made["key"].as_str().unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let roles = operation["x-roles"].as_array();
                if !roles.is_some_and(|roles| roles.contains(&json!("api_manager"))) {
                    continue;
                }
                of_programs += 1;
                let scope = operation["x-scope"].as_str().expect("a scope of every operation");
                // Nothing of these names is there, so that nothing is changed.
                let path = path.replace("{site}", "hall").replace(['{', '}'], "x");
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let request = cluster.http.request(method, format!("{}{path}", gateway.url));
                let response = request.bearer_auth(key).body("?").send().await.unwrap();
                let code = if response.status().is_success() {
                    String::new()
                } else {
                    read_json(response).await.1["code"].as_str().unwrap_or_default().to_owned()
                };
                let is_open = code != "not_in_scope";
                assert_eq!(is_open, opened.contains(&scope), "{scopes:?} {path}: {code}");
            }
        }
    }
    assert!(of_programs > 7 * 40, "{of_programs}");
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_key_tells_its_maker_its_purpose_its_end_and_its_last_use() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &gateway).await;
    let now = cluster.clock.now_ms();
    let expires_at = now + 3_600_000;
    let wish = json!({
        "name": "BI", "sites": ["hall"], "purpose": "weekly report", "expires_at": expires_at,
    });
    let (_, made) = create_key(&browser, &gateway, wish).await;
    let key = made["key"].as_str().unwrap();
    let listed = async || browser.get(&gateway, "/staff").await.1["keys"][0].clone();
    let view = listed().await;
    assert_eq!((&view["made_by"], &view["made_at"]), (&json!("desk"), &json!(now)));
    assert_eq!((&view["purpose"], &view["expired"]), (&json!("weekly report"), &json!(false)));
    assert_eq!((&view["expires_at"], &view["scopes"]), (&json!(expires_at), &json!(null)));
    assert_eq!((&view["last_used_at"], &view["last_used_from"]), (&json!(null), &json!(null)));

    let with_key = async || {
        let request = cluster.http.get(gateway.api("/sites/hall/desk")).bearer_auth(key);
        request.send().await.unwrap().status()
    };
    assert_eq!(with_key().await, StatusCode::OK);
    wait_until("the use is recorded", async || listed().await["last_used_at"] == now).await;
    assert_eq!(listed().await["last_used_from"], "127.0.0.*");
    let stream = cluster.http.get(gateway.api("/sites/hall/desk/events")).bearer_auth(key);
    let stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);

    // It ends by itself, and is listed until it is revoked.
    cluster.clock.set(expires_at);
    assert_eq!(with_key().await, StatusCode::UNAUTHORIZED);
    let view = listed().await;
    assert_eq!((&view["expired"], &view["id"]), (&json!(true), &made["id"]));
    for wish in [
        json!({"name": "x", "sites": ["hall"], "expires_at": expires_at}),
        json!({"name": "x", "sites": ["hall"], "scopes": []}),
        json!({"name": "x", "sites": ["hall"], "scopes": ["everything"]}),
        json!({"name": "x", "sites": ["hall"], "counters": ["1"], "scopes": ["manage"]}),
        json!({"name": "x", "sites": ["hall"], "purpose": "x".repeat(201)}),
    ] {
        let (_, refused) = create_key(&browser, &gateway, wish.clone()).await;
        assert_eq!(refused["code"], "malformed_request", "{wish}: {refused}");
    }
    let revoke = format!("/keys/{}", made["id"].as_str().unwrap());
    browser.same_origin_request(Method::DELETE, &gateway, &revoke).send().await.unwrap();
    assert_stream_ends(stream).await;
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_limited_key_is_not_stored_where_an_older_program_would_not_see_the_limit() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.write_version = WriteVersion::clamped(1);
    let gateway = cluster.start(setup).await;
    let browser = Browser::log_in(&cluster, &gateway).await;
    let end = cluster.clock.now_ms() + 3_600_000;
    for (limit, code) in [
        (json!({"scopes": ["read"]}), json!("forms_held_back")),
        (json!({"expires_at": end}), json!("forms_held_back")),
        (json!({"purpose": "x"}), Value::Null),
        (json!({}), Value::Null),
    ] {
        let mut wish = json!({"name": "CRM", "sites": ["hall"]});
        wish.as_object_mut().unwrap().extend(limit.as_object().unwrap().clone());
        let (_, made) = create_key(&browser, &gateway, wish).await;
        assert_eq!(made["code"], code, "{limit}");
    }
    cluster.tasks.abort();
}
