//! Tests of accounts that are added, changed and retired through the API.

use super::client::{
    ApiResponse, BASE_SETTINGS, MANAGER_KEY, OWNER_KEY, SettingsClient, deployment_settings, send,
};
use crate::support::cluster::Cluster;
use crate::support::engine::MORNING_MS;
use crate::support::wait_until;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Ledger, Subject};
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::signature;
use reqwest::Method;
use serde_json::{Value, json};

const CLINIC: &str = "/accounts/clinic";
const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "fedcba9876543210fedcba9876543210";

fn new_account() -> Value {
    json!({"appid": "wx0123456789abcdef", "secret": APP_SECRET})
}

impl SettingsClient {
    async fn connect(&self, path: &str, etag: Option<&str>, body: &Value) -> ApiResponse {
        let request = self.request(Method::PUT, path, OWNER_KEY).json(body);
        send(match etag {
            Some(etag) => request.header("If-Match", etag),
            None => request,
        })
        .await
    }

    async fn retire(&self, path: &str) -> ApiResponse {
        let etag = self.get(path).await.etag.unwrap_or_else(|| "\"0\"".to_owned());
        send(self.request(Method::DELETE, path, OWNER_KEY).header("If-Match", etag)).await
    }

    /// Verifies the address of an account's callbacks, as WeChat does.
    async fn verify(&self, account: &str, token: &str) -> (u16, String) {
        let at = (MORNING_MS / 1000).to_string();
        let signed = signature(&CallbackToken::new(token), &at, "n");
        let query = format!("signature={signed}&timestamp={at}&nonce=n&echostr=4711");
        let url = self.url.replace("/api/v1", "");
        let url = format!("{url}/wechat/{account}?{query}");
        let response = self.http.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_first_account_comes_to_a_deployment_without_any_and_every_gateway_follows() {
    let cluster = Cluster::new();
    let client = SettingsClient::start_with(&cluster, "").await;
    let other = SettingsClient::start_with(&cluster, "").await;
    assert_eq!(client.get("/accounts").await.body, json!([]));
    let site = json!({"account": "clinic", "name": "诊所", "queues": {}, "counters": {}});
    let early = client.connect("/book/sites/clinic", None, &site).await;
    assert_eq!(early.problem_code(), "unsound_setup", "there is no account yet");

    let added = client.connect(CLINIC, None, &new_account()).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let token = added.body["callback_token"].as_str().unwrap().to_owned();
    let key = added.body["aes_key"].as_str().unwrap().to_owned();
    assert_eq!((token.len(), key.len()), (32, 43));
    for gateway in [&client, &other] {
        wait_until("the account is in force", async || {
            gateway.verify("clinic", &token).await == (200, "4711".to_owned())
        })
        .await;
    }
    assert_eq!(client.verify("clinic", "a-guess-of-somebody").await.0, 403);
    let listed = other.get("/accounts").await.body;
    let expected = json!([{
        "account": "clinic", "appid": "wx0123456789abcdef", "source": "settings",
        "revision": listed[0]["revision"], "mode": "secure", "token_channel": "stable",
        "callback_url": null, "callback_path": "/wechat/clinic", "sites": [],
        "verified_at": listed[0]["verified_at"], "token": null,
    }]);
    assert_eq!(listed, expected);
    let verified = [&client, &other].map(|gateway| gateway.get(CLINIC));
    let [own, others] = futures::future::join_all(verified).await.try_into().ok().unwrap();
    assert_eq!(own.body["verified_at"], MORNING_MS, "the light of the page turns green");
    assert_eq!(others.body["verified_at"], MORNING_MS);

    // It has sites, and settings of its own, like any other.
    let site = client.connect("/book/sites/clinic", None, &site).await;
    assert_eq!(site.status, 200, "{}", site.text);
    let settings = client.get("/book/accounts/clinic").await;
    assert_eq!((settings.status, settings.etag.as_deref()), (200, Some("\"0\"")));
    let greeting = json!({"greeting": "欢迎来到诊所"});
    let changed = client.connect("/book/accounts/clinic", Some("\"0\""), &greeting).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    cluster.tasks.abort();
}

#[tokio::test]
async fn no_secret_is_shown_again_or_stands_in_the_store_in_the_clear() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let made = client.connect(CLINIC, None, &new_account()).await.body;
    let etag = client.get(CLINIC).await.etag.unwrap();
    let change = json!({
        "appid": "wx0123456789abcdef", "secret": OTHER_SECRET, "renew": ["callback_token"],
    });
    let renewed = client.connect(CLINIC, Some(&etag), &change).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let secrets = [
        APP_SECRET.to_owned(),
        OTHER_SECRET.to_owned(),
        text(&made["callback_token"]),
        text(&made["aes_key"]),
        text(&renewed.body["callback_token"]),
    ];
    assert!(renewed.body.get("aes_key").is_none(), "it was not made by this change");
    let changed = renewed.body["changed"].as_array().unwrap().to_vec();
    let replaced = |key: &str, before: Value| json!({"key": key, "before": before, "after": "***"});
    let expected = [
        replaced("secret", json!("***")),
        replaced("callback_token", json!("***")),
        replaced("former_callback_token", Value::Null),
    ];
    assert_eq!(changed, expected);
    // Both tokens count until the next change.
    for token in [&secrets[2], &secrets[4]] {
        wait_until("the token counts", async || client.verify("clinic", token).await.0 == 200)
            .await;
    }
    let mut told = String::new();
    for path in [
        CLINIC,
        "/accounts",
        "/book",
        "/book?format=toml",
        "/book/changes",
        "/audit",
        "/book/accounts/clinic",
    ] {
        told.push_str(&client.get(path).await.text);
    }
    assert!(told.contains("credentials") && told.contains("owner"), "who and when is told");
    let stored = cluster.stored_bytes();
    assert!(stored.windows(12).any(|bytes| bytes == b"\"credentials"), "it is the right file");
    for secret in &secrets {
        assert!(!told.contains(secret), "{told}");
        assert!(!stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_retired_account_is_unknown_and_one_that_a_site_uses_stays() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let made = client.connect(CLINIC, None, &new_account()).await.body;
    let token = made["callback_token"].as_str().unwrap();
    let site = json!({"account": "clinic", "name": "诊所", "queues": {}, "counters": {}});
    let site = client.connect("/book/sites/clinic", None, &site).await;
    assert_eq!(site.status, 200, "{}", site.text);
    assert_eq!(client.retire(CLINIC).await.problem_code(), "in_use");
    let revision = site.etag.unwrap();
    let delete = client.request(Method::DELETE, "/book/sites/clinic", OWNER_KEY);
    assert_eq!(send(delete.header("If-Match", revision)).await.status, 200);
    let retired = client.retire(CLINIC).await;
    assert_eq!(retired.status, 200, "{}", retired.text);
    wait_until("it is gone", async || client.verify("clinic", token).await.0 == 404).await;
    assert_eq!(client.get(CLINIC).await.problem_code(), "unknown_account");
    assert_eq!(client.retire(CLINIC).await.problem_code(), "unknown_account");
    let audit = client.get("/audit?kind=secrets").await.text;
    assert!(audit.contains("account_added") && audit.contains("account_retired"), "{audit}");
    // It can come back, also with another appid.
    let again = json!({"appid": "wxffffffffffffffff", "secret": OTHER_SECRET});
    let etag = retired.etag.unwrap();
    assert_eq!(client.connect(CLINIC, Some(&etag), &again).await.status, 200);
    cluster.tasks.abort();
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let refused = async |path: &str, etag: Option<&str>, body: Value| {
        let response = client.connect(path, etag, &body).await;
        assert!(!response.text.contains("s3cret"), "{}", response.text);
        response.problem_code().to_owned()
    };
    assert_eq!(refused("/accounts/shop", None, new_account()).await, "set_by_file");
    assert_eq!(client.retire("/accounts/shop").await.problem_code(), "set_by_file");
    for body in [
        json!({"appid": "wx1"}),
        json!({"appid": "", "secret": APP_SECRET}),
        json!({"appid": "wx1", "secret": "s3cret with a blank"}),
        json!({"appid": "wx1", "secret": APP_SECRET, "callback_token": "s3cret"}),
        json!({"appid": "wx1", "secret": APP_SECRET, "aes_key": "s3cret"}),
    ] {
        assert_eq!(refused(CLINIC, None, body).await, "unsound_setup");
    }
    assert_eq!(refused("/accounts/Not-An-Id", None, new_account()).await, "unsound_setup");
    assert_eq!(refused(CLINIC, None, json!({"appid": 1})).await, "malformed_request");
    assert_eq!(client.get(CLINIC).await.problem_code(), "unknown_account", "nothing was added");

    assert_eq!(client.connect(CLINIC, None, &new_account()).await.status, 200);
    assert_eq!(refused(CLINIC, None, new_account()).await, "revision_needed");
    assert_eq!(refused(CLINIC, Some("\"7777\""), new_account()).await, "revision_changed");
    let etag = client.get(CLINIC).await.etag.unwrap();
    let other = json!({"appid": "wxffffffffffffffff"});
    assert_eq!(refused(CLINIC, Some(&etag), other).await, "unsound_setup");
    // Two accounts of one appid end each other's token in the classic channel.
    let classic = json!({"appid": "wx9", "secret": APP_SECRET, "token_channel": "classic"});
    assert_eq!(client.connect("/accounts/one", None, &classic).await.status, 200);
    assert_eq!(refused("/accounts/two", None, classic).await, "unsound_setup");
    // A manager of some sites alone neither reads nor writes them.
    let request = client.request(Method::PUT, "/accounts/mine", MANAGER_KEY);
    assert_eq!(send(request.json(&new_account())).await.problem_code(), "not_every_site");
    let request = client.request(Method::GET, "/accounts", MANAGER_KEY);
    assert_eq!(send(request).await.problem_code(), "not_every_site");
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_with_what_was_made() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let put = |body: Value| {
        let request = client.request(Method::PUT, CLINIC, OWNER_KEY);
        send(request.header("Idempotency-Key", "one").json(&body))
    };
    let first = put(new_account()).await;
    let again = put(new_account()).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let other = json!({"appid": "wx1", "secret": OTHER_SECRET});
    assert_eq!(put(other).await.problem_code(), "idempotency_key_reused");
    // Once it was replaced, what was made is told no longer.
    let etag = client.get(CLINIC).await.etag.unwrap();
    let renew = json!({"appid": "wx0123456789abcdef", "renew": ["aes_key"]});
    assert_eq!(client.connect(CLINIC, Some(&etag), &renew).await.status, 200);
    let late = put(new_account()).await;
    assert!(late.status == 200 && late.body.get("aes_key").is_none(), "{}", late.text);
    // A dry run adds nothing and makes nothing.
    let request = client.request(Method::PUT, "/accounts/dry?dry_run=true", OWNER_KEY);
    let dry = send(request.json(&new_account())).await;
    assert!(dry.status == 200 && dry.body.get("aes_key").is_none(), "{}", dry.text);
    assert_eq!(client.get("/accounts/dry").await.problem_code(), "unknown_account");
    cluster.tasks.abort();
}

#[tokio::test]
async fn an_import_changes_no_credentials() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let token = client.connect(CLINIC, None, &new_account()).await.body["callback_token"].clone();
    let greeting = json!({"greeting": "欢迎"});
    client.connect("/book/accounts/clinic", Some("\"0\""), &greeting).await;
    let exported = client.get("/book?format=toml").await.text;
    assert!(exported.contains("[accounts.clinic]"), "{exported}");
    let changed = exported.replace("欢迎", "您好");
    let request = client.request(Method::PUT, "/book", OWNER_KEY);
    let imported = send(request.header("content-type", "application/toml").body(changed)).await;
    assert_eq!(imported.status, 200, "{}", imported.text);
    assert_eq!(client.verify("clinic", token.as_str().unwrap()).await.0, 200);
    assert_eq!(client.get("/book/accounts/clinic").await.body["greeting"], "您好");
    cluster.tasks.abort();
}

#[tokio::test]
async fn nothing_is_added_without_a_key_or_before_every_program_reads_it() {
    let cluster = Cluster::new();
    let older = SettingsClient::start_writing(&cluster, 1).await;
    let held_back = older.connect(CLINIC, None, &new_account()).await;
    assert_eq!((held_back.status, held_back.problem_code()), (409, "forms_held_back"));
    let mut setup = cluster.setup(deployment_settings(BASE_SETTINGS));
    setup.keyring = None;
    let keyless = SettingsClient::of(cluster.start(setup).await);
    let refused = keyless.connect(CLINIC, None, &new_account()).await;
    assert_eq!((refused.status, refused.problem_code()), (409, "no_operator_key"));
    let subject = Subject::new(&["credentials", "clinic"]).unwrap();
    assert_eq!(cluster.ledger.last(&SETTINGS, &subject).await.unwrap(), None);
    cluster.tasks.abort();
}

#[tokio::test]
async fn another_operators_key_seals_anew_and_the_former_may_go() {
    use paihao_chassis::sealing::Keyring;
    use std::sync::Arc;
    let cluster = Cluster::new();
    let former = Keyring::generate_key();
    let new = Keyring::generate_key();
    let start = async |cluster: &Cluster, keys: String| {
        let mut setup = cluster.setup(deployment_settings(BASE_SETTINGS));
        setup.keyring = Some(Arc::new(Keyring::parse(&keys).unwrap()));
        setup.settings.write_version = WriteVersion::NEWEST;
        SettingsClient::of(cluster.start(setup).await)
    };
    let client = start(&cluster, former.clone()).await;
    let token = client.connect(CLINIC, None, &new_account()).await.body["callback_token"].clone();
    let token = token.as_str().unwrap();
    let changes = client.get("/book/changes").await.body;
    cluster.tasks.stop().cancel();
    cluster.tasks.wait().await;

    let cluster = cluster.restarted();
    let client = start(&cluster, format!("{new}\n{former}")).await;
    let id = Keyring::parse(&new).unwrap().current_id().to_owned();
    let subject = Subject::new(&["credentials", "clinic"]).unwrap();
    wait_until("it is sealed anew", async || {
        let newest = cluster.ledger.last(&SETTINGS, &subject).await.unwrap().unwrap();
        let text = String::from_utf8(newest.entry.payload.to_vec()).unwrap();
        text.contains("credentials_resealed") && text.contains(&id)
    })
    .await;
    assert_eq!(client.get("/book/changes").await.body, changes, "nothing has changed");
    cluster.tasks.stop().cancel();
    cluster.tasks.wait().await;

    let cluster = cluster.restarted();
    let client = start(&cluster, new).await;
    assert_eq!(client.verify("clinic", token).await.0, 200);
    cluster.tasks.abort();
}
