//! Credentials of accounts: their checks, for the configuration and the API alike, and their sealed
//! form in the settings log.

use super::value_difference::ValueDifference;
use paihao_chassis::config::ConfigProblems;
use paihao_chassis::entropy;
use paihao_chassis::sealing::{Keyring, UnsealError};
use paihao_contracts::account_credentials::{
    AccountCredentials, CallbackMode, FormerCallbackMode, TokenChannel,
};
use paihao_contracts::stored_secret::{StoredSecret, account_secret_place};
use paihao_wechat::callback::{AesKey, FormerMode, Mode, Protection};
use paihao_wechat::{AppId, CallbackToken};
use serde_json::{Value, json};

/// Time for which a former mode of callbacks is accepted beside the present one.
const FORMER_MODE_MS: i64 = 24 * 3600 * 1000;

/// Characters of a callback token that is made here, WeChat's largest number.
const MADE_TOKEN_CHARS: usize = 32;

/// Characters of an EncodingAESKey.
const AES_KEY_CHARS: usize = 43;

/// Fewest characters of a callback token that WeChat takes.
pub const MIN_TOKEN_CHARS: usize = 3;

/// Fewest characters of a new callback token, which nobody guesses.
const MIN_NEW_TOKEN_CHARS: usize = 16;

/// Change of an account's credentials. What is left out stays as it is; of a new account, a token
/// and a key are made, and the rest has its default.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialsChange {
    pub(crate) appid: String,
    pub(crate) secret: Option<String>,
    pub(crate) callback_token: Option<String>,
    pub(crate) aes_key: Option<String>,
    /// True to make another token.
    pub(crate) renew_callback_token: bool,
    /// True to make another key.
    pub(crate) renew_aes_key: bool,
    pub(crate) token_channel: Option<TokenChannel>,
    pub(crate) mode: Option<CallbackMode>,
}

/// Secrets that were made here, for the one answer that tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MadeSecrets {
    pub(crate) callback_token: Option<String>,
    pub(crate) aes_key: Option<String>,
}

/// Checks an identifier or secret that is copied from elsewhere: a blank or line feed that came
/// with it is sent as it is, and nothing works. The problem never quotes it.
pub fn check_copied(key: &str, text: &str, problems: &mut ConfigProblems) {
    let description = if text.is_empty() {
        "it is empty"
    } else if text.trim() != text {
        "there is white space around it"
    } else if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        "there is white space or a control character in it"
    } else if !text.is_ascii() {
        "there is a character in it that such a value never has, perhaps an invisible one"
    } else {
        return;
    };
    problems.add(key, description, "copy it again, and nothing around it");
}

/// Checks a callback token of at least so many characters.
pub fn check_callback_token(key: &str, token: &str, min: usize, problems: &mut ConfigProblems) {
    let is_short = token.len() < min;
    if is_short || token.len() > 32 || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let description = if min > MIN_TOKEN_CHARS && (MIN_TOKEN_CHARS..min).contains(&token.len())
        {
            format!("a token of fewer than {min} letters and digits can be guessed")
        } else {
            "WeChat takes 3 to 32 letters and digits".to_owned()
        };
        problems.add(key, description, "copy it from WeChat's console");
    }
}

/// Parses an EncodingAESKey.
pub fn check_aes_key(key: &str, text: &str, problems: &mut ConfigProblems) -> Option<AesKey> {
    let parsed = AesKey::parse(text);
    if let Err(error) = &parsed {
        problems.add(key, error.to_string(), "copy it from WeChat's console");
    }
    parsed.ok()
}

impl CredentialsChange {
    /// Checks the change of an account that has these credentials; `at` is its key.
    pub(crate) fn check(
        &self,
        at: &str,
        before: Option<&AccountCredentials>,
        problems: &mut ConfigProblems,
    ) {
        let key = |field: &str| format!("{at}.{field}");
        check_copied(&key("appid"), &self.appid, problems);
        if let Some(before) = before
            && before.appid != self.appid
        {
            let advice = "add it under another name: people and codes belong to their appid";
            problems.add(&key("appid"), "an account keeps its appid", advice);
        }
        if before.is_none() && self.secret.is_none() {
            let advice = "copy it from WeChat's console, where it is shown once";
            problems.add(&key("secret"), "a new account needs its secret", advice);
        }
        let secrets = [
            ("secret", &self.secret),
            ("callback_token", &self.callback_token),
            ("aes_key", &self.aes_key),
        ];
        for (field, secret) in secrets {
            if let Some(secret) = secret {
                check_copied(&key(field), secret, problems);
            }
        }
        if let Some(token) = &self.callback_token {
            check_callback_token(&key("callback_token"), token, MIN_NEW_TOKEN_CHARS, problems);
        }
        if let Some(text) = &self.aes_key {
            check_aes_key(&key("aes_key"), text, problems);
        }
        for (field, is_given, is_renewed) in [
            ("callback_token", self.callback_token.is_some(), self.renew_callback_token),
            ("aes_key", self.aes_key.is_some(), self.renew_aes_key),
        ] {
            if is_given && is_renewed {
                let advice = "leave one of the two out";
                problems.add(&key(field), "it is given, and another is to be made", advice);
            }
        }
    }

