//! Settings of the notifier.

use paihao_chassis::sealing::Keyring;
use paihao_contracts::settings::Wording;
use paihao_notice_text::AccountPolicies;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a notifier.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most notices of one account in progress at once, per replica.
    pub in_flight: usize,
    /// Channel policies and templates by account name.
    pub accounts: BTreeMap<String, AccountPolicies>,
    /// Texts of a site that override its account's, by site id and notice kind.
    pub wording: BTreeMap<String, BTreeMap<String, Wording>>,
    /// Intervals of the account checks.
    pub account_checks: AccountCheckIntervals,
    /// Keys that open the deployment's secret, if it is sealed.
    pub keyring: Option<Arc<Keyring>>,
    /// True if people have keyed tags in the cache, which programs of before do not find.
    pub keyed_tags: bool,
    /// Public base URL of the gateway, without a trailing slash. Without it messages have no link.
    pub public_url: Option<String>,
}

/// Intervals of the account checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountCheckIntervals {
    /// Interval between comparisons of the bound templates with the account's own.
    pub bindings_interval: Duration,
    /// Interval between reads of the daily API quotas. Zero disables them.
    pub quotas_interval: Duration,
}

impl Default for AccountCheckIntervals {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        AccountCheckIntervals { bindings_interval: 6 * hour, quotas_interval: hour }
    }
}
