//! Keys of the token server: the accounts that each opens, and its rate limit.

use super::{ServerSettings, problems};
use paihao_http_api::Problem;
use paihao_wechat::traffic::RateLimiter;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

const RATE_WINDOW: Duration = Duration::from_secs(60);

/// Key of one calling system. Its `Debug` output lacks the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerKey {
    /// Name of the caller in logs and metrics.
    name: String,
    /// SHA-256 of the key, which itself is not stored.
    digest: [u8; 32],
    accounts: BTreeSet<String>,
}

impl ServerKey {
    /// A key that opens these accounts, with the name of its caller.
    pub fn new(name: &str, key: &str, accounts: BTreeSet<String>) -> Self {
        ServerKey { name: name.to_owned(), digest: digest(key), accounts }
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey").field("name", &self.name).finish_non_exhaustive()
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Keys with their rate limits.
pub(super) struct Keys {
    settings: ServerSettings,
    rates: Mutex<HashMap<String, RateLimiter>>,
}

impl Keys {
    pub(super) fn new(settings: ServerSettings) -> Self {
        Keys { settings, rates: Mutex::default() }
    }

    /// Replaces the keys. A key that stays keeps the rest of its rate.
    pub(super) fn replace(&mut self, settings: ServerSettings) {
        let rates = self.rates.get_mut();
        if settings.per_minute == self.settings.per_minute {
            rates.retain(|name, _| settings.keys.iter().any(|key| key.name == *name));
        } else {
            rates.clear();
        }
        self.settings = settings;
    }

    /// Admits a request with this key for an account, unless the key is unknown, has used up its
    /// rate or does not open the account. Counts the outcome.
    pub(super) fn admit(
        &self,
        bearer: Option<&str>,
        account: &str,
        now: Duration,
    ) -> Result<(), Problem> {
        let Some(key) = self.find_key(bearer.unwrap_or_default()) else {
            return Err(Problem::new(&problems::UNAUTHORISED));
        };
        let wait = {
            let mut rates = self.rates.lock();
            let rate = rates
                .entry(key.name.clone())
                .or_insert_with(|| RateLimiter::new(self.settings.per_minute, RATE_WINDOW));
            let wait = rate.delay(now);
            if wait.is_zero() {
                rate.reserve(now);
            }
            wait
        };
        let count = |outcome: &'static str| {
            let name = key.name.clone();
            metrics::counter!("paihao_token_server_requests_total", "key" => name, "outcome" => outcome)
                .increment(1);
        };
        if !wait.is_zero() {
            count("too_often");
            return Err(Problem::new(&problems::TOO_OFTEN).with_retry_after(wait));
        }
        if !key.accounts.contains(account) {
            count("not_its_account");
            return Err(Problem::new(&problems::NOT_YOUR_ACCOUNT));
        }
        count("admitted");
        Ok(())
    }

    /// Finds a key by comparing with every one, so that the time taken says nothing about any.
    fn find_key(&self, bearer: &str) -> Option<&ServerKey> {
        let digest = digest(bearer);
        let mut found = u64::MAX;
        for (index, key) in self.settings.keys.iter().enumerate() {
            let same: Choice = key.digest[..].ct_eq(&digest[..]);
            found = u64::conditional_select(&found, &(index as u64), same);
        }
        usize::try_from(found).ok().and_then(|index| self.settings.keys.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(per_minute: u32) -> ServerSettings {
        let opens = |accounts: &[&str]| accounts.iter().map(ToString::to_string).collect();
        ServerSettings {
            keys: vec![
                ServerKey::new("crm", "the-key-of-the-crm-system", opens(&["shop"])),
                ServerKey::new("web", "the-key-of-the-web-site", opens(&["shop", "clinic"])),
            ],
            per_minute,
        }
    }

    fn code(admitted: Result<(), Problem>) -> &'static str {
        admitted.map_or_else(|problem| problem.kind().code, |()| "admitted")
    }

    #[test]
    fn a_key_opens_its_own_accounts_and_nothing_else_does() {
        let keys = Keys::new(settings(0));
        let ask = |bearer, account| code(keys.admit(bearer, account, RATE_WINDOW));
        assert_eq!(ask(Some("the-key-of-the-crm-system"), "shop"), "admitted");
        assert_eq!(ask(Some("the-key-of-the-crm-system"), "clinic"), "not_your_account");
        assert_eq!(ask(Some("the-key-of-the-web-site"), "clinic"), "admitted");
        for wrong in [None, Some(""), Some("the-key-of-the-crm-syste"), Some("crm")] {
            assert_eq!(ask(wrong, "shop"), "unauthorised", "{wrong:?}");
        }
        let none = Keys::new(ServerSettings { keys: Vec::new(), per_minute: 0 });
        assert_eq!(code(none.admit(Some(""), "shop", RATE_WINDOW)), "unauthorised");
    }

    #[test]
    fn each_key_has_its_own_minute() {
        let mut keys = Keys::new(settings(2));
        let crm = Some("the-key-of-the-crm-system");
        let web = Some("the-key-of-the-web-site");
        let codes: Vec<_> = (0..3).map(|_| code(keys.admit(crm, "shop", RATE_WINDOW))).collect();
        assert_eq!(codes, ["admitted", "admitted", "too_many_requests"]);
        assert_eq!(code(keys.admit(web, "shop", RATE_WINDOW)), "admitted");
        keys.replace(settings(2));
        assert_eq!(
            code(keys.admit(crm, "shop", RATE_WINDOW)),
            "too_many_requests",
            "also after a reload"
        );
        assert_eq!(code(keys.admit(crm, "shop", RATE_WINDOW + RATE_WINDOW / 2)), "admitted");
    }

    #[test]
    fn a_key_does_not_print() {
        let shown = format!("{:?}", settings(1));
        assert!(shown.contains("crm") && !shown.contains("the-key"), "{shown}");
    }
}
