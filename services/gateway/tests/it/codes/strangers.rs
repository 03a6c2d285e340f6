//! Tests of what people who are not known can have of WeChat's codes.

use super::code_source::FakeCodeSource;
use crate::support::cluster::Cluster;
use crate::support::engine::MORNING_MS;
use async_trait::async_trait;
use bytes::Bytes;
use paihao_cache::conformance::layer::CacheLayer;
use paihao_cache::{Cache, MemoryCache, Unavailable};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, RuntimeClock};
use paihao_chassis::entropy;
use paihao_contracts::session::{Invitation, LoginRequest, LoginTarget, ScanProgress, ScanPurpose};
use paihao_contracts::settings::AccountSetup;
use paihao_gateway::scan::codes::CodeSource;
use paihao_gateway::scan::codes::pool::{PoolSettings, Pools};
use paihao_gateway::scan::codes::share::{CodeShareSettings, CodeWorth};
use paihao_gateway::scan::progress_poll::{POLL_INTERVAL, PolledProgress, ProgressPolls};
use paihao_gateway::scan::sessions::{ScanSessions, SessionError};
use paihao_wechat::CallPriority;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

pub(super) fn sessions(
    cache: Arc<dyn Cache>,
    source: Arc<FakeCodeSource>,
    shares: CodeShareSettings,
) -> Arc<ScanSessions> {
    let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::starting_at(MORNING_MS));
    let settings = PoolSettings { size: 0, max_age: Duration::from_secs(3600), max_per_second: 10 };
    let source = source as Arc<dyn CodeSource>;
    let ttl = Duration::from_secs(600);
    let pools = Pools::start(&settings, [], ttl, &source, &clock, &Tasks::new());
    Arc::new(ScanSessions::new(cache, source, pools, clock, ttl).with_shares(shares))
}

pub(super) fn ticket() -> ScanPurpose {
    ScanPurpose::Ticket { site: "hall".into(), queue: "a".into() }
}

fn login() -> ScanPurpose {
    ScanPurpose::Login(LoginRequest {
        target: LoginTarget::Staff,
        secret: "hash".into(),
        browser: "Chrome".into(),
        address: "10.0.0.*".into(),
        confirm: true,
    })
}

fn invitation() -> ScanPurpose {
    let member =
        json!({ "id": "m_1", "name": "Mei", "role": "manager", "sites": null, "counters": [] });
    let invitation = json!({ "by": "desk", "member": member });
    ScanPurpose::Invitation(serde_json::from_value::<Invitation>(invitation).unwrap())
}

