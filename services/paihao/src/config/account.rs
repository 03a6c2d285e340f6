//! Check of an account's section: protection of its callbacks, and its replies.

use super::{Account, Config, Mode, credentials};
use jiff::Timestamp;
use paihao_chassis::config::{ConfigProblems, SecretText};
use paihao_gateway::settings::credentials::{MIN_TOKEN_CHARS, check_aes_key, check_callback_token};
use paihao_gateway::settings::validate::validate_account;
use paihao_gateway::settings::{AccountLimits, AccountSettings};
use paihao_wechat::callback::{self, FormerMode, Protection};
use paihao_wechat::private_targets::PrivateTargets;
use paihao_wechat::{AppId, CallbackToken};

impl Config {
    /// Facts of the process that the settings of accounts are checked against.
    pub(super) fn account_limits(&self, problems: &mut ConfigProblems) -> AccountLimits {
        let networks = self.gateway.forward_private.iter().map(String::as_str);
        let private_targets = PrivateTargets::parse(networks).unwrap_or_else(|error| {
            let advice = "use something like [\"10.0.0.0/8\"]";
            problems.add("gateway.forward_private", error.to_string(), advice);
            PrivateTargets::default()
        });
        let has_public_address = self.gateway.public_url().is_some();
        AccountLimits { private_targets, has_public_address }
    }
}

/// Converts an account's section for the gateway. `at` is its path in the file, for messages.
pub(super) fn account_settings(
    at: &str,
    account: &Account,
    limits: &AccountLimits,
    problems: &mut ConfigProblems,
) -> AccountSettings {
    credentials::check(at, account, problems);
    let mode = callback_mode(account.mode);
    let former_mode = former_mode(at, account, problems);
    let encrypts = |mode| mode != callback::Mode::Plain;
    let is_encrypted = encrypts(mode) || former_mode.is_some_and(|former| encrypts(former.mode));
    if is_encrypted && account.aes_key.is_none() {
        let description = "the mode, which is \"secure\" unless set, encrypts, and there is no key";
        let advice = "set it to the EncodingAESKey of WeChat's console, in 安全模式; mode = \"plain\" is for \
                      a console that is in 明文模式, where nothing protects the content of a push";
        problems.add(&format!("{at}.aes_key"), description, advice);
    }
    let mut token = |key: &str, token: &SecretText| {
        let (key, token) = (format!("{at}.{key}"), token.expose());
        check_callback_token(&key, token, MIN_TOKEN_CHARS, problems);
        CallbackToken::new(token)
    };
    let current_token = token("callback_token", &account.callback_token);
    let former_token =
        account.former_callback_token.as_ref().map(|text| token("former_callback_token", text));
    let mut key = |key: &str, text: &Option<SecretText>| {
        check_aes_key(&format!("{at}.{key}"), text.as_ref()?.expose(), problems)
    };
    let protection = Protection {
        mode,
        former_mode,
        app: AppId(account.appid.clone()),
        token: current_token,
        former_token,
        aes_key: key("aes_key", &account.aes_key),
        former_aes_key: key("former_aes_key", &account.former_aes_key),
    };
    let setup = account.setup();
    validate_account(at, &setup, limits, problems);
    AccountSettings::new(protection, &setup)
}

fn callback_mode(mode: Mode) -> callback::Mode {
    match mode {
        Mode::Plain => callback::Mode::Plain,
        Mode::Compatible => callback::Mode::Compatible,
        Mode::Secure => callback::Mode::Secure,
    }
}

