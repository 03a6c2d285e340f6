//! Ports of the notifier: its stores, WeChat and the clock.

use paihao_cache::Cache;
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::{self, Form, NewerForm, ReadError};
use paihao_ledger::Ledger;
use paihao_wechat::AccountClient;
use std::sync::Arc;

/// Ports of a notifier.
#[derive(Clone)]
pub struct Ports {
    /// Message store.
    pub ledger: Arc<dyn Ledger>,
    /// Cache for planned orders, send windows and the sent index.
    pub cache: Arc<dyn Cache>,
    /// WeChat API client that obtains access tokens by itself.
    pub wechat: AccountClient,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Failure of the ledger or the cache.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The store did not answer.
    Unavailable(String),
    /// A newer program wrote the value.
    Newer(NewerForm),
}

impl From<paihao_ledger::Unavailable> for StoreError {
    fn from(error: paihao_ledger::Unavailable) -> Self {
        StoreError::Unavailable(error.to_string())
    }
}

impl From<paihao_cache::Unavailable> for StoreError {
    fn from(error: paihao_cache::Unavailable) -> Self {
        StoreError::Unavailable(error.to_string())
    }
}

impl From<NewerForm> for StoreError {
    fn from(newer: NewerForm) -> Self {
        StoreError::Newer(newer)
    }
}

/// Reads a stored value. `None` if no program can read it.
pub(crate) fn read_stored<T: Form>(stored: &[u8]) -> Result<Option<T>, NewerForm> {
    match envelope::decode(stored) {
        Ok(value) => Ok(Some(value)),
        Err(ReadError::Newer(newer)) => Err(newer),
        Err(ReadError::Malformed(error)) => {
            tracing::error!(%error, "cannot decode a stored value");
            Ok(None)
        }
    }
}
