//! What the owner set up: accounts, sites with their queues and counters, and staff keys.
//!
//! - [`live_settings`]: what a site's set-up comes to, and what is wrong with it;
//! - [`documents`]: the newest set-up of every site and account, and what changed when;
//! - [`live`]: the same while a gateway runs.

pub mod calendar;
mod conflicts;
pub mod documents;
pub mod export;
pub mod live;
pub(crate) mod update;
pub mod validate;

use crate::http::replies;
use crate::settings::calendar::Calendar;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::settings::{AccountSetup, KeywordAction};
use paihao_domain::{Actor, ApiScope, CounterId, QueueId, Rules};
use paihao_ledger::Subject;
use paihao_notice_text::policy::sends_customer_service_texts;
use paihao_wechat::callback::Protection;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Everything the gateway knows of the owner's business.
#[derive(Default)]
pub struct DeploymentSettings {
    /// The Official Accounts, by the name that stands in their callback address.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// The sites, by id.
    pub sites: BTreeMap<String, Arc<SiteSettings>>,
    /// Who may call the staff API.
    pub staff_keys: Vec<StaffKey>,
    /// What the configuration says of sites and accounts, on which the log of the book is laid.
    pub configured: documents::ConfiguredDocuments,
    /// The types of event that each site's webhooks are told of, by site and id.
    pub webhooks: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// One Official Account as the gateway needs to know it.
#[derive(Debug)]
pub struct AccountSettings {
    /// What WeChat's callbacks are checked with.
    pub protection: Protection,
    replies: RwLock<Arc<AccountReplies>>,
}

/// What an account answers, as it is set up now.
#[derive(Debug)]
pub struct AccountReplies {
    /// What somebody reads who follows without scanning; nothing if empty.
    pub greeting: String,
    /// What somebody reads when the system could not do what they wanted; nothing if empty, this
    /// system's own words if `None`.
    pub failure: Option<String>,
    /// What people write, without white space around it, and what that does.
    pub keywords: BTreeMap<String, KeywordAction>,
    /// Keys of the account's menu, and what they do.
    pub menu: BTreeMap<String, KeywordAction>,
    /// Whether the account sends customer-service texts, so that what allows them is worth noting.
    pub sends_texts: bool,
}

impl AccountSettings {
    /// An account that answers as it is set up.
    pub fn new(protection: Protection, setup: &AccountSetup) -> AccountSettings {
        AccountSettings { protection, replies: RwLock::new(Arc::new(account_replies(setup))) }
    }

    /// What it answers now.
    pub fn replies(&self) -> Arc<AccountReplies> {
        self.replies.read().clone()
    }

    /// From now on it answers like this.
    pub fn update(&self, setup: &AccountSetup) {
        *self.replies.write() = Arc::new(account_replies(setup));
    }
}

fn account_replies(setup: &AccountSetup) -> AccountReplies {
    let keywords = setup.keywords.iter().map(|(word, action)| (word.trim().to_owned(), *action));
    AccountReplies {
        greeting: setup.greeting.clone().unwrap_or_else(|| replies::GREETING.to_owned()),
        failure: setup.failure.clone(),
        keywords: keywords.collect(),
        menu: setup.menu.clone(),
        sends_texts: sends_customer_service_texts(setup),
    }
}

/// One site.
#[derive(Debug)]
pub struct SiteSettings {
    /// What a commit says of it.
    pub facts: SiteFacts,
    /// Where its decisions stand in the ledger.
    pub subject: Subject,
    /// Its queues and counters.
    pub rules: Rules,
    /// When its days begin, and its queues are open.
    pub calendar: Calendar,
    /// What its boards say of the calls of queues that have sentences of their own.
    pub announcements: BTreeMap<QueueId, Announcement>,
    /// What is answered to a scan that took a number, in the owner's words.
    pub joined_reply: Option<Arc<str>>,
}

impl SiteSettings {
    /// A site without words of its own.
    pub fn new(
        facts: SiteFacts,
        subject: Subject,
        rules: Rules,
        calendar: Calendar,
    ) -> SiteSettings {
        let announcements = BTreeMap::new();
        SiteSettings { facts, subject, rules, calendar, announcements, joined_reply: None }
    }
}

/// What a board says of a queue's calls, with `{number}`, `{counter}` and `{queue}` in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Announcement {
    /// In Chinese; the usual sentence if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

/// Stands for every site in the list of those that a key opens, also for sites that come later.
pub const ALL_SITES: &str = "*";

/// A key of the staff API. The key itself is not kept, only its hash.
pub struct StaffKey {
    /// The owner's name for it; may be logged.
    pub name: String,
    hash: [u8; 32],
    /// The sites it opens; [`ALL_SITES`] among them is all of them.
    pub sites: BTreeSet<String>,
    /// As whom its holder acts there.
    pub actor: Actor,
}

/// As whom the holder of a key acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// Staff at certain counters.
    Staff,
    /// Whoever runs the site.
    Manager,
    /// A program: at certain counters, or as a manager if none are named.
    Api,
}

impl StaffKey {
    /// A manager's key and what it opens.
    pub fn new(name: &str, key: &str, sites: BTreeSet<String>) -> Self {
        let actor = Actor::Manager(name.into());
        StaffKey { name: name.to_owned(), hash: Sha256::digest(key).into(), sites, actor }
    }

    /// The same in another role, at these counters.
    #[must_use]
    pub fn with_role(self, role: KeyRole, counters: BTreeSet<CounterId>) -> Self {
        let (name, bound) = (Arc::from(&*self.name), !counters.is_empty());
        let counters = Arc::new(counters);
        let actor = match role {
            KeyRole::Manager => Actor::Manager(name),
            KeyRole::Staff => Actor::Staff { name, counters },
            KeyRole::Api if bound => Actor::Api { name, scope: ApiScope::Counters(counters) },
            KeyRole::Api => Actor::Api { name, scope: ApiScope::Manager },
        };
        StaffKey { actor, ..self }
    }

    /// Whether it opens this site.
    pub fn grants_site(&self, site: &str) -> bool {
        self.grants_all_sites() || self.sites.contains(site)
    }

    /// Whether it opens every site there is or will be.
    pub fn grants_all_sites(&self) -> bool {
        self.sites.contains(ALL_SITES)
    }

    /// The head of its hash, which tells it from another key of the same name.
    pub fn fingerprint(&self) -> String {
        hex::encode(&self.hash[..8])
    }

    /// Whether this is the key, in a time that does not tell how much of it was right.
    pub fn matches(&self, key: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(key).into();
        self.hash.ct_eq(&given).into()
    }
}
