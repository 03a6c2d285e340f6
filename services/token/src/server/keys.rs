//! Who may ask for tokens: keys, the accounts that each opens, and how often.

use super::ServerSettings;
use super::refusals::{self, Problem};
use paihao_wechat::traffic::RateLimiter;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

const MINUTE: Duration = Duration::from_secs(60);

/// One caller. Prints without the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerKey {
    /// What it is called in logs and metrics.
    name: String,
    /// Of the key: the key itself is not kept.
    digest: [u8; 32],
    accounts: BTreeSet<String>,
}

impl ServerKey {
    /// A caller of this name, whose key opens these accounts.
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

pub(super) struct Keys {
    settings: ServerSettings,
    rates: Mutex<HashMap<String, RateLimiter>>,
}

impl Keys {
    pub(super) fn new(settings: ServerSettings) -> Self {
        Keys { settings, rates: Mutex::default() }
    }

    pub(super) fn replace(&mut self, settings: ServerSettings) {
        let rates = self.rates.get_mut();
        match settings.per_minute == self.settings.per_minute {
            true => rates.retain(|name, _| settings.keys.iter().any(|key| key.name == *name)),
            false => rates.clear(),
        }
        self.settings = settings;
    }

    /// Whether whoever holds this key may ask for this account now.
    pub(super) fn admit(
        &self,
        bearer: Option<&str>,
        account: &str,
        now: Duration,
    ) -> Result<(), Problem> {
        let Some(key) = self.holder(bearer.unwrap_or_default()) else {
            return Err(Problem::of(&refusals::UNAUTHORISED));
        };
        let wait = {
            let mut rates = self.rates.lock();
            let rate = rates
                .entry(key.name.clone())
                .or_insert_with(|| RateLimiter::new(self.settings.per_minute, MINUTE));
            let wait = rate.delay(now);
            if wait.is_zero() {
                rate.reserve(now);
            }
            wait
        };
        let counted = |outcome: &'static str| {
            let name = key.name.clone();
            metrics::counter!("paihao_token_server_requests_total", "key" => name, "outcome" => outcome)
                .increment(1);
        };
        if !wait.is_zero() {
            counted("too_often");
            return Err(Problem::of(&refusals::TOO_OFTEN).after(wait));
        }
        if !key.accounts.contains(account) {
            counted("not_its_account");
            return Err(Problem::of(&refusals::NOT_YOUR_ACCOUNT));
        }
        counted("admitted");
        Ok(())
    }

    /// Compares with every key, so that the time it takes says nothing about any.
    fn holder(&self, bearer: &str) -> Option<&ServerKey> {
        let given = digest(bearer);
        let mut found = u64::MAX;
        for (place, key) in self.settings.keys.iter().enumerate() {
            let same: Choice = key.digest[..].ct_eq(&given[..]);
            found = u64::conditional_select(&found, &(place as u64), same);
        }
        usize::try_from(found).ok().and_then(|place| self.settings.keys.get(place))
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
        admitted.map_or_else(|problem| problem.code(), |()| "admitted")
    }

    #[test]
    fn a_key_opens_its_own_accounts_and_nothing_else_does() {
        let keys = Keys::new(settings(0));
        let ask = |bearer, account| code(keys.admit(bearer, account, MINUTE));
        assert_eq!(ask(Some("the-key-of-the-crm-system"), "shop"), "admitted");
        assert_eq!(ask(Some("the-key-of-the-crm-system"), "clinic"), "not_your_account");
        assert_eq!(ask(Some("the-key-of-the-web-site"), "clinic"), "admitted");
        for wrong in [None, Some(""), Some("the-key-of-the-crm-syste"), Some("crm")] {
            assert_eq!(ask(wrong, "shop"), "unauthorised", "{wrong:?}");
        }
        let none = Keys::new(ServerSettings { keys: Vec::new(), per_minute: 0 });
        assert_eq!(code(none.admit(Some(""), "shop", MINUTE)), "unauthorised");
    }

    #[test]
    fn each_key_has_its_own_minute() {
        let mut keys = Keys::new(settings(2));
        let (crm, web) = (Some("the-key-of-the-crm-system"), Some("the-key-of-the-web-site"));
        let asked: Vec<_> = (0..3).map(|_| code(keys.admit(crm, "shop", MINUTE))).collect();
        assert_eq!(asked, ["admitted", "admitted", "too_many_requests"]);
        assert_eq!(code(keys.admit(web, "shop", MINUTE)), "admitted");
        keys.replace(settings(2));
        assert_eq!(
            code(keys.admit(crm, "shop", MINUTE)),
            "too_many_requests",
            "also after a reload"
        );
        assert_eq!(code(keys.admit(crm, "shop", MINUTE + MINUTE / 2)), "admitted");
    }

    #[test]
    fn a_key_does_not_print() {
        let shown = format!("{:?}", settings(1));
        assert!(shown.contains("crm") && !shown.contains("the-key"), "{shown}");
    }
}
