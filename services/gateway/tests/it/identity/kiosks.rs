//! Tests of paired kiosks at several replicas over one ledger and one cache.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, STAFF_KEY, read_json};
use crate::support::wait_until;
use paihao_cache::{Cache, MemoryCache};
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::settings::{AccountSetup, CodeKind};
use paihao_contracts::streams::STAFF;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Starts a gateway whose codes are made without WeChat, and whose site admits paired kiosks alone
/// if `only`.
async fn start(cluster: &Cluster, cache: &Arc<dyn Cache>, only: bool) -> Gateway {
    let account = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
    let mut setup = cluster.setup_with_account(account);
    setup.cache = cache.clone();
    let site = Arc::get_mut(setup.deployment.sites.get_mut("hall").unwrap()).unwrap();
    site.paired_kiosks_only = only;
    site.kiosk_slips = 100;
    cluster.start(setup).await
}

/// Browser of a kiosk, with the cookies that it was given.
struct KioskBrowser<'a> {
    cluster: &'a Cluster,
    cookie: Option<String>,
}

impl KioskBrowser<'_> {
    async fn send(
        &mut self,
        gateway: &Gateway,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let request = self.cluster.http.request(method, gateway.api(path));
        let request = request.header("x-paihao-page", "1").body(body.to_string());
        let request = match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        let response = request.send().await.unwrap();
        if let Some(set_cookie) = response.headers().get(SET_COOKIE) {
            let set_cookie = set_cookie.to_str().unwrap();
            for flag in ["Path=/", "HttpOnly", "SameSite=Lax"] {
                assert!(set_cookie.split("; ").any(|part| part == flag), "{flag}: {set_cookie}");
            }
            self.cookie = Some(set_cookie.split(';').next().unwrap().to_owned());
        }
        read_json(response).await
    }

    /// Asks for a code to scan, and returns the refusal's code, if it is refused.
    async fn open_session(&mut self, gateway: &Gateway) -> Option<String> {
        let body = json!({"site": "hall", "queue": "a"});
        let (_, answer) = self.send(gateway, Method::POST, "/scan-sessions", body).await;
        answer["code"].as_str().map(str::to_owned)
    }

    /// Asks to be paired, and returns the code that it shows.
    async fn request_pairing(&mut self, gateway: &Gateway) -> String {
        let path = "/sites/hall/kiosk-pairings";
        let (status, shown) = self.send(gateway, Method::POST, path, json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{shown}");
        shown["code"].as_str().unwrap().to_owned()
    }

    async fn state(&mut self, gateway: &Gateway) -> Value {
        self.send(gateway, Method::GET, "/sites/hall/kiosk", json!({})).await.1
    }
}

async fn pair(gateway: &Gateway, key: &str, code: &str) -> (StatusCode, Value) {
    let request = gateway.http.post(gateway.api("/sites/hall/kiosks")).bearer_auth(key);
    let body = json!({"code": code, "name": "东门"});
    read_json(request.body(body.to_string()).send().await.unwrap()).await
}

#[tokio::test]
async fn a_kiosk_is_paired_by_the_code_that_it_shows_and_works_until_it_is_unpaired() {
    let cluster = Cluster::new();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let one = start(&cluster, &cache, true).await;
    let other = start(&cluster, &cache, true).await;
    let mut kiosk = KioskBrowser { cluster: &cluster, cookie: None };
    let mut stranger = KioskBrowser { cluster: &cluster, cookie: None };
    let not_paired = Some("kiosk_not_paired".to_owned());
    for browser in [&mut kiosk, &mut stranger] {
        assert_eq!(browser.open_session(&one).await, not_paired);
        assert_eq!(browser.state(&one).await, json!({"paired": false, "required": true}));
    }
    let shown = kiosk.request_pairing(&one).await;
    let strangers = stranger.request_pairing(&one).await;
    assert_ne!(kiosk.cookie, stranger.cookie);
    assert_eq!(kiosk.open_session(&one).await, not_paired, "nobody has entered the code");

    // A code of the site, by a manager of the site.
    assert_eq!(pair(&other, MANAGER_KEY, "0000").await.1["code"], "unknown_pairing");
    assert_eq!(pair(&other, STAFF_KEY, &shown).await.1["code"], "not_allowed");
    assert_eq!(pair(&other, "the-key-of-another-site", &shown).await.1["code"], "not_your_site");
    // Asked for again, the code before counts as well: somebody may be entering it.
    kiosk.request_pairing(&one).await;
    let (status, paired) = pair(&other, MANAGER_KEY, &shown).await;
    assert_eq!(status, StatusCode::CREATED, "{paired}");
    assert_eq!(pair(&other, MANAGER_KEY, &shown).await.1["code"], "unknown_pairing", "once");
    for gateway in [&one, &other] {
        wait_until("it is paired", async || kiosk.open_session(gateway).await.is_none()).await;
        let state = json!({"paired": true, "required": true, "name": "东门"});
        assert_eq!(kiosk.state(gateway).await, state);
        assert_eq!(stranger.open_session(gateway).await, not_paired);
    }
    let slip = async |browser: &mut KioskBrowser<'_>| {
        let body = json!({"kiosk": "the-east-kiosk"});
        browser.send(&one, Method::POST, "/sites/hall/queues/a/slips", body).await.1
    };
    assert_eq!(slip(&mut stranger).await["code"], "kiosk_not_paired");
    assert_eq!(slip(&mut kiosk).await["number"], "A001");

    let (_, listed) = one.get_json("/kiosks").await;
    assert_eq!((&listed[0]["name"], &listed[0]["paired_by"]), (&json!("东门"), &json!("desk")));
    let credential = kiosk.cookie.as_deref().unwrap().split_once('=').unwrap().1.to_owned();
    assert!(!listed.to_string().contains(&credential), "{listed}");
    wait_until("its use is known", async || {
        one.get_json("/kiosks").await.1[0]["last_used_from"] == "127.0.0.*"
    })
    .await;

    let path = format!("/sites/hall/kiosks/{}", paired["id"].as_str().unwrap());
    let unpair = one.http.delete(one.api(&path)).bearer_auth(MANAGER_KEY);
    assert_eq!(unpair.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    for gateway in [&one, &other] {
        wait_until("it is unpaired", async || kiosk.open_session(gateway).await == not_paired)
            .await;
    }
    // Whoever has a copy of the former credential does not come back with the kiosk.
    let former = kiosk.cookie.clone();
    let shown = kiosk.request_pairing(&one).await;
    assert_ne!(kiosk.cookie, former);
    assert_eq!(pair(&one, MANAGER_KEY, &shown).await.0, StatusCode::CREATED);
    assert_eq!(kiosk.open_session(&one).await, None);
    let mut copy = KioskBrowser { cluster: &cluster, cookie: former };
    assert_eq!(copy.open_session(&one).await, not_paired);

    // A code that nobody entered ends.
    cluster.clock.advance(Duration::from_secs(601));
    assert_eq!(pair(&one, MANAGER_KEY, &strangers).await.1["code"], "unknown_pairing");
    let audit = one.http.get(one.api("/audit?kind=keys")).bearer_auth(OWNER_KEY);
    let (_, audit) = read_json(audit.send().await.unwrap()).await;
    let events: Vec<_> = audit["entries"].as_array().unwrap().iter().collect();
    let told: Vec<_> = events.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(told, ["kiosk_paired", "kiosk_unpaired", "kiosk_paired"]);
    assert!(events.iter().all(|entry| entry["target_name"] == "东门"), "{audit}");
    cluster.tasks.abort();
}

