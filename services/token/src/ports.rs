//! Ports that the token service is given.

use crate::fetching::Issuer;
use paihao_cache::Cache;
use paihao_chassis::clock::Clock;
use paihao_chassis::sealing::Keyring;
use paihao_ledger::Ledger;
use std::sync::Arc;

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
    /// Operator's keys, which open the secrets of added accounts; `None` without any.
    pub keyring: Option<Arc<Keyring>>,
}
