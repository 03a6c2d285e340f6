//! Check of an account's section: protection of its callbacks, and its replies.

use super::{Account, Mode};
use paihao_chassis::config::{ConfigProblems, SecretText};
use paihao_gateway::settings::AccountSettings;
use paihao_wechat::callback::{self, AesKey, Protection};
use paihao_wechat::{AppId, CallbackToken};

/// Converts an account's section for the gateway. `at` is its path in the file, for messages.
pub(super) fn account_settings(
    at: &str,
    account: &Account,
    problems: &mut ConfigProblems,
) -> AccountSettings {
    let mode = match account.mode {
        Mode::Plain => callback::Mode::Plain,
        Mode::Compatible => callback::Mode::Compatible,
        Mode::Secure => callback::Mode::Secure,
    };
    if mode != callback::Mode::Plain && account.aes_key.is_none() {
        let description = "this mode encrypts, and there is no key";
        let advice = "set it to the EncodingAESKey in WeChat's console";
        problems.add(&format!("{at}.aes_key"), description, advice);
    }
    let mut token = |key: &str, token: &SecretText| {
        let token = token.expose();
        if !(3..=32).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let description = "WeChat takes 3 to 32 letters and digits";
            problems.add(&format!("{at}.{key}"), description, "copy it from WeChat's console");
        }
        CallbackToken::new(token)
    };
    let current_token = token("callback_token", &account.callback_token);
    let former_token =
        account.former_callback_token.as_ref().map(|text| token("former_callback_token", text));
    let mut key = |key: &str, text: &Option<SecretText>| {
        let parsed = AesKey::parse(text.as_ref()?.expose());
        if let Err(error) = &parsed {
            let advice = "copy it from WeChat's console";
            problems.add(&format!("{at}.{key}"), error.to_string(), advice);
        }
        parsed.ok()
    };
    let protection = Protection {
        mode,
        app: AppId(account.appid.clone()),
        token: current_token,
        former_token,
        aes_key: key("aes_key", &account.aes_key),
        former_aes_key: key("former_aes_key", &account.former_aes_key),
    };
    let setup = account.setup();
    paihao_notice_text::check::account(at, &setup, problems);
    AccountSettings::new(protection, &setup)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};

    fn problems_of(more: &str) -> String {
        let shop =
            "[accounts.shop]\nappid = 'wx1'\nsecret = 'abcdefgh'\ncallback_token = 'token1'\n";
        let text = format!("{shop}{more}");
        match Config::from_text("in x.toml", &text).unwrap().resolve(Role::All) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
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
    fn a_reply_that_wechat_would_not_show_is_refused() {
        let long = problems_of(&format!("greeting = '{}'\nfailure = '{0}'\n", "欢".repeat(700)));
        assert!(long.contains("greeting") && long.contains("failure"), "{long}");
    }
}