#[tokio::test]
async fn where_anybody_is_admitted_a_kiosk_may_be_paired_and_nobody_has_to() {
    let cluster = Cluster::new();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let gateway = start(&cluster, &cache, false).await;
    let mut kiosk = KioskBrowser { cluster: &cluster, cookie: None };
    assert_eq!(kiosk.state(&gateway).await, json!({"paired": false, "required": false}));
    assert_eq!(kiosk.open_session(&gateway).await, None);
    let shown = kiosk.request_pairing(&gateway).await;
    assert_eq!(pair(&gateway, MANAGER_KEY, &shown).await.0, StatusCode::CREATED);
    assert_eq!(kiosk.state(&gateway).await["paired"], true);
    // The cookie of another site's page does not pair it, and no page of another site asks.
    let foreign = gateway.http.post(gateway.api("/sites/hall/kiosk-pairings"));
    assert_eq!(read_json(foreign.send().await.unwrap()).await.1["code"], "cross_site");

    let newer = Entry::new(&br#"{"v":99,"wonders":[]}"#[..]);
    let subject = Subject::new(&["staff"]).unwrap();
    cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, newer).await.unwrap();
    // What a newer program wrote may have unpaired it: it counts with the strangers again.
    wait_until("the entry is read", async || kiosk.state(&gateway).await["code"] == "newer_ledger")
        .await;
    assert_eq!(kiosk.open_session(&gateway).await, None);
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_kiosk_whose_pairing_cannot_be_read_is_not_taken_for_a_stranger() {
    let cluster = Cluster::new();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let gateway = start(&cluster, &cache, true).await;
    let mut kiosk = KioskBrowser { cluster: &cluster, cookie: None };
    let shown = kiosk.request_pairing(&gateway).await;
    assert_eq!(pair(&gateway, MANAGER_KEY, &shown).await.0, StatusCode::CREATED);
    let newer = Entry::new(&br#"{"v":99,"wonders":[]}"#[..]);
    let subject = Subject::new(&["staff"]).unwrap();
    cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, newer).await.unwrap();
    wait_until("the entry is read", async || {
        kiosk.open_session(&gateway).await.as_deref() == Some("newer_ledger")
    })
    .await;
    let picture = format!("{}/qr/{}?site=hall&queue=a", gateway.url, uuid::Uuid::from_u128(7));
    let picture = gateway.http.get(picture).header(COOKIE, kiosk.cookie.clone().unwrap());
    assert_eq!(read_json(picture.send().await.unwrap()).await.1["code"], "newer_ledger");
    cluster.tasks.abort();
}

#[tokio::test]
async fn no_kiosk_is_paired_where_an_older_program_would_not_know_it() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.write_version = WriteVersion::clamped(1);
    let gateway = cluster.start(setup).await;
    let mut kiosk = KioskBrowser { cluster: &cluster, cookie: None };
    let shown = kiosk.request_pairing(&gateway).await;
    assert_eq!(pair(&gateway, MANAGER_KEY, &shown).await.1["code"], "forms_held_back");
    cluster.tasks.abort();
}
