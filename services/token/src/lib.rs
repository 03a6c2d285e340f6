//! The token service: the only one that fetches access tokens, one per account among all replicas.
//!
//! Each account has a keeper in every replica. One of them holds the account's lease and keeps the
//! stored token fresh; the others stand by. Everybody else reads the stored token and reports one
//! that WeChat refused.
//!
//! In reading order: [`decide`] says what to do now, as a pure function; `keeper` does it under
//! the lease; `store` writes so that a slow former holder cannot overwrite; `reports` takes in
//! what was refused.

pub mod decide;

mod fetching;
mod keeper;
mod reports;
mod store;

pub use decide::Channel;
pub use fetching::Issuer;

use decide::Rules;
use keeper::{Desk, Keeper};
use paihao_cache::Cache;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_ledger::Ledger;
use paihao_wechat::{AppId, AppSecret};
use reports::Reports;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// An Official Account whose token is kept.
#[derive(Debug, Clone)]
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

/// Starts the keepers of these accounts. On the soft stop each finishes the fetch it is at, stores
/// it and gives its lease up.
pub fn start(settings: Settings, accounts: Vec<Account>, ports: Ports, tasks: &Tasks) {
    let Ports { cache, ledger, issuer, clock } = ports;
    let holder = entropy::token(12);
    let desk = Arc::new(Desk::default());
    let mut stores = HashMap::new();
    for account in accounts {
        let store = Store::new(cache.clone(), clock.clone(), &account.name);
        stores.insert(account.name.clone(), store.clone());
        let rules = match account.channel {
            Channel::Stable => Rules::stable(settings.stable_ahead),
            Channel::Classic => Rules::classic(settings.classic_ahead),
        };
        let keeper = Keeper {
            rules,
            store,
            cache: cache.clone(),
            issuer: issuer.clone(),
            clock: clock.clone(),
            desk: desk.clone(),
            holder: holder.clone(),
            lease: settings.lease,
            stop: tasks.stop().clone(),
            account: account.clone(),
        };
        tasks.spawn_essential(&format!("keeper {}", account.name), keeper.run());
    }
    let reports = Reports { ledger, desk, stores, stop: tasks.stop().clone() };
    tasks.spawn_essential("refused tokens", reports.run());
}
