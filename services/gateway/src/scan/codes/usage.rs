//! Use of WeChat's limits on codes: permanent ones ever, and calls a day.

use super::permanent::{MAX_PERMANENT_CODES, PermanentCodes};
use super::pool::Pools;
use super::source::{CodeSource, DailyCallUsage};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Shortest interval between requests for WeChat's own count: each of them is a call, too.
const QUOTA_REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// Usage of an account's codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QrUsage {
    /// Permanent codes of queues.
    pub permanent: PermanentCodeUsage,
    /// Calls that created codes of either kind since midnight in Beijing.
    pub today: DailyCallUsage,
    /// Number of codes that this replica has ready.
    pub ready: usize,
}

/// Usage of permanent codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PermanentCodeUsage {
    /// Number of codes in the settings log; another system with the same account may have more.
    pub made: u64,
    /// Largest number that WeChat creates for an account, ever.
    pub cap: u64,
}

/// Reader of the use of WeChat's limits.
pub struct QrUsageReader {
    source: Arc<dyn CodeSource>,
    permanent_codes: Arc<PermanentCodes>,
    pools: Arc<Pools>,
    quota_cache: Mutex<HashMap<String, (Instant, DailyCallUsage)>>,
}

impl QrUsageReader {
    /// Creates a reader for these sources of codes.
    pub fn new(
        source: Arc<dyn CodeSource>,
        permanent_codes: Arc<PermanentCodes>,
        pools: Arc<Pools>,
    ) -> QrUsageReader {
        QrUsageReader { source, permanent_codes, pools, quota_cache: Mutex::default() }
    }

    /// Returns the use of an account, by its name and its appid.
    pub async fn for_account(&self, account: &str, appid: &str) -> QrUsage {
        let permanent = PermanentCodeUsage {
            made: self.permanent_codes.count(account, appid),
            cap: MAX_PERMANENT_CODES,
        };
        QrUsage {
            permanent,
            today: self.usage_today(account).await,
            ready: self.pools.ready_count(account),
        }
    }

    async fn usage_today(&self, account: &str) -> DailyCallUsage {
        let cached = self.quota_cache.lock().get(account).cloned();
        if let Some((read_at, today)) = cached
            && read_at.elapsed() < QUOTA_REFRESH_INTERVAL
        {
            return today;
        }
        let today = self.source.usage_today(account).await;
        self.quota_cache.lock().insert(account.to_owned(), (Instant::now(), today.clone()));
        today
    }
}
