//! Tests of the keys that sign tokens of logins: rotated and revoked by managers of every site.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, read_json};
use paihao_contracts::envelope::WriteVersion;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn published(gateway: &Gateway) -> Vec<String> {
    let response = gateway.get_page("/.well-known/jwks.json").await;
    let (_, keys) = read_json(response).await;
    let keys = keys["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn owner_json(gateway: &Gateway, method: Method, path: &str) -> (StatusCode, Value) {
    let request = gateway.http.request(method, gateway.api(path)).bearer_auth(OWNER_KEY);
    let response = request.send().await.unwrap();
    match response.status() {
        StatusCode::NO_CONTENT => (StatusCode::NO_CONTENT, Value::Null),
        _ => read_json(response).await,
    }
}

fn active(keys: &Value) -> Value {
    let keys = keys.as_array().unwrap();
    let active: Vec<_> = keys.iter().filter(|key| key["active"] == true).collect();
    assert_eq!(active.len(), 1, "one key signs: {keys:?}");
    active[0]["id"].clone()
}

#[tokio::test]
async fn a_key_is_rotated_on_demand_and_revoked_at_once() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let first = published(&gateway).await;
    assert_eq!(first.len(), 1);
    // The next key is published, and used a day later. Asked again it is the same one.
    cluster.clock.advance(DAY);
    let (status, rotated) = owner_json(&gateway, Method::POST, "/signing-keys").await;
    assert_eq!((status, active(&rotated)), (StatusCode::OK, json!(first[0])));
    let day = DAY.as_millis() as i64;
    let made = rotated[1]["made_at"].as_i64().unwrap();
    assert_eq!(
        (&rotated[0]["signs_until"], &rotated[0]["has_successor"]),
        (&json!(made + day), &json!(true))
    );
    assert_eq!(
        (&rotated[1]["signs_from"], &rotated[1]["has_successor"]),
        (&json!(made + day), &json!(false))
    );
    assert_eq!(rotated[1]["signs_until"], made + 91 * day);
    let (_, again) = owner_json(&gateway, Method::POST, "/signing-keys").await;
    assert_eq!(again, rotated);
    let both = published(&gateway).await;
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    cluster.clock.advance(DAY);
    let (_, keys) = owner_json(&gateway, Method::GET, "/signing-keys").await;
    assert_eq!(active(&keys), json!(both[1]));

    // A revoked key is published no longer, and another one signs at once.
    let revoke = format!("/signing-keys/{}", both[1]);
    assert_eq!(owner_json(&gateway, Method::DELETE, &revoke).await.0, StatusCode::NO_CONTENT);
    assert_eq!(published(&gateway).await, first);
    assert_eq!(owner_json(&gateway, Method::DELETE, &revoke).await.1["code"], "unknown_key");
    let last = format!("/signing-keys/{}", first[0]);
    assert_eq!(owner_json(&gateway, Method::DELETE, &last).await.0, StatusCode::NO_CONTENT);
    let new = published(&gateway).await;
    assert!(new.len() == 1 && !both.contains(&new[0]), "{new:?}");

    // Nobody who manages some sites alone does this.
    for (method, path) in [(Method::GET, "/signing-keys"), (Method::POST, "/signing-keys")] {
        let request = gateway.http.request(method, gateway.api(path)).bearer_auth(MANAGER_KEY);
        let (_, refused) = read_json(request.send().await.unwrap()).await;
        assert_eq!(refused["code"], "not_every_site");
    }
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_revocation_is_not_stored_where_an_older_program_would_not_see_it() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.write_version = WriteVersion::clamped(1);
    let gateway = cluster.start(setup).await;
    let keys = published(&gateway).await;
    let path = format!("/signing-keys/{}", keys[0]);
    let (_, refused) = owner_json(&gateway, Method::DELETE, &path).await;
    assert_eq!(refused["code"], "forms_held_back");
    assert_eq!(published(&gateway).await, keys);
    cluster.tasks.abort();
}
