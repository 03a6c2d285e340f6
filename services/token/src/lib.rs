//! Token service: fetches access tokens, in one replica at a time for each account.
//!
//! Each account has a keeper in every replica. One of them holds the account's lease and refreshes
//! the stored token; the others wait for the lease. Other services read the stored token and report
//! one that WeChat refused.
//!
//! In reading order: [`decide`] is the decision of a keeper, a pure function; `keeper` acts on it
//! under the lease and `alarm` reports failures that somebody has to correct; `store` writes so
//! that a slow former holder cannot overwrite; `reports` handles refused tokens; `registry` starts
//! keepers and replaces them when credentials change; [`server`] serves tokens to the owner's other
//! systems.

pub mod decide;

mod alarm;
mod fetching;
mod keeper;
mod registry;
mod reports;
mod store;

pub mod server;

pub use decide::Channel;
pub use fetching::Issuer;
pub use registry::AccountChanges;

use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::{AppId, AppSecret};
use registry::KeeperRegistry;
use std::sync::Arc;
use std::time::Duration;

/// An Official Account whose token the service refreshes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name in the configuration, used in keys, logs and metrics.
    pub name: String,
    /// AppID at WeChat.
    pub app: AppId,
    /// AppSecret, with which the token is fetched.
    pub secret: AppSecret,
    /// Channel that issues its tokens.
    pub channel: Channel,
}

/// Settings of the token service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Lifetime of a lease, after which another keeper takes over; 15 s by default.
    pub lease: Duration,
    /// Time before its end at which a token of the stable channel is refreshed; 250 s by default,
    /// and below 300 s, because until then WeChat returns the same token.
    pub stable_ahead: Duration,
    /// The same for the classic channel; 10 min by default.
    pub classic_ahead: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lease: Duration::from_secs(15),
            stable_ahead: Duration::from_secs(250),
            classic_ahead: Duration::from_secs(600),
        }
    }
}

/// Ports of the token service.
pub struct Ports {
    /// Cache for tokens and leases.
    pub cache: Arc<dyn Cache>,
    /// Ledger with the reports of refused tokens.
    pub ledger: Arc<dyn Ledger>,
    /// Issuer of tokens, the WeChat client.
    pub issuer: Arc<dyn Issuer>,
    /// Clock for expiry times.
    pub clock: Arc<dyn Clock>,
}

/// A running token service. Clones are the same service.
#[derive(Clone)]
pub struct TokenService(Arc<KeeperRegistry>);

impl TokenService {
    /// Replaces the accounts: starts and stops keepers, and replaces the keeper of changed
    /// credentials by one that verifies them at once. A fetch in progress is finished and stored
    /// first.
    pub async fn reload(&self, accounts: Vec<Account>) -> AccountChanges {
        let changes = self.0.replace_accounts(accounts).await;
        if !changes.is_empty() {
            let AccountChanges { added, changed, removed } = &changes;
            tracing::info!(?added, ?changed, ?removed, "accounts changed");
        }
        changes
    }

    /// True if the account has a keeper.
    pub fn keeps(&self, account: &str) -> bool {
        self.0.store(account).is_some()
    }
}

/// Starts the keepers of these accounts. On the soft stop each finishes its fetch, stores the token
/// and releases its lease.
pub fn start(
    settings: Settings,
    accounts: Vec<Account>,
    ports: Ports,
    tasks: &Tasks,
) -> TokenService {
    let ledger = ports.ledger.clone();
    let registry = Arc::new(KeeperRegistry::new(settings, ports, tasks.clone()));
    for account in accounts {
        registry.start_keeper(account, false);
    }
    let reports = reports::run(ledger, registry.clone(), tasks.stop().clone());
    tasks.spawn_essential("refused tokens", reports);
    TokenService(registry)
}
