//! Test of records in the cache that no gateway wrote: they log nobody in.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, OWNER_KEY, read_json};
use crate::support::wait_until;
use bytes::Bytes;
use paihao_cache::{Cache, MemoryCache};
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::settings::{AccountSetup, CodeKind};
use paihao_contracts::staff::{Member, StaffEntry, StaffEvent, StaffRole};
use paihao_contracts::streams::{STAFF, scan_session_key};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use reqwest::StatusCode;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Starts a gateway with a manager, which writes forms of this generation.
async fn start(cluster: &Cluster, cache: &Arc<dyn Cache>, generation: WriteVersion) -> Gateway {
    let account = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
    let mut setup = cluster.setup_with_account(account);
    setup.cache = cache.clone();
    setup.settings.login.account = Some("shop".to_owned());
    setup.settings.write_version = generation;
    let gateway = cluster.start(setup).await;
    let member = Member {
        id: "m_ann".to_owned(),
        name: "安".to_owned(),
        role: StaffRole::Manager,
        sites: Some(["hall".to_owned()].into()),
        counters: [].into(),
    };
    let event =
        StaffEvent::Joined { member, person: "ann".to_owned(), invitation: "one".to_owned() };
    let entry = Entry::new(StaffEntry::new(1_795_000_000_000, "first", event).encode());
    let subject = Subject::new(&["staff"]).unwrap();
    cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, entry).await.unwrap();
    wait_until("the member is known", async || {
        let request = gateway.http.get(gateway.api("/staff")).bearer_auth(OWNER_KEY);
        read_json(request.send().await.unwrap()).await.1.to_string().contains("m_ann")
    })
    .await;
    gateway
}

/// Begins a login at a browser and returns its uuid and the browser's cookie.
async fn begin_login(gateway: &Gateway) -> (String, String) {
    let request = gateway.post_public("/logins").header("x-paihao-page", "1");
    let response = request.body("{}").send().await.unwrap();
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    let cookie = cookie.to_owned();
    let (_, opened) = read_json(response).await;
    (opened["uuid"].as_str().unwrap().to_owned(), cookie)
}

/// Redeems a login. Returns the refusal's code, and whether the browser is logged in.
async fn redeem(gateway: &Gateway, uuid: &str, cookie: &str) -> (String, bool) {
    let request = gateway.post_public(&format!("/logins/{uuid}/redeem"));
    let request = request.header("x-paihao-page", "1").header(COOKIE, cookie);
    let response = request.send().await.unwrap();
    let is_logged_in =
        response.status() == StatusCode::CREATED && response.headers().contains_key(SET_COOKIE);
    let (_, answer) = read_json(response).await;
    (answer["code"].as_str().unwrap_or("ok").to_owned(), is_logged_in)
}

/// Returns a login in the cache: its MAC, and the record without it.
async fn read(cache: &Arc<dyn Cache>, uuid: &str) -> (String, Value) {
    let stored = cache.get(&scan_session_key(uuid)).await.unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&stored).unwrap();
    let mac = record.as_object_mut().unwrap().remove("mac").expect("a MAC");
    (mac.as_str().unwrap().to_owned(), record)
}

async fn write(cache: &Arc<dyn Cache>, uuid: &str, mac: Option<&str>, record: &Value) {
    let record = record.to_string();
    let record = match mac {
        Some(mac) => format!(r#"{{"mac":"{mac}",{}"#, &record[1..]),
        None => record,
    };
    let key = scan_session_key(uuid);
    cache.put(&key, Bytes::from(record), Duration::from_secs(600)).await.unwrap();
}

/// What somebody writes who can write into the cache and has a browser of their own.
fn approved(record: &Value) -> Value {
    let mut forged = record.clone();
    forged["progress"] = json!({
        "progress": "approved", "person": "ann", "member": "m_ann", "at": 1_795_000_000_000_i64,
    });
    forged
}

#[tokio::test]
async fn a_record_that_no_gateway_wrote_logs_nobody_in() {
    let cluster = Cluster::new();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let gateway = start(&cluster, &cache, WriteVersion::NEWEST).await;
    let (uuid, cookie) = begin_login(&gateway).await;
    assert_eq!(redeem(&gateway, &uuid, &cookie).await, ("login_pending".to_owned(), false));
    let (own_mac, own) = read(&cache, &uuid).await;
    let forged = approved(&own);
    for mac in [Some(&*own_mac), Some(&*"0".repeat(64)), None] {
        write(&cache, &uuid, mac, &forged).await;
        let refused = ("unknown_session".to_owned(), false);
        assert_eq!(redeem(&gateway, &uuid, &cookie).await, refused, "{mac:?}");
    }
    // Nor does the record of another login count in the place of this one.
    let (other_uuid, _) = begin_login(&gateway).await;
    let (mac, other) = read(&cache, &other_uuid).await;
    write(&cache, &uuid, Some(&mac), &other).await;
    assert_eq!(redeem(&gateway, &uuid, &cookie).await.0, "unknown_session");
    cluster.tasks.abort();
}

/// While programs of before the MAC may run, theirs count, so this is what the MAC is against.
#[tokio::test]
async fn a_record_without_a_mac_counts_until_every_program_writes_one() {
    let cluster = Cluster::new();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let gateway = start(&cluster, &cache, WriteVersion::clamped(1)).await;
    let (uuid, cookie) = begin_login(&gateway).await;
    let (mac, record) = read(&cache, &uuid).await;
    let forged = approved(&record);
    write(&cache, &uuid, Some(&mac), &forged).await;
    assert_eq!(redeem(&gateway, &uuid, &cookie).await.0, "unknown_session", "a wrong MAC");
    write(&cache, &uuid, None, &forged).await;
    assert_eq!(redeem(&gateway, &uuid, &cookie).await, ("ok".to_owned(), true));
    cluster.tasks.abort();
}
