//! Checks that real accounts and simulated ones do not meet: secrets that everybody knows are
//! refused where WeChat is real, and the simulator refuses accounts that are.

use super::{Config, Role};
use paihao_chassis::config::{ConfigProblems, SecretText};
use url::Url;

/// Secrets of the samples and the demo, which anybody can read.
pub const PUBLISHED_SECRETS: [&str; 3] =
    ["0123456789abcdef0123456789abcdef", "simulated", "front-desk-of-the-demo"];

/// Domains of WeChat's API.
const WECHAT_DOMAINS: [&str; 2] = ["weixin.qq.com", "wechat.com"];

fn is_published(secret: &SecretText) -> bool {
    PUBLISHED_SECRETS.contains(&secret.expose())
}

impl Config {
    /// True if calls go to WeChat itself.
    fn calls_real_wechat(&self) -> bool {
        let is_real = |address: &str| {
            let url = Url::parse(address.trim()).ok();
            let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
            WECHAT_DOMAINS.iter().any(|domain| {
                host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        };
        self.wechat.api.split(',').any(is_real)
    }

    pub(super) fn check_published(&self, role: Role, problems: &mut ConfigProblems) {
        if !self.calls_real_wechat() {
            return;
        }
        if role == Role::Sim {
            for (name, account) in &self.accounts {
                if !is_published(&account.secret) {
                    let description = "the simulator would show it, and calls go to WeChat itself";
                    let advice = "name the simulator in wechat.api, as its other users do";
                    problems.add(&format!("accounts.{name}.secret"), description, advice);
                }
            }
            return;
        }
        let mut check = |key: String, secret: Option<&SecretText>| {
            if secret.is_some_and(is_published) {
                let description = "everybody can read it in the samples, and WeChat is real";
                problems.add(&key, description, "make one of your own");
            }
        };
        for (name, account) in &self.accounts {
            check(format!("accounts.{name}.secret"), Some(&account.secret));
            check(format!("accounts.{name}.callback_token"), Some(&account.callback_token));
            check(
                format!("accounts.{name}.former_callback_token"),
                account.former_callback_token.as_ref(),
            );
        }
        for (name, staff) in &self.staff {
            check(format!("staff.{name}.key"), Some(&staff.key));
        }
        for (name, key) in &self.token.server.keys {
            check(format!("token.server.keys.{name}.key"), Some(&key.key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PUBLISHED_SECRETS;
    use crate::config::{Config, Role};

    const SIMULATED: &str = "[wechat]\napi = 'http://sim:8090/'\n";

    fn problems(role: Role, wechat: &str, secret: &str, token: &str, key: &str) -> String {
        let text = format!(
            "{wechat}
            [accounts.shop]
            appid = 'wx1'
            secret = '{secret}'
            callback_token = '{token}'
            [staff.desk]
            key = '{key}'
            sites = []
            "
        );
        let config = Config::from_text("in x.toml", &text).unwrap();
        config.resolve(role).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn secrets_that_everybody_knows_are_refused_where_wechat_is_real() {
        let [secret, token, key] = PUBLISHED_SECRETS;
        let own = ["ff23456789abcdef0123456789abcdef", "token1", "key-of-our-own-desk"];
        assert_eq!(problems(Role::All, "", own[0], own[1], own[2]), "");
        for (found, refused) in [
            (problems(Role::All, "", secret, own[1], own[2]), "accounts.shop.secret"),
            (problems(Role::All, "", own[0], token, own[2]), "accounts.shop.callback_token"),
            (problems(Role::All, "", own[0], own[1], key), "staff.desk.key"),
        ] {
            assert!(found.contains(refused) && found.contains("samples"), "{refused}: {found}");
        }
        assert_eq!(problems(Role::All, SIMULATED, secret, token, key), "");
        let fallback = SIMULATED.replace("8090/", "8090/,https://api2.weixin.qq.com/");
        assert_ne!(problems(Role::All, &fallback, secret, token, key), "");
    }

    #[test]
    fn the_simulator_refuses_accounts_that_are_real() {
        let [secret, token, key] = PUBLISHED_SECRETS;
        let real = "ff23456789abcdef0123456789abcdef";
        let found = problems(Role::Sim, "", real, token, key);
        assert!(found.contains("accounts.shop.secret") && !found.contains(real), "{found}");
        assert_eq!(problems(Role::Sim, "", secret, token, key), "", "the sample of the simulator");
        assert_eq!(problems(Role::Sim, SIMULATED, real, token, key), "", "it is named as one");
    }
}
