//! Source of the MACs of records in the cache: the deployment's secret, from the roster.

use super::roster_log::RosterLog;
use crate::codec::record_mac::{RecordMac, RecordMacs};
use async_trait::async_trait;
use paihao_cache::Unavailable;
use std::sync::Arc;

/// Purpose of the key.
const PURPOSE: &str = "records in the cache";

/// Source of the MACs.
pub(crate) struct RosterMacs {
    pub(crate) roster: Arc<RosterLog>,
    /// True if every program that runs writes MACs.
    pub(crate) is_required: bool,
}

impl RosterMacs {
    /// Returns the key, once the secret is known.
    pub(crate) async fn key(&self) -> Result<RecordMac, Unavailable> {
        let roster = self.roster.loaded().await.map_err(|error| Unavailable(error.to_string()))?;
        let key = roster.encryption_key(PURPOSE);
        let key = key.ok_or_else(|| Unavailable("there is no secret yet".to_owned()))?;
        Ok(RecordMac::new(key, self.is_required))
    }
}

#[async_trait]
impl RecordMacs for RosterMacs {
    async fn current(&self) -> Result<RecordMac, Unavailable> {
        self.key().await
    }
}
