//! Tests of callbacks that are not acted on: what the account's owner is told of them.

use crate::support::away_stores::AwayStores;
use crate::support::cluster::Cluster;
use crate::support::engine::MORNING_MS;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, read_json};
use crate::support::wait_until;
use crate::support::wechat::{TOKEN, event_elements, plain_protection, push_body_at, signed_query};
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_contracts::settings::AccountSetup;
use paihao_contracts::streams::callback_faults_key;
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::{AesKey, Mode, Protection, encrypt, msg_signature};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Delivers callbacks to an account with this query.
async fn deliver(gateway: &Gateway, account: &str, query: &str, times: usize) {
    for _ in 0..times {
        let url = format!("{}/wechat/{account}?{query}", gateway.url);
        gateway.http.post(url).body("<status>ok</status>").send().await.unwrap();
    }
}

async fn faults(gateway: &Gateway, key: &str) -> (StatusCode, Value) {
    let url = gateway.api("/accounts/shop/callback-faults");
    read_json(gateway.http.get(url).bearer_auth(key).send().await.unwrap()).await
}

/// Codes and numbers of the faults that a gateway tells.
async fn fault_counts(gateway: &Gateway) -> Vec<(String, u64)> {
    let (status, body) = faults(gateway, OWNER_KEY).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let rows = body["faults"].as_array().unwrap().iter();
    let row = |row: &Value| {
        for text in ["title", "title_en", "advice", "advice_en"] {
            assert!(row[text].as_str().is_some_and(|text| text.len() > 5), "{row}");
        }
        (row["code"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap())
    };
    rows.map(row).collect()
}

/// A push whose content is older than its signature, as one is that was put under another address.
#[tokio::test]
async fn a_sealed_push_of_another_time_than_its_signature_is_not_acted_on() {
    let key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    let elements = event_elements("SCAN", "q_hall_a", "ticket");
    for (mode, is_checked) in [(Mode::Secure, true), (Mode::Compatible, true), (Mode::Plain, false)]
    {
        let cluster = Cluster::new();
        let protection = Protection { mode, aes_key: Some(key.clone()), ..plain_protection() };
        let account = AccountSetup::default();
        let setup = cluster.setup_with_protected_account(account, protection.clone());
        let gateway = cluster.start(setup).await;
        let at = MORNING_MS / 1000;
        for (person, created_at, is_near) in
            [("oAnn", at - 3600, false), ("oBen", at - 16, true), ("oCai", at + 3600, false)]
        {
            let push = push_body_at(person, &elements, created_at);
            let sealed = encrypt(&key, &protection.app, [7; 16], push.as_bytes());
            let signed = msg_signature(&CallbackToken::new(TOKEN), &at.to_string(), "n", &sealed);
            let (query, body) = match mode {
                Mode::Plain => (signed_query(), push),
                _ => (
                    format!("{}&encrypt_type=aes&msg_signature={signed}", signed_query()),
                    format!("<xml><ToUserName>gh</ToUserName><Encrypt>{sealed}</Encrypt></xml>"),
                ),
            };
            let request = gateway.http.post(format!("{}/wechat/shop?{query}", gateway.url));
            let response = request.body(body).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "WeChat counts any other answer");
            let ignored = response.headers().get("paihao-ignored").cloned();
            let expected = (is_checked && !is_near).then_some("misdated_callback");
            let context = format!("{mode:?} {person}");
            assert_eq!(
                ignored.map(|code| code.to_str().unwrap().to_owned()).as_deref(),
                expected,
                "{context}"
            );
        }
        let taken = gateway.engine.snapshot("hall").unwrap().site.tickets().count();
        assert_eq!(taken, if is_checked { 1 } else { 3 }, "{mode:?}");
        cluster.tasks.abort();
    }
}

fn forged_query() -> String {
    signed_query().replace("signature=", "signature=0")
}

#[tokio::test]
async fn the_owner_reads_at_any_gateway_what_all_of_them_refused() {
    let cluster = Cluster::new();
    let cache = Arc::new(MemoryCache::new(MemoryOptions::default()));
    let start = async || {
        let mut setup = cluster.account_setup();
        setup.cache = cache.clone();
        cluster.start(setup).await
    };
    let (one, other) = (start().await, start().await);
    assert_eq!(fault_counts(&one).await, []);
    deliver(&one, "shop", &forged_query(), 3).await;
    deliver(&other, "shop", &forged_query(), 2).await;
    deliver(&other, "shop", &signed_query(), 1).await;
    deliver(&other, "shpo", &forged_query(), 1).await;
    let all = [("malformed_xml", 1), ("unknown_account", 1), ("wrong_signature", 5)]
        .map(|(code, count)| (code.to_owned(), count));
    for gateway in [&one, &other, &start().await] {
        wait_until("the faults of all gateways are told", async || {
            let mut counts = fault_counts(gateway).await;
            counts.sort();
            counts == all
        })
        .await;
    }
    let (_, body) = faults(&one, OWNER_KEY).await;
    assert_eq!((&body["complete"], &body["account"]), (&json!(true), &json!("shop")));
    for row in body["faults"].as_array().unwrap() {
        assert_eq!((&row["since"], &row["last_at"]), (&json!(MORNING_MS), &json!(MORNING_MS)));
    }
    // A flood of forged callbacks is no flood of writes: the one value has been added to.
    let stored = cache.get(&callback_faults_key("shop")).await.unwrap().unwrap();
    assert!(stored.len() < 300, "{stored:?}");

    // A day after the last one they are forgotten; one that comes then begins anew.
    cluster.clock.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(fault_counts(&one).await, []);
    let (status, body) = faults(&one, MANAGER_KEY).await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("not_every_site")));
}

#[tokio::test]
async fn while_the_cache_is_away_a_gateway_tells_its_own_and_adds_them_later() {
    let cluster = Cluster::new();
    let stores = AwayStores::new(&cluster);
    let gateway = stores.start(&cluster).await;
    stores.set_away(false, true);
    deliver(&gateway, "shop", &forged_query(), 2).await;
    let (_, body) = faults(&gateway, OWNER_KEY).await;
    assert_eq!((&body["complete"], &body["faults"][0]["count"]), (&json!(false), &json!(2)));
    stores.set_away(false, false);
    deliver(&gateway, "shop", &forged_query(), 1).await;
    assert_eq!(fault_counts(&gateway).await, [("wrong_signature".to_owned(), 3)]);
    wait_until("they are stored", async || {
        stores.cache.get(&callback_faults_key("shop")).await.unwrap().is_some()
    })
    .await;
    assert_eq!(
        fault_counts(&gateway).await,
        [("wrong_signature".to_owned(), 3)],
        "none is told twice"
    );
}
