//! Checks that real accounts and simulated ones do not meet: secrets that everybody knows are
//! refused where WeChat is real, and the simulator refuses accounts that are.

use super::{Account, Config, Mode, Role};
use paihao_chassis::config::{ConfigProblems, SecretText};
use url::Url;

/// Secrets of the samples and the demo, which anybody can read.
pub const PUBLISHED_SECRETS: [&str; 6] = [
    "0123456789abcdef0123456789abcdef",
    "simulated",
    "front-desk-of-the-demo",
    "everybodyCanReadThisKeyOfThePaihaoSampleXYZ",
    "ledger-of-the-demo",
    "cache-of-the-demo",
];

/// Fewest characters of a callback token that nobody guesses. WeChat takes 3 to 32.
pub const MIN_TOKEN_CHARS: usize = 16;

/// Domains of WeChat's API.
const WECHAT_DOMAINS: [&str; 2] = ["weixin.qq.com", "wechat.com"];

fn is_published(secret: &SecretText) -> bool {
    PUBLISHED_SECRETS.contains(&secret.expose())
}

impl Config {
    /// Accounts at WeChat itself whose callback token is short.
    pub fn accounts_with_short_token(&self) -> impl Iterator<Item = &str> {
        let is_real = self.calls_real_wechat();
        let is_short = move |account: &Account| {
            is_real && account.callback_token.expose().len() < MIN_TOKEN_CHARS
        };
        let accounts = self.accounts.iter().filter(move |(_, account)| is_short(account));
        accounts.map(|(name, _)| name.as_str())
    }

    /// Ids of the sites of an account.
    pub fn sites_of<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a str> {
        let sites = self.sites.iter().filter(move |(_, site)| site.account == account);
        sites.map(|(name, _)| name.as_str())
    }

    /// What works, and should not stay as it is.
    pub fn warnings(&self) -> Vec<String> {
        let short = self.accounts_with_short_token().map(|name| {
            format!(
                "accounts.{name}.callback_token is shorter than {MIN_TOKEN_CHARS} characters and can be guessed; \
                 a new account with such a token is refused at the start: use 32 letters and digits"
            )
        });
        let is_real = self.calls_real_wechat();
        let plain = self
            .accounts
            .iter()
            .filter(|(_, account)| is_real && account.mode == Mode::Plain)
            .map(|(name, _)| {
                format!(
                    "accounts.{name}.mode is \"plain\", in which WeChat signs no content: use \"secure\""
                )
            });
        let elsewhere = self.accounts_elsewhere().into_iter().map(|(key, name)| {
            format!(
                "{key} names the account {name:?}, which is not in the file: it has to be one that is added on \
                 the manager's page"
            )
        });
        short.chain(plain).chain(elsewhere).collect()
    }

