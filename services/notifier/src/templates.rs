//! Templates: the texts and channel policies of accounts and sites.
//!
//! They come from the configuration and from the settings log, which overrides it. A notice uses the
//! templates in force at the time of its attempt.

use crate::settings::Settings;
use paihao_chassis::Tasks;
use paihao_contracts::notice::Notice;
use paihao_contracts::settings::Wording;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Follower, Ledger, Projection, StoredEntry};
use paihao_notice_text::{AccountPolicies, NoticePolicy};
use paihao_notice_text::{policy, render, sample};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Policies and texts in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Templates {
    /// Policies by account name.
    pub(crate) accounts: BTreeMap<String, AccountPolicies>,
    /// Texts of a site that override its account's, by site id and notice kind.
    pub(crate) sites: BTreeMap<String, BTreeMap<String, Wording>>,
    /// Revision that increases whenever template bindings of an account may have changed.
    pub(crate) templates: u64,
}

/// Handle to the templates in force.
pub(crate) type TemplatesReceiver = Follower<Arc<Templates>>;

impl Templates {
    /// Returns the policy for a notice.
    pub(crate) fn policy(&self, notice: &Notice) -> NoticePolicy {
        let account = self.accounts.get(&*notice.account);
        let manner = account.and_then(|says| says.get(render::kind(notice))).cloned();
        let site = notice.key.split('/').next().unwrap_or_default();
        let own = self.sites.get(site).and_then(|words| words.get(sample::site_kind(notice)));
        match (manner.unwrap_or_default(), own) {
            (manner, Some(own)) => manner.with_wording(own),
            (manner, None) => manner,
        }
    }
}

/// Projection of the settings log onto the templates.
struct WordsProjection {
    /// Templates of the configuration.
    base: Templates,
    words: Arc<Templates>,
}

impl Projection for WordsProjection {
    type View = Arc<Templates>;

    fn view(&self) -> Arc<Templates> {
        self.words.clone()
    }

    fn apply(&mut self, recorded: StoredEntry) {
        let Some(entry) = SettingsEntry::decode(&recorded.entry.payload) else { return };
        match entry.event {
            SettingsEvent::AccountSet { account, setup, .. } => {
                let words = Arc::make_mut(&mut self.words);
                // An account without credentials in the configuration cannot send.
                if let Some(says) = words.accounts.get_mut(&account) {
                    *says = policy::account_policies(&setup);
                    words.templates += 1;
                }
            }
            SettingsEvent::SiteSet { site, setup, .. } => {
                Arc::make_mut(&mut self.words).sites.insert(site, setup.wording);
            }
            _ => {}
        }
    }

    fn reset(&mut self) {
        let templates = self.words.templates;
        self.words = Arc::new(Templates { templates, ..self.base.clone() });
    }
}

/// Starts the projection of the settings log.
pub(crate) fn follow(
    settings: &Settings,
    ledger: Arc<dyn Ledger>,
    stop: CancellationToken,
    tasks: &Tasks,
) -> TemplatesReceiver {
    let (accounts, sites) = (settings.accounts.clone(), settings.wording.clone());
    let base = Templates { accounts, sites, templates: 0 };
    let projection = WordsProjection { words: Arc::new(base.clone()), base };
    let (says, following) = Follow::new(ledger, SETTINGS, stop).start(projection);
    tasks.spawn("book", following);
    says
}
