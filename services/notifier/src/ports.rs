//! Ports of the notifier: its stores, WeChat and the clock.

use paihao_cache::Cache;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::AccountClient;
use std::sync::Arc;

/// Ports of a notifier.
#[derive(Clone)]
pub struct Ports {
    /// Message store.
    pub ledger: Arc<dyn Ledger>,
    /// Cache for ticket orders, attempt leases, send windows and the sent index.
    pub cache: Arc<dyn Cache>,
    /// WeChat API client that obtains access tokens by itself.
    pub wechat: AccountClient,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
}

/// The ledger or the cache did not answer.
pub(crate) struct StoreUnavailable(pub(crate) String);

impl From<paihao_ledger::Unavailable> for StoreUnavailable {
    fn from(error: paihao_ledger::Unavailable) -> Self {
        StoreUnavailable(error.to_string())
    }
}

impl From<paihao_cache::Unavailable> for StoreUnavailable {
    fn from(error: paihao_cache::Unavailable) -> Self {
        StoreUnavailable(error.to_string())
    }
}