    /// Applies the change to the credentials that an account has. A token and a key that are
    /// replaced are accepted until the next change, and a former mode for a day: the console of
    /// WeChat is changed at another moment.
    pub(crate) fn apply(
        &self,
        account: &str,
        before: Option<&AccountCredentials>,
        keyring: &Keyring,
        now_ms: i64,
    ) -> Result<(AccountCredentials, MadeSecrets), UnsealError> {
        let mut made = MadeSecrets::default();
        let is_new = before.is_none();
        let new_token = self.callback_token.clone().or_else(|| {
            let token = || entropy::alphanumeric(MADE_TOKEN_CHARS);
            made.callback_token = (is_new || self.renew_callback_token).then(token);
            made.callback_token.clone()
        });
        let new_key = self.aes_key.clone().or_else(|| {
            let key = || entropy::alphanumeric(AES_KEY_CHARS);
            made.aes_key = (is_new || self.renew_aes_key).then(key);
            made.aes_key.clone()
        });
        // A secret that is given again is no change, and keeps its seal.
        let stored = |field: &str, new: Option<String>, before: Option<&StoredSecret>| {
            let place = account_secret_place(account, field);
            let Some(new) = new else { return Ok(before.cloned()) };
            if let Some(before) = before
                && keyring.open(&place, before.as_stored())? == new
            {
                return Ok(Some(before.clone()));
            }
            Ok::<_, UnsealError>(Some(StoredSecret::new(keyring.seal(&place, &new))))
        };
        let before_secret = before.map(|before| &before.secret);
        let before_token = before.map(|before| &before.callback_token);
        let before_key = before.map(|before| &before.aes_key);
        // The checks have refused a new account without a secret.
        let secret = stored("secret", self.secret.clone(), before_secret)?;
        let callback_token = stored("callback_token", new_token, before_token)?;
        let aes_key = stored("aes_key", new_key, before_key)?;
        let present = |secret: Option<StoredSecret>| secret.ok_or(UnsealError::Broken);
        let (secret, callback_token, aes_key) =
            (present(secret)?, present(callback_token)?, present(aes_key)?);
        let former = |now: &StoredSecret,
                      before: Option<&StoredSecret>,
                      former: Option<&StoredSecret>| match before {
            Some(before) if before != now => Some(before.clone()),
            _ => former.cloned(),
        };
        let mode = self.mode.or(before.map(|before| before.mode));
        let mode = mode.unwrap_or(CallbackMode::Secure);
        let former_mode = match before {
            Some(before) if before.mode != mode => Some(FormerCallbackMode {
                mode: before.mode,
                until: now_ms.saturating_add(FORMER_MODE_MS),
            }),
            before => before.and_then(|before| before.former_mode).filter(|it| it.until > now_ms),
        };
        let former_token = before.and_then(|before| before.former_callback_token.as_ref());
        let former_key = before.and_then(|before| before.former_aes_key.as_ref());
        let channel = self.token_channel.or(before.map(|before| before.token_channel));
        let credentials = AccountCredentials {
            appid: self.appid.clone(),
            token_channel: channel.unwrap_or(TokenChannel::Stable),
            mode,
            former_mode,
            former_callback_token: former(&callback_token, before_token, former_token),
            former_aes_key: former(&aes_key, before_key, former_key),
            secret,
            callback_token,
            aes_key,
        };
        Ok((credentials, made))
    }
}

