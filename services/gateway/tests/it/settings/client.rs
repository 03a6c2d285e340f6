//! Client of a gateway's settings API, with a base configuration.

use crate::support::cluster::Cluster;
use crate::support::gateway::Gateway;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::envelope::WriteVersion;
use paihao_gateway::engine::Engine;
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::{
    ALL_SITES, AccountSettings, DeploymentSettings, KeyRole, StaffKey, export, validate,
};
use paihao_wechat::callback::{Mode, Protection};
use paihao_wechat::{AppId, CallbackToken};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Key of a manager of every site.
pub const OWNER_KEY: &str = "the-key-of-the-owner";
/// Key of a manager of the hall.
pub const MANAGER_KEY: &str = "the-key-of-the-hall";
/// Key of staff at the hall's first counter.
pub const STAFF_KEY: &str = "the-key-of-a-counter";

/// Base configuration.
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

/// Gateway with a client of its API.
pub struct SettingsClient {
    pub engine: Engine,
    pub url: String,
    pub http: reqwest::Client,
}

pub fn deployment_settings(base: &str) -> DeploymentSettings {
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
        former_mode: None,
        app: AppId("wx1".to_owned()),
        token: CallbackToken::new("token1"),
        former_token: None,
        aes_key: None,
        former_aes_key: None,
    };
    let accounts = file
        .accounts
        .iter()
        .map(|(name, setup)| (name.clone(), Arc::new(AccountSettings::new(protection(), setup))));
    let only_site = |site: &str| [site.to_owned()].into();
    let counters = [paihao_domain::CounterId::new("1")].into();
    DeploymentSettings {
        accounts: accounts.collect(),
        sites,
        staff_keys: vec![
            StaffKey::new("owner", OWNER_KEY, only_site(ALL_SITES)),
            StaffKey::new("boss", MANAGER_KEY, only_site("hall")),
            StaffKey::new("ann", STAFF_KEY, only_site("hall")).with_role(KeyRole::Staff, counters),
        ],
        configured: ConfiguredDocuments::new(file.sites, file.accounts),
        ..DeploymentSettings::default()
    }
}

/// Answer of the API.
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

impl SettingsClient {
    /// Starts a further gateway with the base configuration.
    pub async fn start(cluster: &Cluster) -> SettingsClient {
        SettingsClient::start_with(cluster, BASE_SETTINGS).await
    }

    /// Returns the client of a gateway.
    pub fn of(gateway: Gateway) -> SettingsClient {
        SettingsClient { url: gateway.api(""), engine: gateway.engine, http: gateway.http }
    }

    /// Starts a further gateway with another configuration.
    pub async fn start_with(cluster: &Cluster, base: &str) -> SettingsClient {
        let gateway = cluster.start(cluster.setup(deployment_settings(base))).await;
        SettingsClient::of(gateway)
    }

    /// Starts a further gateway that writes no newer generation of stored forms than this one.
    pub async fn start_writing(cluster: &Cluster, generation: u32) -> SettingsClient {
        let mut setup = cluster.setup(deployment_settings(BASE_SETTINGS));
        setup.settings.write_version = WriteVersion::clamped(generation);
        let gateway = cluster.start(setup).await;
        SettingsClient::of(gateway)
    }

    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(key)
    }

    pub async fn get(&self, path: &str) -> ApiResponse {
        send(self.request(Method::GET, path, OWNER_KEY)).await
    }

    /// Puts a document with the newest revision of the hall as its precondition.
    pub async fn put(&self, path: &str, body: Value) -> ApiResponse {
        let etag = self.get("/book/sites/hall").await.etag.unwrap();
        send(self.request(Method::PUT, path, OWNER_KEY).header("If-Match", etag).json(&body)).await
    }

    /// Puts the document of the shop's account in place of the newest one.
    pub async fn put_account(&self, body: &Value) -> ApiResponse {
        let path = "/book/accounts/shop";
        let etag = self.get(path).await.etag.unwrap();
        send(self.request(Method::PUT, path, OWNER_KEY).header("If-Match", etag).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> ApiResponse {
        let etag = self.get("/book/sites/hall").await.etag.unwrap();
        send(self.request(Method::DELETE, path, OWNER_KEY).header("If-Match", etag)).await
    }
}

pub async fn send(request: RequestBuilder) -> ApiResponse {
    let response = request.send().await.unwrap();
    let etag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    ApiResponse { status, etag, body, text }
}
