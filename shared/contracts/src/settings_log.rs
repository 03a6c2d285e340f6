//! Events of the settings log, kept for ever.

use crate::account_credentials::AccountCredentials;
use crate::settings::{AccountSetup, SiteSetup};
use crate::site_logo::SiteLogo;
use serde::{Deserialize, Serialize};

/// Newest version of the entries. Version 2 has accounts and sites with settings that version 1
/// does not know, credentials of accounts, and logos of sites.
pub const SETTINGS_VERSION: u32 = 2;

/// Generation of stored forms that version 2 of the entries belongs to.
pub const SETTINGS_GENERATION: u32 = 2;

/// An entry of the settings log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsEntry {
    /// The oldest version that expresses the event.
    pub v: u32,
    /// Time of the event, in Unix milliseconds.
    pub at: i64,
    /// Approximate origin of the operator's request: an address without its last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The event.
    #[serde(flatten)]
    pub event: SettingsEvent,
}

/// Events of the settings log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SettingsEvent {
    /// WeChat created the permanent code of a queue.
    #[serde(rename = "door_code_made")]
    PermanentCodeCreated(PermanentCode),
    /// A site has these settings from now on.
    SiteSet {
        /// Id of the site.
        site: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// The whole document.
        setup: Box<SiteSetup>,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// A site was removed.
    SiteRetired {
        /// Id of the site.
        site: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// An account has these settings from now on.
    AccountSet {
        /// Name of the account.
        account: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// The whole document.
        setup: Box<AccountSetup>,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// An account that no configuration file has is connected by these credentials from now on.
    CredentialsSet {
        /// Name of the account.
        account: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// The credentials.
        credentials: Box<AccountCredentials>,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// The same credentials of an account were sealed under another key.
    CredentialsResealed {
        /// Name of the account.
        account: String,
        /// The credentials.
        credentials: Box<AccountCredentials>,
    },
    /// An account that no configuration file has was removed.
    AccountRetired {
        /// Name of the account.
        account: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// A site has this logo from now on.
    LogoSet {
        /// Id of the site.
        site: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// The logo.
        logo: Box<SiteLogo>,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
    /// A site has no logo from now on.
    LogoRemoved {
        /// Id of the site.
        site: String,
        /// The operator: id of a member, or name of a key.
        by: String,
        /// Record of the request, if it named itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "wish")]
        idempotency: Option<IdempotencyRecord>,
    },
}

/// A request with an Idempotency-Key, recorded so that its repeat gets the first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Hash of the requester and its Idempotency-Key.
    pub id: String,
    /// Hash of the request's content.
    pub request: String,
}

/// Permanent code of a queue. WeChat gives an account 100,000 such codes in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermanentCode {
    /// Name of the account.
    pub account: String,
    /// The Official Account of the code: after a change of appid another code is needed.
    pub appid: String,
    /// Id of the site.
    pub site: String,
    /// Id of the queue.
    pub queue: String,
    /// Scene inside the code.
    pub scene: String,
    /// WeChat's ticket of the code.
    pub qr_ticket: String,
    /// URL that the code contains.
    pub qr_url: String,
}

impl SettingsEvent {
    /// Returns the oldest version that expresses the event.
    pub fn version(&self) -> u32 {
        match self {
            SettingsEvent::AccountSet { setup, .. } => setup.form_version(),
            SettingsEvent::SiteSet { setup, .. } => setup.form_version(),
            SettingsEvent::CredentialsSet { .. }
            | SettingsEvent::CredentialsResealed { .. }
            | SettingsEvent::AccountRetired { .. }
            | SettingsEvent::LogoSet { .. }
            | SettingsEvent::LogoRemoved { .. } => 2,
            SettingsEvent::PermanentCodeCreated(_) | SettingsEvent::SiteRetired { .. } => 1,
        }
    }
}

impl SettingsEntry {
    /// Creates an entry under the oldest version that can express its content.
    pub fn new(at: i64, event: SettingsEvent) -> SettingsEntry {
        SettingsEntry { v: event.version(), at, from: None, event }
    }

    /// Returns the entry with the approximate origin of the operator's request.
    #[must_use]
    pub fn with_origin(self, from: Option<String>) -> SettingsEntry {
        SettingsEntry { from, ..self }
    }

    /// Returns the generation of forms that the entry belongs to.
    pub fn generation(&self) -> u32 {
        if self.v > 1 { SETTINGS_GENERATION } else { 1 }
    }

    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}
