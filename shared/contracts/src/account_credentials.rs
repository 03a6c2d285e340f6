//! Credentials of an account in the settings log: what stands in the configuration file otherwise.

use crate::stored_secret::{StoredSecret, account_secret_place};
use serde::{Deserialize, Serialize};

/// Credentials of an Official Account. Every secret is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCredentials {
    /// AppID at WeChat.
    pub appid: String,
    /// AppSecret, with which access tokens are fetched.
    pub secret: StoredSecret,
    /// Endpoint for access tokens.
    pub token_channel: TokenChannel,
    /// Encryption mode of callbacks (消息加解密方式).
    pub mode: CallbackMode,
    /// Mode before the last change, which is accepted beside the present one for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_mode: Option<FormerCallbackMode>,
    /// Token that signs callbacks.
    pub callback_token: StoredSecret,
    /// Token before the last change, which is accepted too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_callback_token: Option<StoredSecret>,
    /// EncodingAESKey of callbacks.
    pub aes_key: StoredSecret,
    /// Key before the last change, which is accepted too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_aes_key: Option<StoredSecret>,
}

/// Endpoints of WeChat for access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum TokenChannel {
    Stable,
    Classic,
}

/// Encryption modes of callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum CallbackMode {
    Plain,
    Compatible,
    Secure,
}

/// Mode before a change, with the end of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FormerCallbackMode {
    /// The mode.
    pub mode: CallbackMode,
    /// Time until which it is accepted, in Unix milliseconds.
    pub until: i64,
}

impl AccountCredentials {
    /// Returns the secrets that are there, by the names of their fields.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &StoredSecret)> {
        let all = [
            ("secret", Some(&self.secret)),
            ("callback_token", Some(&self.callback_token)),
            ("former_callback_token", self.former_callback_token.as_ref()),
            ("aes_key", Some(&self.aes_key)),
            ("former_aes_key", self.former_aes_key.as_ref()),
        ];
        all.into_iter().filter_map(|(field, secret)| Some((field, secret?)))
    }

    /// Replaces each secret that is there by what `replace` returns for its place and its stored
    /// text.
    pub fn try_map_secrets<E>(
        self,
        account: &str,
        replace: impl Fn(&str, &str) -> Result<String, E>,
    ) -> Result<AccountCredentials, E> {
        // A former secret is sealed at the place of the present one, from which it was moved.
        let map = |field: &str, secret: StoredSecret| {
            let place = account_secret_place(account, field);
            replace(&place, secret.as_stored()).map(StoredSecret::new)
        };
        let map_former =
            |field: &str, secret: Option<StoredSecret>| secret.map(|it| map(field, it)).transpose();
        Ok(AccountCredentials {
            secret: map("secret", self.secret)?,
            callback_token: map("callback_token", self.callback_token)?,
            former_callback_token: map_former("callback_token", self.former_callback_token)?,
            aes_key: map("aes_key", self.aes_key)?,
            former_aes_key: map_former("aes_key", self.former_aes_key)?,
            ..self
        })
    }
}