/// Mode that is accepted beside the present one for a time.
fn former_mode(at: &str, account: &Account, problems: &mut ConfigProblems) -> Option<FormerMode> {
    let key = format!("{at}.former_mode");
    let until = format!("{at}.former_mode_until");
    let (former, time) = match (account.former_mode, &account.former_mode_until) {
        (None, None) => return None,
        (Some(former), Some(time)) => (former, time),
        (Some(_), None) => {
            let advice = "set it to the time at which the change is complete";
            problems.add(&until, "the former mode is accepted for a time only", advice);
            return None;
        }
        (None, Some(_)) => {
            problems.add(&key, "there is a time, and no former mode", "set it, or leave both out");
            return None;
        }
    };
    if former == account.mode {
        let advice = "set it to the mode before the change, or leave it out";
        problems.add(&key, "it is the present mode", advice);
    }
    let Ok(time) = time.parse::<Timestamp>() else {
        let description = format!("{time:?} is not a time with its zone");
        problems.add(&until, description, "use one like 2026-12-01T18:00:00+08:00");
        return None;
    };
    Some(FormerMode { mode: callback_mode(former), until_s: time.as_second() })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};

    fn problems_of(more: &str) -> String {
        let shop =
            "[accounts.shop]\nappid = 'wx1'\nsecret = 'abcdefgh'\ncallback_token = 'token1'\n";
        let mode = if more.contains("mode = ") { "" } else { "mode = 'plain'\n" };
        let text = format!("{shop}{mode}{more}");
        match Config::from_text("in x.toml", &text).unwrap().resolve(Role::All) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn without_a_mode_it_is_secure_and_what_is_missing_is_said() {
        let base =
            "[accounts.shop]\nappid = 'wx1'\nsecret = 'abcdefgh'\ncallback_token = 'token1'\n";
        let config = Config::from_text("in x.toml", base).unwrap();
        let error = config.resolve(Role::All).err().unwrap().to_string();
        for part in ["accounts.shop.aes_key", "EncodingAESKey", "mode = \"plain\""] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let key = "aes_key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'\n";
        assert_eq!(problems_of(&format!("mode = 'secure'\n{key}")), "");
        let config = Config::from_text("in x.toml", &format!("{base}{key}")).unwrap();
        assert!(config.resolve(Role::All).is_ok());
    }

    #[test]
    fn a_mode_that_encrypts_needs_a_key() {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        for mode in ["compatible", "secure"] {
            let without = problems_of(&format!("mode = '{mode}'\n"));
            assert!(without.contains("accounts.shop.aes_key"), "{without}");
            assert_eq!(problems_of(&format!("mode = '{mode}'\naes_key = '{key}'\n")), "");
        }
        assert_eq!(
            problems_of(&format!("aes_key = '{key}'\n")),
            "",
            "a key may be set before its mode"
        );
    }

    #[test]
    fn a_former_mode_has_an_end_and_the_key_that_it_needs() {
        let key = "aes_key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'\n";
        let until = "former_mode_until = '2026-12-01T18:00:00+08:00'\n";
        let modes = ["plain", "compatible", "secure"];
        for (mode, former) in modes.iter().flat_map(|mode| modes.map(|former| (*mode, former))) {
            let change = format!("mode = '{mode}'\nformer_mode = '{former}'\n");
            let problems = problems_of(&format!("{change}{key}{until}"));
            assert_eq!(problems.is_empty(), mode != former, "{mode} {former}: {problems}");
            let without_key = problems_of(&format!("{change}{until}"));
            let plain = mode == "plain" && former == "plain";
            assert_eq!(without_key.contains("shop.aes_key"), !plain, "{without_key}");
            let endless = problems_of(&format!("{change}{key}"));
            assert!(endless.contains("shop.former_mode_until"), "{endless}");
        }
        assert!(problems_of(until).contains("shop.former_mode"));
        for time in ["", "tomorrow", "2026-12-01", "2026-12-01T18:00:00"] {
            let lines = format!("former_mode = 'secure'\n{key}former_mode_until = '{time}'\n");
            assert!(problems_of(&lines).contains("former_mode_until"), "{time:?}");
        }
    }

    #[test]
    fn former_secrets_are_checked_like_the_new_ones_and_none_is_quoted() {
        let all = problems_of(
            "former_callback_token = '!!secret!!'\naes_key = 'shortsecret'\nformer_aes_key = 'secrettoo'\n",
        );
        for key in ["former_callback_token", "aes_key", "former_aes_key"] {
            assert!(all.contains(&format!("accounts.shop.{key}")), "{all}");
        }
        assert!(!all.contains("secret"), "{all}");
    }

    #[test]
    fn another_system_is_reached_over_https_or_in_a_network_that_is_named() {
        let target = |url: &str| {
            format!("[[accounts.shop.forward]]\nname = 'crm'\nurl = '{url}'\npushes = ['texts']\n")
        };
        assert_eq!(problems_of(&target("https://crm.example.com/wx?key=s3cret")), "");
        for url in ["http://crm.example.com/?key=s3cret", "https://10.0.0.1/?key=s3cret", "s3cret"]
        {
            let refused = problems_of(&target(url));
            assert!(refused.contains("accounts.shop.forward.0.url"), "{refused}");
            assert!(!refused.contains("s3cret"), "{refused}");
        }
        let allowed = "[gateway]\nforward_private = ['10.0.0.0/8', '127.0.0.1']\n";
        for url in ["http://10.0.0.1/", "http://127.0.0.1:8000/wx", "http://crm:8000/"] {
            assert_eq!(problems_of(&format!("{}{allowed}", target(url))), "", "{url}");
        }
        let twice = target("https://a.example.com/") + &target("https://b.example.com/");
        assert!(problems_of(&twice).contains("accounts.shop.forward.1.name"));
        let none = target("https://a.example.com/").replace("'texts'", "");
        assert!(problems_of(&none).contains("accounts.shop.forward.0.pushes"));
        assert!(problems_of("[gateway]\nforward_private = ['10.0.0']").contains("forward_private"));
    }

    #[test]
    fn codes_that_lead_to_pages_need_the_public_address() {
        let codes = "codes = 'page'\n";
        assert!(problems_of(codes).contains("accounts.shop.codes"));
        let public =
            "[gateway]\npublic = 'https://queue.example.com'\ntrusted_proxies = ['10.0.0.1']\n";
        assert_eq!(problems_of(&format!("{codes}{public}")), "");
    }

    #[test]
    fn a_reply_that_wechat_would_not_show_is_refused() {
        let long = problems_of(&format!("greeting = '{}'\nfailure = '{0}'\n", "欢".repeat(700)));
        assert!(long.contains("greeting") && long.contains("failure"), "{long}");
    }
}
