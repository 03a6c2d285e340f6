//! Settings of the deployment: accounts, sites with their queues and counters, and staff keys.
//!
//! - [`validate`]: conversion of a site's document to its settings, or to all of its errors;
//! - [`documents`]: the newest document of every site and account, and its changes;
//! - [`credentials`]: secrets of the accounts that the log adds; `accounts` opens them;
//! - [`menu`]: the menu of an account;
//! - [`live`]: the documents and sites, kept current while a gateway runs.

mod accounts;
mod conflicts;
pub mod credentials;
pub mod documents;
pub mod export;
pub(crate) mod id_of_name;
pub mod live;
pub mod menu;
pub(crate) mod rules_example;
pub(crate) mod update;
pub(crate) mod update_credentials;
mod update_logo;
pub mod validate;
mod value_difference;

pub use crate::site::{Announcement, SiteSettings, calendar};

use paihao_contracts::settings::{
    AccountSetup, CodeKind, CustomerServiceSetup, ForwardSetup, KeywordAction, PushClass,
};
use paihao_contracts::staff::KeyScope;
use paihao_domain::{Actor, ApiScope, CounterId};
use paihao_notice_text::policy::sends_customer_service_texts;
use paihao_notice_text::words::WordTable;
use paihao_wechat::callback::Protection;
use paihao_wechat::private_targets::PrivateTargets;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use url::Url;

/// Reply to a person who follows an account without scanning, unless the owner sets another text.
pub const DEFAULT_GREETING: &str =
    "欢迎关注。扫门口或页面上的二维码即可取号。\n\nWelcome. Scan a code to take a number.";

/// Accounts, sites and keys of a deployment, from the configuration.
#[derive(Default)]
pub struct DeploymentSettings {
    /// Official Accounts, by the name in their callback address.
    pub accounts: BTreeMap<String, Arc<AccountSettings>>,
    /// AppIDs of those whose tokens come from the classic channel.
    pub classic_appids: BTreeSet<String>,
    /// Accounts that the settings log adds to them.
    pub added_accounts: AddedAccounts,
    /// Sites, by id.
    pub sites: BTreeMap<String, Arc<SiteSettings>>,
    /// Keys of the staff API.
    pub staff_keys: Vec<StaffKey>,
    /// Documents of the configuration, which the settings log overrides.
    pub configured: documents::ConfiguredDocuments,
    /// Types of event that each site's webhooks receive, by site and id.
    pub webhooks: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Facts of the process that the settings of accounts are checked against.
    pub account_limits: AccountLimits,
}

/// Accounts of the settings log, as they are now.
#[derive(Debug, Default)]
pub struct AddedAccounts(RwLock<Arc<Added>>);

/// Accounts at one moment.
#[derive(Debug, Default, Clone)]
struct Added {
    accounts: BTreeMap<String, Arc<AccountSettings>>,
    /// Name of the account that was added first.
    first: Option<String>,
}

impl DeploymentSettings {
    /// Returns an account, whether the configuration or the settings log has it.
    pub fn account(&self, name: &str) -> Option<Arc<AccountSettings>> {
        let configured = self.accounts.get(name).cloned();
        configured.or_else(|| self.added_accounts.0.read().accounts.get(name).cloned())
    }

    /// Returns the names of all accounts.
    pub fn account_names(&self) -> BTreeSet<String> {
        let added = self.added_accounts.0.read().clone();
        self.accounts.keys().chain(added.accounts.keys()).cloned().collect()
    }

    /// Returns the account of the settings log that was added first. Staff log in by it where the
    /// configuration has no account.
    pub fn first_added_account(&self) -> Option<String> {
        self.added_accounts.0.read().first.clone()
    }

    /// Returns the names of all accounts by these documents.
    pub(crate) fn known_accounts(
        &self,
        documents: &documents::SettingsDocuments,
    ) -> BTreeSet<String> {
        let added = documents.added_accounts().map(|(name, _)| name);
        self.accounts.keys().chain(added).cloned().collect()
    }
}

/// Facts of the process that the settings of accounts are checked against.
#[derive(Debug, Clone, Default)]
pub struct AccountLimits {
    /// Private networks to which pushes may be forwarded.
    pub private_targets: PrivateTargets,
    /// True if the public address of this system is known.
    pub has_public_address: bool,
}

/// Official Account, as far as the gateway needs it.
#[derive(Debug)]
pub struct AccountSettings {
    protection: RwLock<Arc<Protection>>,
    replies: RwLock<Arc<AccountReplies>>,
}

/// Error for credentials of another appid, which only a restart takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another appid is another account")]
pub struct OtherAppid;

/// Replies of an account, as they are set now.
#[derive(Debug)]
pub struct AccountReplies {
    /// Reply to a person who follows without scanning; nothing if empty.
    pub greeting: String,
    /// Reply when a request could not be carried out; nothing if empty, the default text if `None`.
    pub failure: Option<String>,
    /// Actions by the texts that people write.
    pub words: WordTable,
    /// Actions by the keys of a menu that another system made.
    pub menu: BTreeMap<String, KeywordAction>,
    /// Texts of the account's own menu, by the digests in their keys.
    pub menu_texts: BTreeMap<String, String>,
    /// True if the account sends customer-service texts, so that the events that permit them are
    /// worth noting.
    pub sends_texts: bool,
    /// Codes of its kiosks and posters.
    pub codes: CodeKind,
    /// Human customer service, if messages that nothing answers are handed on to it.
    pub customer_service: Option<CustomerServiceSetup>,
    /// Other systems, the first that takes a push gets it.
    pub forward: Vec<ForwardTarget>,
}

