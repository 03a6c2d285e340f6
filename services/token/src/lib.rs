//! The token service: the only one that fetches access tokens, one per account among all replicas.
//!
//! Each account has a keeper in every replica. One of them holds the account's lease and keeps the
//! stored token fresh; the others stand by. Everybody else reads the stored token and reports one
//! that WeChat refused.
//!
//! In reading order: [`decide`] says what to do now, as a pure function; `keeper` does it under
//! the lease and `alarm` says what somebody has to act on; `store` writes so that a slow former
//! holder cannot overwrite; `reports` takes in what was refused; `roster` starts keepers, and starts
//! them anew when credentials change; [`server`] hands tokens to the owner's other systems.

pub mod decide;

mod alarm;
mod fetching;
mod keeper;
mod reports;
mod roster;
mod store;

pub mod server;

pub use decide::Channel;
pub use fetching::Issuer;
pub use roster::Changes;

use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::{AppId, AppSecret};
use roster::Roster;
use std::sync::Arc;
use std::time::Duration;

/// An Official Account whose token is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Our name of it, which stands in keys, logs and metrics.
    pub name: String,
    /// WeChat's id of it.
    pub app: AppId,
    /// With which its token is fetched.
    pub secret: AppSecret,
    /// From which of WeChat's two channels.
    pub channel: Channel,
}

/// What can be set about the token service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long after a keeper's death another takes over; 15 s by default.
    pub lease: Duration,
    /// How long before its end a token of the stable channel is replaced; 250 s by default, and
    /// pointless at 300 s or more, because until then WeChat gives out the same one again.
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

/// What the token service stands on.
pub struct Ports {
    /// Where tokens are stored and leases taken.
    pub cache: Arc<dyn Cache>,
    /// Where refused tokens are reported.
    pub ledger: Arc<dyn Ledger>,
    /// Who issues tokens: WeChat's client.
    pub issuer: Arc<dyn Issuer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A running token service. Clones are the same service.
#[derive(Clone)]
pub struct TokenService(Arc<Roster>);

impl TokenService {
    /// Keeps these accounts from now on: what is new is begun with, what is gone is left, and where
    /// the credentials changed, the keeper is replaced by one that proves the new ones at once.
    /// Nobody's lease is broken for it: a fetch under way is finished and stored first.
    pub async fn reload(&self, accounts: Vec<Account>) -> Changes {
        let changes = self.0.change(accounts).await;
        if !changes.is_empty() {
            let Changes { added, changed, removed } = &changes;
            tracing::info!(?added, ?changed, ?removed, "the accounts changed");
        }
        changes
    }

    /// Whether this account is kept.
    pub fn keeps(&self, account: &str) -> bool {
        self.0.store(account).is_some()
    }
}

/// Starts the keepers of these accounts. On the soft stop each finishes the fetch it is at, stores
/// it and gives its lease up.
pub fn start(
    settings: Settings,
    accounts: Vec<Account>,
    ports: Ports,
    tasks: &Tasks,
) -> TokenService {
    let ledger = ports.ledger.clone();
    let roster = Arc::new(Roster::new(settings, ports, tasks.clone()));
    for account in accounts {
        roster.add(account, false);
    }
    let reports = reports::run(ledger, roster.clone(), tasks.stop().clone());
    tasks.spawn_essential("refused tokens", reports);
    TokenService(roster)
}
