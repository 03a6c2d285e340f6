//! Tests of the ids that are proposed for new sites.

use super::client::{OWNER_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

/// Ids that are proposed for sites of these names, beside those that are taken.
async fn proposed(client: &SettingsClient, names: &[&str], taken: &[&str]) -> Value {
    let body = json!({ "kind": "site", "names": names, "taken": taken });
    let request = client.request(Method::POST, "/book/ids", OWNER_KEY).body(body.to_string());
    let response = send(request).await;
    assert_eq!(response.status, 200, "{}", response.text);
    response.body["ids"].clone()
}

#[tokio::test]
async fn a_new_site_gets_no_id_of_one_that_there_is_or_was() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let site = client.get("/book/sites/hall").await.body;
    assert_eq!(proposed(&client, &["hall", "clinic"], &[]).await, json!(["hall-2", "clinic"]));
    // Each that is set up, kept or retired, is known at once, also under an id that was typed.
    for (proposal, typed, is_retired) in [
        ("clinic", None, true),
        ("clinic-2", None, false),
        ("clinic-3", Some("clinic-4"), true),
        ("clinic-3", Some("clinic-5"), false),
        ("clinic-3", None, true),
        ("clinic-6", None, false),
    ] {
        assert_eq!(proposed(&client, &["clinic"], &[]).await, json!([proposal]));
        let path = format!("/book/sites/{}", typed.unwrap_or(proposal));
        let set = send(client.request(Method::PUT, &path, OWNER_KEY).json(&site)).await;
        assert_eq!(set.status, 200, "{}", set.text);
        if is_retired {
            let etag = set.etag.expect("a revision");
            let retire = client.request(Method::DELETE, &path, OWNER_KEY);
            let retired = send(retire.header("If-Match", etag)).await;
            assert_eq!(retired.status, 200, "{}", retired.text);
        }
    }
    assert_eq!(
        proposed(&client, &["hall", "hall", "诊所"], &["hall-2"]).await,
        json!(["hall-3", "hall-4", "zhensuo"])
    );
}