/// Other system that gets pushes which are not of this system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardTarget {
    /// Name, for logs and metrics.
    pub name: String,
    /// Address; it may hold a key, and is not logged.
    pub url: Url,
    classes: Vec<PushClass>,
    begins: Vec<String>,
}

impl ForwardTarget {
    /// Returns whether it gets the pushes of a class, with this scene, key or text if it has one.
    pub fn takes(&self, class: PushClass, text: Option<&str>) -> bool {
        let takes_class =
            self.classes.iter().any(|own| *own == class || *own == PushClass::Everything);
        let begins = || text.is_some_and(|text| self.begins.iter().any(|b| text.starts_with(b)));
        takes_class && (self.begins.is_empty() || begins())
    }
}

impl AccountSettings {
    /// Creates an account with these settings.
    pub fn new(protection: Protection, setup: &AccountSetup) -> AccountSettings {
        AccountSettings {
            protection: RwLock::new(Arc::new(protection)),
            replies: RwLock::new(Arc::new(account_replies(setup))),
        }
    }

    /// Returns what WeChat's callbacks are checked with now.
    pub fn protection(&self) -> Arc<Protection> {
        self.protection.read().clone()
    }

    /// Replaces what callbacks are checked with. Returns whether that is a change. An account stays
    /// the one of its appid, which codes and people belong to.
    pub fn reload(&self, protection: &Protection) -> Result<bool, OtherAppid> {
        let mut current = self.protection.write();
        if current.app != protection.app {
            return Err(OtherAppid);
        }
        let is_change = **current != *protection;
        if is_change {
            *current = Arc::new(protection.clone());
        }
        Ok(is_change)
    }

    /// Returns the replies as they are now.
    pub fn replies(&self) -> Arc<AccountReplies> {
        self.replies.read().clone()
    }

    /// Replaces the replies.
    pub fn update(&self, setup: &AccountSetup) {
        *self.replies.write() = Arc::new(account_replies(setup));
    }
}

fn account_replies(setup: &AccountSetup) -> AccountReplies {
    // A document that a former configuration allowed may hold an address that is none.
    let target = |target: &ForwardSetup| {
        Some(ForwardTarget {
            name: target.name.clone(),
            url: target.url.parse().ok()?,
            classes: target.pushes.clone(),
            begins: target.begins.clone(),
        })
    };
    AccountReplies {
        greeting: setup.greeting.clone().unwrap_or_else(|| DEFAULT_GREETING.to_owned()),
        failure: setup.failure.clone(),
        words: WordTable::new(setup),
        menu: setup.menu.clone(),
        menu_texts: menu::texts(&setup.buttons),
        sends_texts: sends_customer_service_texts(setup),
        codes: setup.codes,
        customer_service: setup.customer_service.clone(),
        forward: setup.forward.iter().filter_map(target).collect(),
    }
}

/// Name of every site in a key's list of sites, including sites that come later.
pub const ALL_SITES: &str = "*";

/// Key of the staff API. Only its hash is stored.
pub struct StaffKey {
    /// Name from the configuration; may be logged.
    pub name: String,
    hash: [u8; 32],
    /// Sites that it grants; [`ALL_SITES`] among them is all of them.
    pub sites: BTreeSet<String>,
    /// Actor that its holder is at those sites.
    pub actor: Actor,
    /// Scopes of a program's key; `None` is everything that its role permits.
    pub scopes: Option<BTreeSet<KeyScope>>,
}

/// Role of the holder of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// Staff at certain counters.
    Staff,
    /// Manager of the site.
    Manager,
    /// A program: at certain counters, or as a manager if none are named.
    Api,
}

impl StaffKey {
    /// Creates a manager's key for these sites.
    pub fn new(name: &str, key: &str, sites: BTreeSet<String>) -> Self {
        let actor = Actor::Manager(name.into());
        let hash = Sha256::digest(key).into();
        StaffKey { name: name.to_owned(), hash, sites, actor, scopes: None }
    }

    /// Returns the key with another role, at these counters.
    #[must_use]
    pub fn with_role(self, role: KeyRole, counters: BTreeSet<CounterId>) -> Self {
        let name = Arc::from(&*self.name);
        let has_counters = !counters.is_empty();
        let counters = Arc::new(counters);
        let actor = match role {
            KeyRole::Manager => Actor::Manager(name),
            KeyRole::Staff => Actor::Staff { name, counters },
            KeyRole::Api if has_counters => {
                Actor::Api { name, scope: ApiScope::Counters(counters) }
            }
            KeyRole::Api => Actor::Api { name, scope: ApiScope::Manager },
        };
        StaffKey { actor, ..self }
    }

    /// Returns the key of a program with these scopes alone.
    #[must_use]
    pub fn with_scopes(self, scopes: BTreeSet<KeyScope>) -> Self {
        StaffKey { scopes: Some(scopes), ..self }
    }

    /// Returns whether it grants this site.
    pub fn grants_site(&self, site: &str) -> bool {
        self.grants_all_sites() || self.sites.contains(site)
    }

    /// Returns whether it grants every site there is or will be.
    pub fn grants_all_sites(&self) -> bool {
        self.sites.contains(ALL_SITES)
    }

    /// Returns the head of its hash, which tells it from another key of the same name.
    pub fn fingerprint(&self) -> String {
        hex::encode(&self.hash[..8])
    }

    /// Returns whether this is the key. The time that the comparison takes does not depend on the
    /// text.
    pub fn matches(&self, key: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(key).into();
        self.hash.ct_eq(&hash).into()
    }
}
