//! What each account and site says, while that may change: the configuration, and on top of it what
//! the log of the book says. A notice is said in the words of the moment at which it is sent.

use crate::Settings;
use crate::channels::{AccountPolicies, NoticePolicy};
use futures::StreamExt;
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::notice::Notice;
use paihao_contracts::settings::Wording;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Followed, Ledger, Position};
use paihao_notice_text::{policy, render, sample};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Everything that is said, by whom.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Words {
    /// By the account's name.
    pub(crate) accounts: BTreeMap<String, AccountPolicies>,
    /// By the site's id, and the kind of notice.
    pub(crate) sites: BTreeMap<String, BTreeMap<String, Wording>>,
}

/// The newest of it.
pub(crate) type Says = watch::Receiver<Arc<Words>>;

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

    /// Whether templates may be other ones now.
    fn take_in(&mut self, event: SettingsEvent) -> bool {
        match event {
            SettingsEvent::AccountSet { account, setup, .. } => {
                // Without credentials there is nobody to say it.
                let known = self.accounts.get_mut(&account);
                known.map(|says| *says = policy::account_policies(&setup)).is_some()
            }
            SettingsEvent::SiteSet { site, setup, .. } => {
                self.sites.insert(site, setup.wording);
                false
            }
            _ => false,
        }
    }
}

/// Begins to follow the book; whoever looks after accounts is `asked` to look at what is new.
pub(crate) fn follow(
    settings: &Settings,
    ledger: Arc<dyn Ledger>,
    asked: watch::Sender<u64>,
    stop: CancellationToken,
    tasks: &Tasks,
) -> Says {
    let base = Words { accounts: settings.accounts.clone(), sites: settings.wording.clone() };
    let (told, says) = watch::channel(Arc::new(base.clone()));
    tasks.spawn("book", async move {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !stop.is_cancelled() {
            match ledger.follow(&SETTINGS, Position::START).await {
                Ok(mut entries) => {
                    let mut words = base.clone();
                    let next =
                        async |entries: &mut futures::stream::BoxStream<'static, Followed>| {
                            stop.run_until_cancelled(entries.next()).await.flatten()
                        };
                    while let Some(followed) = next(&mut entries).await {
                        let Followed::Entry(recorded) = followed else {
                            words = base.clone();
                            told.send_replace(Arc::new(words.clone()));
                            continue;
                        };
                        let entry = SettingsEntry::decode(&recorded.entry.payload);
                        let Some(entry) = entry else { continue };
                        let templates = words.take_in(entry.event);
                        told.send_if_modified(|told| {
                            let news = **told != words;
                            if news {
                                *told = Arc::new(words.clone());
                            }
                            news
                        });
                        if templates {
                            asked.send_modify(|asked| *asked += 1);
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "cannot follow the book yet"),
            }
            backoff.wait_unless(&stop).await;
        }
    });
    says
}
