//! Cluster of gateways over one embedded ledger, the basis of all tests.

use super::doctor::HealthyDoctor;
use super::engine::{MORNING_MS, open_ledger};
use super::gateway::Gateway;
use async_trait::async_trait;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::sealing::Keyring;
use paihao_contracts::envelope::WriteVersion;
use paihao_gateway::http::rehearsal::Rehearsals;
use paihao_gateway::scan::codes::pool::PoolSettings;
use paihao_gateway::settings::DeploymentSettings;
use paihao_gateway::{Listeners, Ports, Settings, start};
use paihao_ledger::Ledger;
use paihao_ledger_sqlite::SqliteLedger;
use paihao_wechat::{
    AccessToken, AccountClient, Client, ClientOptions, TokenSource, TokenUnavailable,
};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Ledger, clock and tasks that the gateways of a test share.
pub struct Cluster {
    pub ledger: Arc<SqliteLedger>,
    pub clock: ManualClock,
    pub http: reqwest::Client,
    pub tasks: Tasks,
    /// Operator's key of its gateways.
    pub keyring: Arc<Keyring>,
    folder: TempDir,
}

/// Parameters of one gateway, which a test may replace.
pub struct GatewaySetup {
    pub deployment: DeploymentSettings,
    pub settings: Settings,
    pub cache: Arc<dyn Cache>,
    pub wechat: AccountClient,
    pub clock: Arc<dyn Clock>,
    pub keyring: Option<Arc<Keyring>>,
    pub rehearsals: Option<Arc<dyn Rehearsals>>,
}

impl Cluster {
    /// Creates a cluster with an empty ledger in the morning.
    #[expect(clippy::disallowed_methods, reason = "plays a system outside")]
    pub fn new() -> Cluster {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = ManualClock::at(MORNING_MS);
        let (ledger, folder) = open_ledger(&clock);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let keyring = Arc::new(Keyring::parse(&Keyring::generate_key()).unwrap());
        Cluster { ledger, clock, http, tasks: Tasks::new(), keyring, folder }
    }

    /// Returns the bytes of the ledger's files.
    pub fn stored_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    /// Returns the same cluster after its gateways have been stopped, so that others can start.
    pub fn restarted(self) -> Cluster {
        Cluster { tasks: Tasks::new(), ..self }
    }

    /// Returns the usual setup: its own cache, the cluster's clock, no limits and no access token.
    pub fn setup(&self, deployment: DeploymentSettings) -> GatewaySetup {
        let wechat = Client::new(ClientOptions::default()).unwrap();
        GatewaySetup {
            deployment,
            settings: Settings {
                max_callback_clock_skew: Duration::from_secs(300),
                max_callback_body_bytes: 65536,
                scan_session_ttl: Duration::from_secs(600),
                pool: PoolSettings { size: 0, max_age: Duration::from_secs(60), max_per_second: 1 },
                public_url: None,
                simulator_url: None,
                login: Default::default(),
                code_embedders: Default::default(),
                code_shares: Default::default(),
                permanent_codes: Default::default(),
                trusted_proxies: Default::default(),
                frame_ancestors: Vec::new(),
                limits: Default::default(),
                guesses: Default::default(),
                streams: Default::default(),
                connections: Default::default(),
                write_version: WriteVersion::NEWEST,
            },
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            wechat: AccountClient::new(wechat, Arc::new(NoTokens)),
            clock: Arc::new(self.clock.clone()),
            keyring: Some(self.keyring.clone()),
            rehearsals: None,
        }
    }

    /// Starts a further gateway, and waits until it has read the ledger and the settings.
    pub async fn start(&self, setup: GatewaySetup) -> Gateway {
        let gateway = self.start_over(self.ledger.clone(), setup).await;
        gateway.engine.until_caught_up().await;
        let settings = &gateway.service.live_settings;
        super::wait_until("the settings are read", async || settings.caught_up()).await;
        gateway
    }

    /// Starts a further gateway over another view of the ledger, and waits for nothing.
    pub async fn start_over(&self, ledger: Arc<dyn Ledger>, setup: GatewaySetup) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let GatewaySetup { deployment, settings, cache, wechat, clock, keyring, rehearsals } =
            setup;
        let doctor = Arc::new(HealthyDoctor);
        let ports = Ports { ledger, cache, wechat, clock, doctor, rehearsals, keyring };
        let listeners = Listeners { public: listener.into(), callbacks: None };
        let started = start(settings, Arc::new(deployment), ports, listeners, &self.tasks);
        Gateway {
            engine: started.engine.clone(),
            visits: started.visits.clone(),
            delivery_status: started.delivery_status.clone(),
            service: started,
            url,
            http: self.http.clone(),
        }
    }
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
