//! A shop's base set-up, and gateways over one embedded ledger.

use async_trait::async_trait;
use paihao_cache::{MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::config::ConfigProblems;
use paihao_gateway::engine::Engine;
use paihao_gateway::scan::codes::pool::PoolSettings;
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::{
    ALL_SITES, AccountSettings, DeploymentSettings, KeyRole, StaffKey, export, validate,
};
use paihao_gateway::{Ports, Settings, start};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_wechat::callback::{Mode, Protection};
use paihao_wechat::{
    AccessToken, AccountClient, AppId, CallbackToken, Client, ClientOptions, TokenSource,
    TokenUnavailable,
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Opens every site, as a manager.
pub const OWNER_KEY: &str = "the-key-of-the-owner";
/// Opens the hall, as a manager.
pub const MANAGER_KEY: &str = "the-key-of-the-hall";
/// Opens the hall, as staff at its first counter.
pub const STAFF_KEY: &str = "the-key-of-a-counter";

/// What the configuration says.
pub const BASE_SETTINGS: &str = "
[accounts.shop]
[accounts.other]
[sites.hall]
account = 'shop'
name = '大厅'
[sites.hall.queues.cash]
name = '存取款'
prefix = 'A'
[sites.hall.counters.1]
name = '1号窗口'
queues = ['cash']
";

/// One ledger, and gateways over it.
pub struct Cluster {
    pub ledger: Arc<SqliteLedger>,
    clock: ManualClock,
    http: reqwest::Client,
    tasks: Tasks,
    _folder: TempDir,
}

/// One gateway.
pub struct Gateway {
    pub engine: Engine,
    url: String,
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
        let clock = ManualClock::at(1_795_140_000_000);
        let folder = tempfile::tempdir().unwrap();
        let now = clock.clone();
        let options = SqliteOptions::new(Arc::new(move || now.now_ms()));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Cluster { ledger: Arc::new(ledger), clock, http, tasks: Tasks::new(), _folder: folder }
    }

    /// A replica that has read what there is.
    pub async fn start_gateway(&self) -> Gateway {
        self.start_gateway_with(BASE_SETTINGS).await
    }

    /// A replica with another configuration.
    pub async fn start_gateway_with(&self, base: &str) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let settings = Settings {
            max_callback_clock_skew: Duration::from_secs(300),
            max_callback_body_bytes: 65536,
            scan_session_ttl: Duration::from_secs(600),
            pool: PoolSettings { size: 0, max_age: Duration::from_secs(60), max_per_second: 1 },
            simulator_url: None,
            public_url: None,
            login: Default::default(),
            trusted_proxies: Vec::new(),
            frame_ancestors: Vec::new(),
            limits: Default::default(),
        };
        let ports = Ports {
            ledger: self.ledger.clone(),
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            wechat: AccountClient::new(
                Client::new(ClientOptions::default()).unwrap(),
                Arc::new(NoTokens),
            ),
            clock: Arc::new(self.clock.clone()),
        };
        let book = Arc::new(deployment_settings(base));
        let gateway = start(settings, book, ports, listener, &self.tasks);
        gateway.engine.until_caught_up().await;
        wait_until("the book is read", async || gateway.live_settings.caught_up()).await;
        Gateway { engine: gateway.engine, url, http: self.http.clone() }
    }
}

fn deployment_settings(base: &str) -> DeploymentSettings {
    let file = export::parse(base, true).unwrap();
    let mut problems = ConfigProblems::new();
    let mut sites = BTreeMap::new();
    for (id, site) in &file.sites {
        let checked =
            validate::validate_site(id, id, site, file.accounts.keys(), &mut problems).unwrap();
        sites.insert(id.clone(), Arc::new(checked));
    }
    let protection = || Protection {
        mode: Mode::Plain,
        app: AppId("wx1".to_owned()),
        token: CallbackToken::new("token1"),
        former_token: None,
        aes_key: None,
        former_aes_key: None,
    };
    let accounts = file.accounts.iter();
    let accounts =
        accounts.map(|(name, setup)| (name.clone(), AccountSettings::new(protection(), setup)));
    let opens = |site: &str| [site.to_owned()].into();
    let counters = [paihao_domain::CounterId::new("1")].into();
    DeploymentSettings {
        accounts: accounts.collect(),
        sites,
        staff_keys: vec![
            StaffKey::new("owner", OWNER_KEY, opens(ALL_SITES)),
            StaffKey::new("boss", MANAGER_KEY, opens("hall")),
            StaffKey::new("ann", STAFF_KEY, opens("hall")).with_role(KeyRole::Staff, counters),
        ],
        configured: ConfiguredDocuments { sites: file.sites, accounts: file.accounts },
        ..DeploymentSettings::default()
    }
}

/// What was answered.
pub struct ApiResponse {
    pub status: u16,
    pub etag: Option<String>,
    pub body: Value,
    pub text: String,
}

impl ApiResponse {
    pub fn problem_code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Gateway {
    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(key)
    }

    pub async fn get(&self, path: &str) -> ApiResponse {
        send(self.request(Method::GET, path, OWNER_KEY)).await
    }

    /// Puts something where its newest revision was seen.
    pub async fn put(&self, path: &str, body: Value) -> ApiResponse {
        let seen = self.get("/book/sites/hall").await.etag.unwrap();
        send(self.request(Method::PUT, path, OWNER_KEY).header("If-Match", seen).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> ApiResponse {
        let seen = self.get("/book/sites/hall").await.etag.unwrap();
        send(self.request(Method::DELETE, path, OWNER_KEY).header("If-Match", seen)).await
    }
}

pub async fn send(request: RequestBuilder) -> ApiResponse {
    let answer = request.send().await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    ApiResponse { status, etag: tag, body, text }
}

/// Waits for something.
pub async fn wait_until(what: &str, is: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let there = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(there.is_ok(), "not within half a minute: {what}");
}