    /// Accounts that are named and not in the file, with the keys that name them. An account that
    /// is added on the manager's page can be named, and no file tells which those are.
    pub(crate) fn accounts_elsewhere(&self) -> Vec<(String, String)> {
        let sites =
            self.sites.iter().map(|(id, site)| (format!("sites.{id}.account"), &site.account));
        let clients = self.login.clients.iter();
        let clients =
            clients.map(|(id, client)| (format!("login.clients.{id}.account"), &client.account));
        let keys = self.token.server.keys.iter().flat_map(|(id, key)| {
            let at = format!("token.server.keys.{id}.accounts");
            key.accounts.iter().map(move |name| (at.clone(), name))
        });
        let login = [("login.account".to_owned(), &self.login.account)];
        let named = sites.chain(clients).chain(keys).chain(login);
        named
            .filter(|(_, name)| !name.is_empty() && !self.accounts.contains_key(*name))
            .map(|(key, name)| (key, name.clone()))
            .collect()
    }

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
            check(format!("accounts.{name}.aes_key"), account.aes_key.as_ref());
        }
        check("ledger.password".to_owned(), self.ledger.password.as_ref());
        check("cache.password".to_owned(), self.cache.password.as_ref());
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
            mode = 'plain'
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
        let [secret, token, key, aes_key, ledger, cache] = PUBLISHED_SECRETS;
        let own = ["ff23456789abcdef0123456789abcdef", "token1", "key-of-our-own-desk"];
        assert_eq!(problems(Role::All, "", own[0], own[1], own[2]), "");
        for (found, refused) in [
            (problems(Role::All, "", secret, own[1], own[2]), "accounts.shop.secret"),
            (problems(Role::All, "", own[0], token, own[2]), "accounts.shop.callback_token"),
            (problems(Role::All, "", own[0], own[1], key), "staff.desk.key"),
        ] {
            assert!(found.contains(refused) && found.contains("samples"), "{refused}: {found}");
        }
        let with_aes_key = format!("token1'\naes_key = '{aes_key}");
        let found = problems(Role::All, "", own[0], &with_aes_key, own[2]);
        assert!(found.contains("accounts.shop.aes_key") && found.contains("samples"), "{found}");
        let stores = format!(
            "[ledger]\nuser = 'paihao'\npassword = '{ledger}'\n[cache]\npassword = '{cache}'\n"
        );
        let found = problems(Role::All, &stores, own[0], own[1], own[2]);
        for refused in ["ledger.password", "cache.password"] {
            assert!(found.contains(refused) && found.contains("samples"), "{refused}: {found}");
        }
        assert_eq!(problems(Role::All, SIMULATED, secret, token, key), "");
        let fallback = SIMULATED.replace("8090/", "8090/,https://api2.weixin.qq.com/");
        assert_ne!(problems(Role::All, &fallback, secret, token, key), "");
    }

    #[test]
    fn the_simulator_refuses_accounts_that_are_real() {
        let [secret, token, key, ..] = PUBLISHED_SECRETS;
        let real = "ff23456789abcdef0123456789abcdef";
        let found = problems(Role::Sim, "", real, token, key);
        assert!(found.contains("accounts.shop.secret") && !found.contains(real), "{found}");
        assert_eq!(problems(Role::Sim, "", secret, token, key), "", "the sample of the simulator");
        assert_eq!(problems(Role::Sim, SIMULATED, real, token, key), "", "it is named as one");
    }

    #[test]
    fn a_short_token_and_plain_mode_are_warned_of_where_wechat_is_real() {
        let long = "a".repeat(16);
        let short = "a".repeat(15);
        let warnings = |wechat: &str, token: &str, mode: &str| {
            let text = format!(
                "{wechat}
                [accounts.shop]
                appid = 'wx1'
                secret = 'abcdefgh'
                callback_token = '{token}'
                mode = '{mode}'
                "
            );
            Config::from_text("in x.toml", &text).unwrap().warnings()
        };
        assert_eq!(warnings("", &long, "secure"), [""; 0]);
        assert_eq!(warnings(SIMULATED, &short, "plain"), [""; 0]);
        let both = warnings("", &short, "plain");
        for (warning, key) in both.iter().zip(["callback_token", "mode"]) {
            assert!(warning.starts_with(&format!("accounts.shop.{key} is ")), "{warning}");
        }
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn names_of_accounts_that_the_file_has_not_are_warned_of() {
        let text = "
            [accounts.shop]
            appid = 'wx1'
            secret = 'abcdefgh'
            callback_token = 'atokenofthetests'
            [gateway]
            public = 'https://queue.example.com'
            trusted_proxies = ['10.0.0.1']
            [login]
            account = 'shop'
            [login.clients.x]
            name = 'X'
            redirects = ['https://x.example.com/']
            account = 'clinic'
            [token.server]
            listen = '127.0.0.1:1'
            [token.server.keys.crm]
            key = 'a-key-of-the-tests-alone-24'
            accounts = ['shop', 'clinic']
            [sites.hall]
            account = 'salon'
            name = '大厅'
            ";
        let config = Config::from_text("in x.toml", text).unwrap();
        let keys = config.accounts_elsewhere();
        let keys: Vec<_> = keys.iter().map(|(key, name)| (&**key, &**name)).collect();
        assert_eq!(
            keys,
            [
                ("sites.hall.account", "salon"),
                ("login.clients.x.account", "clinic"),
                ("token.server.keys.crm.accounts", "clinic"),
            ]
        );
        let told = config.warnings();
        assert_eq!(told.iter().filter(|warning| warning.contains("manager's page")).count(), 3);
        let unset = text.replace("account = 'salon'", "account = ''");
        let refused = Config::from_text("in x.toml", &unset).unwrap().resolve(Role::All);
        assert!(refused.err().unwrap().to_string().contains("sites.hall.account"));
    }
}