/// Opens sessions until one is refused, and returns how many there were.
async fn exhaust(sessions: &ScanSessions, purpose: impl Fn() -> ScanPurpose) -> u128 {
    for opened in 0.. {
        match sessions.open(entropy::uuid(), "shop", purpose()).await {
            Ok(_) => {}
            Err(SessionError::ShareUsedUp(wait)) => {
                assert!(wait <= Duration::from_secs(10), "{wait:?}: it is spread over the day");
                return opened;
            }
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_sessions_leaves_logins_invitations_and_known_kiosks_their_codes() {
    let source = FakeCodeSource::new();
    let shares = CodeShareSettings { strangers_percent: 60, logins_percent: 20 };
    let sessions = sessions(Arc::new(MemoryCache::default()), source.clone(), shares);
    // Two hours' worth of 60 % of 100,000 codes.
    let opened = exhaust(&sessions, ticket).await;
    assert!(opened.abs_diff(5_000) <= 1, "{opened}");
    let open = |worth, purpose| sessions.open_as(worth, entropy::uuid(), "shop", purpose);
    open(CodeWorth::Known, ticket()).await.unwrap();
    let logins = exhaust(&sessions, login).await;
    assert!(logins.abs_diff(1_666) <= 1, "{logins}");
    sessions.open(entropy::uuid(), "shop", invitation()).await.unwrap();

    let priorities: Vec<_> = source.requests.lock().iter().map(|(_, priority)| *priority).collect();
    let of_sessions = &priorities[..opened as usize];
    assert!(of_sessions.iter().all(|priority| *priority == CallPriority::Normal));
    assert_eq!(priorities[opened as usize + 1], CallPriority::High, "a login");
    assert_eq!(*priorities.last().unwrap(), CallPriority::High, "an invitation");

    // The session that was opened before is found all the same, and after a while there is more.
    let uuid = entropy::uuid();
    tokio::time::advance(Duration::from_secs(30)).await;
    let first = sessions.open(uuid, "shop", ticket()).await.unwrap();
    exhaust(&sessions, ticket).await;
    assert_eq!(sessions.open(uuid, "shop", ticket()).await.unwrap(), first);
}

/// Cache that counts the reads.
pub(super) struct CountingCache {
    pub(super) inner: Arc<dyn Cache>,
    pub(super) reads: AtomicUsize,
}

#[async_trait]
impl CacheLayer for CountingCache {
    fn inner(&self) -> Result<Arc<dyn Cache>, Unavailable> {
        Ok(self.inner.clone())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_read_once_an_interval_however_many_streams_follow_it() {
    let inner = Arc::new(MemoryCache::default());
    let cache = Arc::new(CountingCache { inner, reads: AtomicUsize::new(0) });
    let shares = CodeShareSettings::default();
    let sessions = sessions(cache.clone(), FakeCodeSource::new(), shares);
    let uuid = Uuid::from_u128(7);
    sessions.open(uuid, "shop", login()).await.unwrap();
    cache.reads.store(0, Ordering::Relaxed);

    let shared = ProgressPolls::new(sessions.clone());
    let polls: Vec<_> = (0..200).map(|_| shared.poll(uuid)).collect();
    let intervals = 20;
    for tick in 0..intervals * 10 {
        // The streams began at different moments.
        let ticking = polls.iter().skip(tick % 10).step_by(10);
        for poll in ticking {
            assert_eq!(poll.read().await, PolledProgress::Current(ScanProgress::Pending));
        }
        tokio::time::advance(POLL_INTERVAL / 10).await;
    }
    let reads = cache.reads.load(Ordering::Relaxed);
    assert!((intervals / 2..=intervals + 1).contains(&reads), "{reads}");

    let scanned = ScanProgress::Declined {
        person: "hash".into(),
        reason: paihao_contracts::session::DeclineReason::ByPerson,
    };
    sessions.advance(uuid, |_| Some(scanned.clone())).await.unwrap();
    tokio::time::advance(POLL_INTERVAL).await;
    for poll in &polls {
        assert_eq!(poll.read().await, PolledProgress::Current(scanned.clone()));
    }
    tokio::time::advance(Duration::from_secs(700)).await;
    assert_eq!(polls[0].read().await, PolledProgress::Ended);
}

#[tokio::test]
async fn pages_of_other_sites_have_no_codes_made_or_drawn() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.public_url = Some("https://queue.example.com".into());
    setup.settings.code_embedders = ["https://shop.example.org".parse().unwrap()].into();
    let gateway = cluster.start(setup).await;
    let uuid = Uuid::from_u128(7);
    let is_refused = async |request: reqwest::RequestBuilder, headers: &[(&str, &str)]| {
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let status = response.status();
        let problem: Value = response.json().await.unwrap();
        (problem["code"] == "cross_site")
            .then(|| assert_eq!(status, StatusCode::FORBIDDEN))
            .is_some()
    };
    let http = &cluster.http;
    let requests = || {
        let session = |file: &str| http.get(gateway.api(&format!("/scan-sessions/{uuid}/{file}")));
        let open = http.post(gateway.api("/scan-sessions"));
        let in_one_step = http.get(format!("{}/qr/{uuid}.png?site=hall&queue=a", gateway.url));
        [
            open.json(&json!({ "site": "hall", "queue": "a" })),
            in_one_step,
            session("qr.svg"),
            session("qr.png"),
            session("qr.jpg"),
        ]
    };
    let cross_site = ("sec-fetch-site", "cross-site");
    for (headers, expected) in [
        (&[][..], false),
        (&[("sec-fetch-site", "same-origin")], false),
        (&[cross_site], true),
        (&[cross_site, ("referer", "https://evil.example/")], true),
        (&[cross_site, ("referer", "https://shop.example.org/")], false),
        (&[("origin", "https://evil.example")], true),
        (&[("referer", "https://evil.example/page")], true),
        (&[("referer", "https://queue.example.com/kiosk/hall")], false),
    ] {
        for request in requests() {
            let name =
                format!("{:?} {headers:?}", request.try_clone().unwrap().build().unwrap().url());
            assert_eq!(is_refused(request, headers).await, expected, "{name}");
        }
    }
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_stranger_has_no_permanent_code_made() {
    let cluster = Cluster::new();
    let account = AccountSetup::default();
    let gateway = cluster.start(cluster.setup_with_account(account)).await;
    for path in ["door.svg", "door.png", "door.jpg"] {
        let path = format!("/sites/hall/queues/a/{path}");
        let refused = gateway.get_public(&path).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "no_door_code", "{path}");
        let wrong = gateway.get_public(&path).bearer_auth("a-key-that-nobody-has");
        let refused: Value = wrong.send().await.unwrap().json().await.unwrap();
        assert_eq!(refused["code"], "no_door_code", "{path}");
    }
    assert_eq!(gateway.get_page("/poster/hall").await.status(), StatusCode::NOT_FOUND);
    // The staff's request goes on to WeChat, which is not there.
    let tried = gateway.get("/queues/a/door.svg").send().await.unwrap();
    assert_eq!(tried.json::<Value>().await.unwrap()["code"], "wechat_unavailable");
    cluster.tasks.abort();
}
