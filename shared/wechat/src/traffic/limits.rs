//! What is allowed: by call, with other figures for single accounts where need be.

use super::breaker::BreakerRules;
use crate::api::Api;
use std::collections::BTreeMap;
use std::time::Duration;

/// How much a call is worth: what is worth less stops first when a day's budget runs low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallPriority {
    /// Nice to have: a code for the pool, an early warning.
    Low,
    /// The usual.
    Normal,
    /// Somebody stands there and waits for it: "your number is called".
    High,
}

/// The limits of one call. In each, 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls on their way at once.
    pub in_flight: usize,
    /// Calls a second, evenly spread; a second's worth at once after a pause.
    pub per_second: u32,
    /// Calls a day, from midnight in Beijing to the next. Counted by this process alone, until
    /// WeChat's own figure is asked for.
    pub per_day: u64,
    /// Another reserve than that of all calls, in percent: 0 to 50.
    pub reserve_percent: Option<u64>,
}

/// What is allowed to all accounts of a process, each for itself.
#[derive(Debug, Clone)]
pub struct Limits {
    /// By call; the token endpoints are not here, because their service keeps its own measure.
    pub apis: BTreeMap<Api, Limit>,
    /// Other figures for single accounts.
    pub accounts: BTreeMap<String, BTreeMap<Api, Limit>>,
    /// Percent of a day's calls that only those of high value may use; from those of low value the
    /// double is kept. 0 to 50; 10 by default.
    pub reserve_percent: u64,
    /// The longest that a call waits here for its turn; 1 s by default.
    pub max_wait: Duration,
    /// When to stop calling for a while.
    pub breaker: BreakerRules,
    /// After WeChat has said that a day's calls are used up, how often one call looks whether that
    /// was cleared; 30 min by default.
    pub quota_probe_interval: Duration,
}

impl Limits {
    /// The limits of one call of one account; a call without figures has none.
    pub fn for_api(&self, account: &str, api: Api) -> Limit {
        let own = self.accounts.get(account).and_then(|apis| apis.get(&api));
        let none = Limit { in_flight: 0, per_second: 0, per_day: 0, reserve_percent: None };
        own.or_else(|| self.apis.get(&api)).copied().unwrap_or(none)
    }
}

impl Default for Limits {
    /// WeChat's daily caps for a new account; fewer connections than those at which it has been
    /// seen to answer "busy".
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
            (Api::ExchangeCode, limit(64, 800, 0)),
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
