//! Gateways over one embedded ledger, asked over HTTP.

use super::replica;
use async_trait::async_trait;
use futures::StreamExt;
use paihao_cache::{MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::commit::Commit;
use paihao_contracts::public_event::to_public_events;
use paihao_contracts::streams::LEDGER;
use paihao_domain::CounterId;
use paihao_gateway::engine::Engine;
use paihao_gateway::http::rate_limit::RateLimitSettings;
use paihao_gateway::projections::delivery_status::DeliveryStatusProjection;
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::scan::codes::pool::PoolSettings;
use paihao_gateway::settings::{KeyRole, StaffKey};
use paihao_gateway::{Ports, Settings, start};
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_sqlite::SqliteLedger;
use paihao_wechat::{
    AccessToken, AccountClient, Client, ClientOptions, TokenSource, TokenUnavailable,
};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub const MANAGER_KEY: &str = "a-key-of-the-tests-alone";
/// Of somebody who may sit at the first counter only.
pub const STAFF_KEY: &str = "a-key-of-the-first-counter";

/// A ledger, and gateways over it.
pub struct Cluster {
    pub ledger: Arc<SqliteLedger>,
    pub clock: ManualClock,
    pub http: reqwest::Client,
    pub tasks: Tasks,
    /// Of what anybody may ask for; none unless a test sets them.
    pub limits: RateLimitSettings,
    _folder: TempDir,
}

/// One gateway.
pub struct Gateway {
    pub engine: Engine,
    pub visits: VisitProjection,
    pub delivery_status: DeliveryStatusProjection,
    pub url: String,
    http: reqwest::Client,
}

struct NoTokens;

#[async_trait]
impl TokenSource for NoTokens {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        Err(TokenUnavailable("none here".to_owned()))
    }

    async fn replace_refused(
        &self,
        _: &str,
        _: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        Err(TokenUnavailable("none here".to_owned()))
    }
}

impl Cluster {
    #[expect(clippy::disallowed_methods, reason = "plays a system outside")]
    pub fn new() -> Cluster {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = ManualClock::at(replica::MORNING_MS);
        let (ledger, folder) = replica::open_ledger(&clock);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Cluster {
            ledger,
            clock,
            http,
            tasks: Tasks::new(),
            limits: RateLimitSettings::default(),
            _folder: folder,
        }
    }

    /// A further replica, which has read what there is.
    pub async fn start_gateway(&self) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/sites", listener.local_addr().unwrap());
        let mut book = replica::deployment_settings();
        let opens = |site: &str| [site.to_owned()].into();
        book.staff_keys = vec![
            StaffKey::new("desk", MANAGER_KEY, opens("hall")),
            StaffKey::new("other", "the-key-of-another-site", opens("elsewhere")),
            StaffKey::new("mei", STAFF_KEY, opens("hall"))
                .with_role(KeyRole::Staff, [CounterId::new("1")].into()),
        ];
        let settings = Settings {
            max_callback_clock_skew: Duration::from_secs(300),
            max_callback_body_bytes: 65536,
            scan_session_ttl: Duration::from_secs(600),
            pool: PoolSettings { size: 0, max_age: Duration::from_secs(60), max_per_second: 1 },
            public_url: Some("https://queue.example".to_owned()),
            simulator_url: None,
            login: Default::default(),
            trusted_proxies: Vec::new(),
            frame_ancestors: Vec::new(),
            limits: self.limits,
        };
        let wechat = Client::new(ClientOptions::default()).unwrap();
        let ports = Ports {
            ledger: self.ledger.clone(),
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            wechat: AccountClient::new(wechat, Arc::new(NoTokens)),
            clock: Arc::new(self.clock.clone()),
        };
        let gateway = start(settings, Arc::new(book), ports, listener, &self.tasks);
        gateway.engine.until_caught_up().await;
        Gateway {
            engine: gateway.engine,
            visits: gateway.visits,
            delivery_status: gateway.delivery_status,
            url,
            http: self.http.clone(),
        }
    }

    /// The public form of everything that the ledger holds of the hall.
    pub async fn public_events(&self) -> Vec<Value> {
        let head = self.ledger.head(&LEDGER).await.unwrap();
        let mut entries = self.ledger.follow(&LEDGER, Position::START).await.unwrap();
        let (mut told, mut reached) = (Vec::new(), Position::START);
        while reached < head {
            let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            reached = recorded.position;
            let commit: Commit = serde_json::from_slice(&recorded.entry.payload).unwrap();
            if &*commit.site.id == "hall" {
                told.extend(
                    to_public_events(reached.0, &commit).map(|e| serde_json::to_value(e).unwrap()),
                );
            }
        }
        told
    }
}

impl Gateway {
    /// Asks for something of the hall, with its key.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.get_with_key(path, MANAGER_KEY)
    }

    /// The same with another key.
    pub fn get_with_key(&self, path: &str, key: &str) -> RequestBuilder {
        self.http.get(format!("{}/hall{path}", self.url)).bearer_auth(key)
    }

    /// Asks for something that needs no key, by its path behind `/api/v1`.
    pub fn get_public(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url.trim_end_matches("/sites")))
    }

    /// Wishes for something that needs no key.
    pub fn post_public(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url.trim_end_matches("/sites")))
    }

    /// Loads a page.
    pub async fn get_page(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.url.trim_end_matches("/api/v1/sites"));
        self.http.get(url).send().await.unwrap()
    }

    pub async fn get_json(&self, path: &str) -> (StatusCode, Value) {
        read_json(self.get(path).send().await.unwrap()).await
    }
}

pub async fn read_json(answer: Response) -> (StatusCode, Value) {
    (answer.status(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}
