//! Configured limits of calls: by API, with exceptions for single accounts.

use super::breaker::BreakerRules;
use crate::api::Api;
use std::collections::BTreeMap;
use std::time::Duration;

/// Priority of a call: lower ones stop first when a day's budget runs low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallPriority {
    /// Optional: a code for the pool, an early warning.
    Low,
    /// Usual.
    Normal,
    /// Urgent: a person waits for it, as for "your number is called".
    High,
}

/// Limits of one API. In each field 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Concurrent calls.
    pub in_flight: usize,
    /// Calls per second, evenly spread; after a pause a second's worth may start at once.
    pub per_second: u32,
    /// Calls per day, from midnight to midnight in Beijing. Counted by this process alone, until
    /// WeChat's own figure is requested.
    pub per_day: u64,
    /// Reserve of this API in place of the common one, in percent: 0 to 50.
    pub reserve_percent: Option<u64>,
}

/// Limits that apply to each account of a process separately.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Limits by API. The token APIs are absent, because their service has limits of its own.
    pub apis: BTreeMap<Api, Limit>,
    /// Exceptions for single accounts.
    pub accounts: BTreeMap<String, BTreeMap<Api, Limit>>,
    /// Percentage of a day's calls reserved for high priority; twice as much is closed to low
    /// priority. 0 to 50; 10 by default.
    pub reserve_percent: u64,
    /// Longest wait of a call for its turn; 1 s by default.
    pub max_wait: Duration,
    /// Parameters of the circuit breaker.
    pub breaker: BreakerRules,
    /// Interval at which one call probes, after WeChat has reported the day's quota as exhausted;
    /// 30 min by default.
    pub quota_probe_interval: Duration,
}

impl Limits {
    /// Limits of an API for an account; an API without figures has none.
    pub fn for_api(&self, account: &str, api: Api) -> Limit {
        let account_limit = self.accounts.get(account).and_then(|apis| apis.get(&api));
        let none = Limit { in_flight: 0, per_second: 0, per_day: 0, reserve_percent: None };
        account_limit.or_else(|| self.apis.get(&api)).copied().unwrap_or(none)
    }
}

impl Default for Limits {
    /// WeChat's daily quotas of a new account, and fewer connections than the number at which it
    /// has been seen to answer "busy".
    fn default() -> Self {
        let limit = |in_flight, per_second, per_day| Limit {
            in_flight,
            per_second,
            per_day,
            reserve_percent: None,
        };
        let apis = [
            (Api::CreateQr, limit(32, 500, 100_000)),
            (Api::SendTemplate, limit(128, 2_000, 100_000)),
            (Api::ListTemplates, limit(2, 5, 0)),
            (Api::SendSubscription, limit(128, 2_000, 0)),
            (Api::SendText, limit(128, 2_000, 500_000)),
            (Api::UserInfo, limit(32, 500, 500_000)),
            (Api::Followers, limit(1, 5, 500)),
            (Api::ChangeOpenIds, limit(4, 20, 0)),
            (Api::ExchangeCode, limit(64, 800, 0)),
            (Api::CreateMenu, limit(1, 2, 1_000)),
            (Api::GetMenu, limit(2, 5, 10_000)),
            (Api::DeleteMenu, limit(1, 2, 1_000)),
            (Api::ShownMenu, limit(2, 5, 0)),
            (Api::CallbackAddresses, limit(2, 5, 0)),
            (Api::GetQuota, limit(4, 20, 0)),
            (Api::ClearQuota, limit(1, 1, 0)),
            (Api::ClearQuotaBySecret, limit(1, 1, 0)),
        ];
        Limits {
            apis: apis.into(),
            accounts: BTreeMap::new(),
            reserve_percent: 10,
            max_wait: Duration::from_secs(1),
            breaker: BreakerRules::default(),
            quota_probe_interval: Duration::from_secs(1800),
        }
    }
}
