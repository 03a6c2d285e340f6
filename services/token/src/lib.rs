//! Token service: fetches access tokens, in one replica at a time for each account.
//!
//! Each account has a keeper in every replica. One of them holds the account's lease and refreshes
//! the stored token; the others wait for the lease. Other services read the stored token and report
//! one that WeChat refused.
//!
//! In reading order: [`decide`] is the decision of a keeper, a pure function; `keeper` acts on it
//! under the lease and `alarm` reports failures that somebody has to correct, and
//! `failure_note` tells the owner; `store` writes so
//! that a slow former holder cannot overwrite; `reports` handles refused tokens; `accounts` is
//! the set of accounts, and `registry` starts keepers and replaces them when credentials change;
//! [`server`] serves tokens to the owner's other systems.

pub mod decide;

mod accounts;
mod alarm;
mod failure_note;
mod fetching;
mod keeper;
mod ports;
mod registry;
mod reports;
mod settings;
mod store;

pub mod server;

pub use decide::Channel;
pub use fetching::Issuer;
pub use ports::Ports;
pub use registry::AccountChanges;
pub use settings::{Account, Settings};

use accounts::AccountSet;
use paihao_chassis::Tasks;
use registry::KeeperRegistry;
use std::sync::Arc;

/// A running token service. Clones are the same service.
#[derive(Clone)]
pub struct TokenService {
    registry: Arc<KeeperRegistry>,
    accounts: Arc<AccountSet>,
}

impl TokenService {
    /// Replaces the accounts of the configuration: starts and stops keepers, and replaces the
    /// keeper of changed credentials by one that verifies them at once. A fetch in progress is
    /// finished and stored first.
    pub async fn reload(&self, accounts: Vec<Account>) -> AccountChanges {
        self.accounts.set_configured(accounts).await
    }

    /// True if the account has a keeper.
    pub fn keeps(&self, account: &str) -> bool {
        self.registry.store(account).is_some()
    }
}

/// Starts the keepers of these accounts, and of those that the settings log adds. On the soft stop
/// each finishes its fetch, stores the token and releases its lease.
pub fn start(
    settings: Settings,
    accounts: Vec<Account>,
    ports: Ports,
    tasks: &Tasks,
) -> TokenService {
    let ledger = ports.ledger.clone();
    let keyring = ports.keyring.clone();
    let registry = Arc::new(KeeperRegistry::new(settings, ports, tasks.clone()));
    for account in accounts.iter().cloned() {
        registry.start_keeper(account, false);
    }
    let accounts = Arc::new(AccountSet::new(registry.clone(), accounts));
    accounts::follow(accounts.clone(), keyring, ledger.clone(), tasks);
    let reports = reports::run(ledger, registry.clone(), tasks.stop().clone());
    tasks.spawn_essential("refused tokens", reports);
    TokenService { registry, accounts }
}
