//! What each account and site says, while that may change: the configuration, and on top of it what
//! the log of the book says. A notice is said in the words of the moment at which it is sent.

use crate::Settings;
use crate::channels::{AccountPolicies, NoticePolicy};
use paihao_chassis::Tasks;
use paihao_contracts::notice::Notice;
use paihao_contracts::settings::Wording;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Follower, Ledger, Projection, StoredEntry};
use paihao_notice_text::{policy, render, sample};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Everything that is said, by whom.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Words {
    /// By the account's name.
    pub(crate) accounts: BTreeMap<String, AccountPolicies>,
    /// By the site's id, and the kind of notice.
    pub(crate) sites: BTreeMap<String, BTreeMap<String, Wording>>,
    /// Grows whenever an account's templates may be other ones.
    pub(crate) templates: u64,
}

/// The newest of it.
pub(crate) type Says = Follower<Arc<Words>>;

impl Words {
    /// How this notice is said.
    pub(crate) fn manner(&self, notice: &Notice) -> NoticePolicy {
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

/// Projection of the settings onto the words of notices.
struct WordsProjection {
    /// The configuration.
    base: Words,
    words: Arc<Words>,
}

impl Projection for WordsProjection {
    type View = Arc<Words>;

    fn view(&self) -> Arc<Words> {
        self.words.clone()
    }

    fn apply(&mut self, recorded: StoredEntry) {
        let Some(entry) = SettingsEntry::decode(&recorded.entry.payload) else { return };
        match entry.event {
            SettingsEvent::AccountSet { account, setup, .. } => {
                let words = Arc::make_mut(&mut self.words);
                // Without credentials there is nobody to say it.
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
        self.words = Arc::new(Words { templates, ..self.base.clone() });
    }
}

/// Begins to follow the book.
pub(crate) fn follow(
    settings: &Settings,
    ledger: Arc<dyn Ledger>,
    stop: CancellationToken,
    tasks: &Tasks,
) -> Says {
    let (accounts, sites) = (settings.accounts.clone(), settings.wording.clone());
    let base = Words { accounts, sites, templates: 0 };
    let projection = WordsProjection { words: Arc::new(base.clone()), base };
    let (says, following) = Follow::new(ledger, SETTINGS, stop).start(projection);
    tasks.spawn("book", following);
    says
}