/// Returns the callback token and key of an account that were made here by the change that led to
/// these credentials, for a repeat of the request.
pub(crate) fn made_secrets(
    account: &str,
    credentials: &AccountCredentials,
    keyring: &Keyring,
    change: &CredentialsChange,
    is_new: bool,
) -> Result<MadeSecrets, UnsealError> {
    let open = |field: &str, secret: &StoredSecret| {
        keyring.open(&account_secret_place(account, field), secret.as_stored())
    };
    let made_token = change.callback_token.is_none() && (is_new || change.renew_callback_token);
    let made_key = change.aes_key.is_none() && (is_new || change.renew_aes_key);
    let token = made_token.then(|| open("callback_token", &credentials.callback_token));
    let key = made_key.then(|| open("aes_key", &credentials.aes_key));
    Ok(MadeSecrets { callback_token: token.transpose()?, aes_key: key.transpose()? })
}

/// Opens what the callbacks of an account are checked with.
pub(crate) fn protection(
    account: &str,
    credentials: &AccountCredentials,
    keyring: &Keyring,
) -> Result<Protection, UnsealError> {
    let open = |place: &str, stored: &str| keyring.open(place, stored);
    let opened = credentials.clone().try_map_secrets(account, open)?;
    let token = |secret: &StoredSecret| CallbackToken::new(secret.as_stored());
    let key =
        |secret: &StoredSecret| AesKey::parse(secret.as_stored()).map_err(|_| UnsealError::Broken);
    Ok(Protection {
        mode: callback_mode(opened.mode),
        former_mode: opened.former_mode.map(|former| FormerMode {
            mode: callback_mode(former.mode),
            until_s: former.until.div_euclid(1000),
        }),
        app: AppId(opened.appid),
        token: token(&opened.callback_token),
        former_token: opened.former_callback_token.as_ref().map(token),
        aes_key: Some(key(&opened.aes_key)?),
        former_aes_key: opened.former_aes_key.as_ref().map(key).transpose()?,
    })
}

fn callback_mode(mode: CallbackMode) -> Mode {
    match mode {
        CallbackMode::Plain => Mode::Plain,
        CallbackMode::Compatible => Mode::Compatible,
        CallbackMode::Secure => Mode::Secure,
    }
}

