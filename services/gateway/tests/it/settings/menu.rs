//! Tests of the menu as it is set: by itself, in a file, and in the log.

use super::client::{BASE_SETTINGS, OWNER_KEY, SettingsClient, deployment_settings, send};
use crate::support::cluster::Cluster;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Ledger, Subject};
use reqwest::Method;
use serde_json::{Value, json};

const ACCOUNT: &str = "/book/accounts/shop";
const MENU: &str = "/book/accounts/shop/menu";

fn take(site: &str, queue: &str) -> Value {
    json!([{"name": "取号", "action": {"take": {"site": site, "queue": queue}}}])
}

#[tokio::test]
async fn the_menu_is_a_part_of_the_accounts_document() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let before = client.get(MENU).await;
    assert_eq!((before.status, &before.body), (200, &json!({"buttons": []})));
    let put = |buttons: Value, etag: String| {
        let request = client.request(Method::PUT, MENU, OWNER_KEY).header("If-Match", etag);
        send(request.json(&json!({ "buttons": buttons })))
    };
    let unknown = put(take("hall", "cahs"), before.etag.clone().unwrap()).await;
    assert_eq!(unknown.problem_code(), "unsound_setup");
    let problem = &unknown.body["problems"][0];
    assert_eq!(problem["key"], "accounts.shop.buttons.0.action.take.queue");
    assert_eq!(problem["advice"], "the ones there are: cash");

    let changed = put(take("hall", "cash"), before.etag.clone().unwrap()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let keys: Vec<_> = changed.body["changed"].as_array().unwrap().iter().collect();
    assert_eq!((keys.len(), &keys[0]["key"]), (1, &json!("buttons")), "{}", changed.text);
    let stale = put(json!([]), before.etag.unwrap()).await;
    assert_eq!(stale.problem_code(), "revision_changed");

    let account = client.get(ACCOUNT).await;
    assert_eq!(account.body["buttons"], take("hall", "cash"));
    let menu = client.get(MENU).await;
    assert_eq!(menu.etag, account.etag, "one document, one revision");
    // The rest of the document stays as it was.
    assert_eq!(account.body["keywords"], json!({"排队": "my_ticket"}));
    let cleared = put(json!([]), menu.etag.unwrap()).await;
    assert_eq!(cleared.status, 200, "{}", cleared.text);
    assert!(client.get(ACCOUNT).await.body.get("buttons").is_none());
}

#[tokio::test]
async fn an_account_names_the_queues_of_its_own_sites_only() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let etag = client.get("/book/accounts/other/menu").await.etag.unwrap();
    let request = client.request(Method::PUT, "/book/accounts/other/menu", OWNER_KEY);
    let body = json!({"buttons": take("hall", "cash")});
    let refused = send(request.header("If-Match", etag).json(&body)).await;
    assert_eq!(refused.problem_code(), "unsound_setup");
    assert_eq!(refused.body["problems"][0]["key"], "accounts.other.buttons.0.action.take.site");
}

#[tokio::test]
async fn a_file_brings_a_menu_together_with_its_queue_and_goes_out_the_same() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let site = json!({"account": "shop", "name": "小站", "queues": {
        "loan": {"name": "贷款", "prefix": "L", "open": false},
    }});
    let file = json!({
        "accounts": {"shop": {"buttons": take("branch", "loan")}},
        "sites": {"branch": site},
    });
    let import = |file: &Value| send(client.request(Method::PUT, "/book", OWNER_KEY).json(file));
    let mut incomplete = file.clone();
    incomplete["sites"] = json!({});
    assert_eq!(import(&incomplete).await.problem_code(), "unsound_setup");
    let imported = import(&file).await;
    assert_eq!(imported.status, 200, "{}", imported.text);
    let exported = client.get("/book?format=toml").await.text;
    assert!(exported.contains("[[accounts.shop.buttons]]"), "{exported}");
    let request = client.request(Method::PUT, "/book", OWNER_KEY);
    let again = send(request.header("content-type", "application/toml").body(exported)).await;
    assert_eq!(again.body["written"], json!([]), "{}", again.text);
}

#[tokio::test]
async fn a_menu_waits_for_its_generation_and_a_document_without_one_does_not() {
    let cluster = Cluster::new();
    let mut setup = cluster.setup(deployment_settings(BASE_SETTINGS));
    setup.settings.write_version = WriteVersion::clamped(1);
    let gateway = cluster.start(setup).await;
    let put = |body: Value| {
        let url = gateway.api(ACCOUNT);
        let request = gateway.http.put(url).bearer_auth(OWNER_KEY).header("If-Match", "\"0\"");
        send(request.json(&body))
    };
    let held_back = put(json!({"buttons": take("hall", "cash")})).await;
    assert_eq!((held_back.status, held_back.problem_code()), (409, "forms_held_back"));
    let subject = Subject::new(&["account", "shop"]).unwrap();
    assert_eq!(cluster.ledger.last(&SETTINGS, &subject).await.unwrap(), None);
    let written = put(json!({"greeting": "欢迎"})).await;
    assert_eq!(written.status, 200, "{}", written.text);
    let stored = cluster.ledger.last(&SETTINGS, &subject).await.unwrap().unwrap();
    assert!(stored.entry.payload.starts_with(br#"{"v":1,"#), "older programs read it");
}
