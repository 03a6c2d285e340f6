//! Checks how people log in, `[login]`, and who is believed where a request comes from.

use super::Config;
use paihao_chassis::config::Problems;
use paihao_gateway::book::setup::refuse_unknown;
use paihao_gateway::callers::Range;
use paihao_gateway::login::settings::LoginSettings;
use std::time::Duration;

impl Config {
    pub(super) fn login(&self, problems: &mut Problems) -> LoginSettings {
        let login = &self.login;
        let public = self.gateway.public.trim_end_matches('/');
        let mut hours = |key: &str, hours: u64, most: u64| {
            if !(1..=most).contains(&hours) {
                let key = format!("login.{key}");
                problems.refuse(&key, format!("{hours} hours"), format!("use 1 to {most}"));
            }
            Duration::from_secs(hours.saturating_mul(3600))
        };
        let (idle, longest) = (
            hours("idle_hours", login.idle_hours, 720),
            hours("longest_hours", login.longest_hours, 720),
        );
        if !login.account.is_empty() && !self.accounts.contains_key(&login.account) {
            let known = self.accounts.keys();
            refuse_unknown("login.account", "account", &login.account, known, problems);
        }
        LoginSettings {
            public: (!public.is_empty()).then(|| public.to_owned()),
            account: match login.account.is_empty() {
                true => self.accounts.keys().next().cloned(),
                false => Some(login.account.clone()),
            },
            confirm: login.confirm,
            idle,
            longest,
        }
    }

    pub(super) fn trusted_proxies(&self, problems: &mut Problems) -> Vec<Range> {
        let read = |text: &String| {
            text.parse().map_err(|error: paihao_gateway::callers::NoRange| {
                let advice = "use something like [\"10.0.0.0/8\"]";
                problems.refuse("gateway.trusted_proxies", format!("{text:?}: {error}"), advice);
            })
        };
        self.gateway.trusted_proxies.iter().map(read).filter_map(Result::ok).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};

    #[test]
    fn what_cannot_be_is_refused() {
        let text = "[gateway]\ntrusted_proxies = ['10.0.0.0/8', 'proxy']\n[login]\nidle_hours = 0\naccount = 'nobody'\n";
        let error = Config::of_text("in x.toml", text).unwrap().check(Role::All).err().unwrap();
        let told = error.to_string();
        for key in ["gateway.trusted_proxies", "login.idle_hours", "login.account"] {
            assert!(told.contains(key), "{key}: {told}");
        }
        assert!(!told.contains("10.0.0.0/8\":"), "{told}");
    }
}
