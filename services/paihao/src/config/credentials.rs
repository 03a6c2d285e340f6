//! Checks of identifiers and secrets that are copied from elsewhere: a blank or line feed that came
//! with them is sent as it is, and nothing works.

use super::{Account, Config, TokenChannel};
use paihao_chassis::config::{ConfigProblems, SecretText};
use paihao_chassis::sealing::Keyring;
pub(super) use paihao_gateway::settings::credentials::check_copied;
use std::collections::BTreeMap;

/// Checks the identifiers of an account; `at` is its key.
pub(super) fn check(at: &str, account: &Account, problems: &mut ConfigProblems) {
    check_copied(&format!("{at}.appid"), &account.appid, problems);
    let secrets = [
        ("secret", Some(&account.secret)),
        ("callback_token", Some(&account.callback_token)),
        ("former_callback_token", account.former_callback_token.as_ref()),
        ("aes_key", account.aes_key.as_ref()),
        ("former_aes_key", account.former_aes_key.as_ref()),
    ];
    for (key, secret) in secrets {
        if let Some(secret) = secret {
            check_copied(&format!("{at}.{key}"), secret.expose(), problems);
        }
    }
}

/// Checks a key that programs send in a header, where white space around it is lost.
pub(super) fn check_key(key: &str, secret: &SecretText, problems: &mut ConfigProblems) {
    if !secret.expose().is_empty() {
        check_copied(key, secret.expose(), problems);
    }
}

impl Config {
    /// Checks the operator's key.
    pub(super) fn check_operator_key(&self, problems: &mut ConfigProblems) {
        let keyring = self.secrets.key.as_ref().map(|key| Keyring::parse(key.expose()));
        if let Some(Err(error)) = keyring {
            let advice = "use a line as `paihao operator-key` prints it";
            problems.add("secrets.key", error.to_string(), advice);
        }
    }

    /// Refuses two accounts of one appid in the classic channel: each new token of one ends the
    /// other's.
    pub(super) fn check_appids(&self, problems: &mut ConfigProblems) {
        let mut first_of = BTreeMap::new();
        for (name, account) in &self.accounts {
            if account.token_channel != TokenChannel::Classic {
                continue;
            }
            if let Some(first) = first_of.insert(account.appid.trim(), name) {
                let description =
                    format!("the account {first} has it too, and each would end the other's token");
                let advice = "make them one account, or use token_channel = \"stable\" for both";
                problems.add(&format!("accounts.{name}.appid"), description, advice);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    /// Every identifier and secret, with a sound value.
    const VALUES: [(&str, &str); 13] = [
        ("accounts.shop.appid", "wx0123456789abcdef"),
        ("accounts.shop.secret", "0123456789abcdef"),
        ("accounts.shop.callback_token", "token1"),
        ("accounts.shop.former_callback_token", "token0"),
        ("accounts.shop.aes_key", KEY),
        ("accounts.shop.former_aes_key", KEY),
        ("accounts.shop.called.template_id", "T-1_x"),
        ("accounts.shop.called.subscription.template_id", "S-1_x"),
        ("accounts.shop.missed.template_id", "T-1_x"),
        ("accounts.shop.progress.template_id", "T-1_x"),
        ("staff.desk.key", "correct-horse-battery"),
        ("token.server.keys.crm.key", "0123456789abcdef01234567"),
        ("sites.hall.account", "shop"),
    ];

    fn problems_with(changed: &str, value: &str) -> String {
        let mut text = "sites.hall.name = '大厅'\nstaff.desk.sites = ['hall']\n".to_owned();
        text.push_str("token.server.keys.crm.accounts = ['shop']\n");
        for field in ["called.fields", "called.subscription.fields", "missed.fields"] {
            text.push_str(&format!("accounts.shop.{field}.thing1 = '{{site}}'\n"));
        }
        for (key, sound) in VALUES {
            let value = if key == changed { value } else { sound };
            let quoted = toml::Value::String(value.to_owned());
            text.push_str(&format!("{key} = {quoted}\n"));
        }
        match Config::from_text("in x.toml", &text).map(|config| config.resolve(Role::All)) {
            Ok(Ok(_)) => String::new(),
            Ok(Err(error)) | Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_identifier_with_dirt_is_refused_where_it_stands_and_never_quoted() {
        assert_eq!(problems_with("", ""), "");
        for (key, sound) in VALUES {
            let (head, tail) = sound.split_at(3);
            for dirty in [
                format!("{sound} "),
                format!(" {sound}"),
                format!("{sound}\n"),
                format!("{sound}\r\n"),
                format!("\t{sound}"),
                format!("{head} {tail}"),
                format!("{head}\u{1}{tail}"),
                format!("{sound}\u{a0}"),
                format!("\u{feff}{sound}"),
                format!("{head}\u{200b}{tail}"),
                format!("{sound}\u{3000}"),
                format!("{head}Ａ{tail}"),
                " ".to_owned(),
            ] {
                let problems = problems_with(key, &dirty);
                assert!(problems.contains(key), "{key} {dirty:?}: {problems}");
                let is_secret =
                    ["secret", "token", "aes_key", ".key"].iter().any(|s| key.ends_with(s));
                assert!(!is_secret || !problems.contains(sound), "{problems}");
            }
        }
    }

    #[test]
    fn one_appid_has_one_classic_account() {
        let account = |name: &str, appid: &str, channel: &str| {
            format!(
                "[accounts.{name}]\nappid = '{appid}'\nsecret = 's'\ncallback_token = 'token1'\nmode = 'plain'\n\
                 token_channel = '{channel}'\n"
            )
        };
        for (second, channels, refused) in [
            ("wx1", ["classic", "classic"], true),
            ("wx2", ["classic", "classic"], false),
            ("wx1", ["classic", "stable"], false),
            ("wx1", ["stable", "stable"], false),
        ] {
            let text = account("a", "wx1", channels[0]) + &account("b", second, channels[1]);
            let resolved = Config::from_text("in x.toml", &text).unwrap().resolve(Role::All);
            let problems = resolved.err().map_or(String::new(), |error| error.to_string());
            assert_eq!(problems.contains("accounts.b.appid"), refused, "{channels:?}: {problems}");
        }
    }
}