/// Returns what is different in the second credentials. Of a secret only that it is.
pub(crate) fn differences(
    before: Option<&AccountCredentials>,
    after: Option<&AccountCredentials>,
) -> Vec<ValueDifference> {
    const FIELDS: [&str; 9] = [
        "appid",
        "token_channel",
        "mode",
        "former_mode",
        "secret",
        "callback_token",
        "former_callback_token",
        "aes_key",
        "former_aes_key",
    ];
    let value = |credentials: Option<&AccountCredentials>, field: &str| {
        let Some(credentials) = credentials else { return Value::Null };
        match field {
            "appid" => json!(credentials.appid),
            "token_channel" => json!(credentials.token_channel),
            "mode" => json!(credentials.mode),
            "former_mode" => json!(credentials.former_mode),
            _ => credentials
                .secrets()
                .find(|(name, _)| *name == field)
                .map_or(Value::Null, |(_, secret)| json!(secret.as_stored())),
        }
    };
    let mut differences = Vec::new();
    for field in FIELDS {
        let (mut old, mut new) = (value(before, field), value(after, field));
        if old == new {
            continue;
        }
        if !matches!(field, "appid" | "token_channel" | "mode" | "former_mode") {
            for value in [&mut old, &mut new] {
                if !value.is_null() {
                    *value = json!("***");
                }
            }
        }
        differences.push(ValueDifference { key: field.to_owned(), before: old, after: new });
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_390_474_776;
    const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn keyring() -> Keyring {
        Keyring::parse(&Keyring::generate_key()).unwrap()
    }

    fn new_account() -> CredentialsChange {
        CredentialsChange {
            appid: "wx1".to_owned(),
            secret: Some(APP_SECRET.to_owned()),
            ..CredentialsChange::default()
        }
    }

    fn problems(change: &CredentialsChange, before: Option<&AccountCredentials>) -> String {
        let mut problems = ConfigProblems::new();
        change.check("accounts.shop", before, &mut problems);
        problems.into_result().err().map_or(String::new(), |error| error.to_string())
    }

    #[test]
    fn a_new_account_gets_a_token_and_a_key_that_wechat_takes() {
        let keyring = keyring();
        let (credentials, made) = new_account().apply("shop", None, &keyring, NOW).unwrap();
        assert_eq!(credentials.mode, CallbackMode::Secure);
        assert!(credentials.secrets().all(|(_, secret)| secret.is_sealed()));
        let stored = serde_json::to_string(&credentials).unwrap();
        let (token, key) = (made.callback_token.unwrap(), made.aes_key.unwrap());
        for secret in [APP_SECRET, &*token, &*key] {
            assert!(!stored.contains(secret), "{stored}");
        }
        let given = CredentialsChange {
            callback_token: Some(token.clone()),
            aes_key: Some(key.clone()),
            ..new_account()
        };
        assert_eq!(problems(&given, None), "");
        let opened = protection("shop", &credentials, &keyring).unwrap();
        assert_eq!(opened.token, CallbackToken::new(token));
        assert_eq!(opened.aes_key, AesKey::parse(&key).ok());
        assert!(protection("other", &credentials, &keyring).is_err(), "bound to its account");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_accepts_the_former_for_a_time() {
        let keyring = keyring();
        let (before, _) = new_account().apply("shop", None, &keyring, NOW).unwrap();
        let same = CredentialsChange { appid: "wx1".to_owned(), ..CredentialsChange::default() };
        let (kept, made) = same.apply("shop", Some(&before), &keyring, NOW).unwrap();
        assert_eq!((&kept, made), (&before, MadeSecrets::default()));
        let again = new_account().apply("shop", Some(&before), &keyring, NOW).unwrap().0;
        assert_eq!(differences(Some(&before), Some(&again)), []);
        let renewed = CredentialsChange {
            renew_callback_token: true,
            mode: Some(CallbackMode::Plain),
            ..same.clone()
        };
        let (after, made) = renewed.apply("shop", Some(&before), &keyring, NOW).unwrap();
        let found = protection("shop", &after, &keyring).unwrap();
        let original = protection("shop", &before, &keyring).unwrap();
        assert_eq!(found.token, CallbackToken::new(made.callback_token.unwrap()));
        assert_eq!(found.former_token, Some(original.token));
        assert_eq!(found.former_mode.unwrap().mode, Mode::Secure);
        let keys: Vec<_> = differences(Some(&before), Some(&after))
            .into_iter()
            .map(|difference| (difference.key, difference.after))
            .collect();
        let until = NOW + FORMER_MODE_MS;
        let expected = [
            ("mode", json!("plain")),
            ("former_mode", json!({ "mode": "secure", "until": until })),
            ("callback_token", json!("***")),
            ("former_callback_token", json!("***")),
        ];
        assert_eq!(keys, expected.map(|(key, value)| (key.to_owned(), value)));
        let later = same.apply("shop", Some(&after), &keyring, until).unwrap().0;
        assert_eq!(later.former_mode, None);
    }

    #[test]
    fn a_repeat_is_told_what_was_made_and_nothing_else() {
        let keyring = keyring();
        let change = new_account();
        let (credentials, made) = change.apply("shop", None, &keyring, NOW).unwrap();
        let told = made_secrets("shop", &credentials, &keyring, &change, true).unwrap();
        assert_eq!(told, made);
        let told = made_secrets("shop", &credentials, &keyring, &change, false).unwrap();
        assert_eq!(told, MadeSecrets::default());
    }

    #[test]
    fn what_wechat_would_not_take_is_refused_and_never_quoted() {
        let (before, _) = new_account().apply("shop", None, &keyring(), NOW).unwrap();
        let with = |change: fn(&mut CredentialsChange)| {
            let mut changed = new_account();
            change(&mut changed);
            changed
        };
        let cases: [(&str, CredentialsChange); 9] = [
            ("appid", with(|it| it.appid = " wx1".into())),
            ("secret", with(|it| it.secret = None)),
            ("secret", with(|it| it.secret = Some("s3cret ".into()))),
            ("callback_token", with(|it| it.callback_token = Some("s3cret".into()))),
            ("callback_token", with(|it| it.callback_token = Some("s3cret-s3cret-s3cret".into()))),
            ("callback_token", with(|it| it.callback_token = Some("s3cret".repeat(6)))),
            ("aes_key", with(|it| it.aes_key = Some("s3cret".into()))),
            (
                "callback_token",
                with(|it| {
                    it.callback_token = Some("s3cret".repeat(3));
                    it.renew_callback_token = true;
                }),
            ),
            (
                "aes_key",
                with(|it| {
                    it.aes_key = Some("s3cretA".repeat(6) + "A");
                    it.renew_aes_key = true;
                }),
            ),
        ];
        for (key, change) in cases {
            let found = problems(&change, None);
            assert!(found.contains(&format!("accounts.shop.{key}")), "{key}: {found}");
            assert!(!found.contains("s3cret"), "{found}");
        }
        let other = with(|it| it.appid = "wx2".into());
        assert!(problems(&other, Some(&before)).contains("accounts.shop.appid"));
    }
}
