//! Templates: the texts and channel policies of accounts and sites.
//!
//! They come from the configuration and from the settings log, which overrides it. A notice uses
//! the templates in force at the time of its attempt.

use crate::settings::Settings;
use paihao_chassis::Tasks;
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::notice::Notice;
use paihao_contracts::settings::Wording;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Follower, Ledger, Projection, StoredEntry, Subject};
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
    /// Number that increases whenever template bindings of an account may have changed.
    pub(crate) revision: u64,
    /// Documents of newer programs, by subject: what they say is not known here.
    newer: BTreeMap<Subject, NewerForm>,
}

/// Handle to the templates in force.
pub(crate) type TemplatesReceiver = Follower<Arc<Templates>>;

impl Templates {
    /// Returns the policy for a notice, unless a newer program set it.
    pub(crate) fn policy(&self, notice: &Notice) -> Result<NoticePolicy, NewerForm> {
        let site = notice.key.split('/').next().unwrap_or_default();
        for document in [["account", &*notice.account], ["site", site]] {
            let newer = Subject::new(&document).ok().and_then(|subject| self.newer.get(&subject));
            if let Some(newer) = newer {
                return Err(*newer);
            }
        }
        let account = self.accounts.get(&*notice.account);
        let policy = account.and_then(|policies| policies.get(render::kind(notice))).cloned();
        let wording = self.sites.get(site).and_then(|texts| texts.get(sample::site_kind(notice)));
        Ok(match (policy.unwrap_or_default(), wording) {
            (policy, Some(wording)) => policy.with_wording(wording),
            (policy, None) => policy,
        })
    }
}

/// Projection of the settings log onto the templates.
struct TemplatesProjection {
    /// Templates of the configuration.
    base: Templates,
    templates: Arc<Templates>,
}

impl Projection for TemplatesProjection {
    type View = Arc<Templates>;

    fn view(&self) -> Arc<Templates> {
        self.templates.clone()
    }

    fn apply(&mut self, recorded: StoredEntry) -> Result<(), ReadError> {
        let entry: SettingsEntry =
            envelope::decode(&recorded.entry.payload).inspect_err(|error| {
                if let Some(newer) = error.newer() {
                    let templates = Arc::make_mut(&mut self.templates);
                    templates.newer.insert(recorded.subject.clone(), newer);
                }
            })?;
        if self.templates.newer.contains_key(&recorded.subject) {
            Arc::make_mut(&mut self.templates).newer.remove(&recorded.subject);
        }
        match entry.event {
            SettingsEvent::AccountSet { account, setup, .. } => {
                let templates = Arc::make_mut(&mut self.templates);
                // An account without credentials in the configuration cannot send.
                if let Some(policies) = templates.accounts.get_mut(&account) {
                    *policies = policy::account_policies(&setup);
                    templates.revision += 1;
                }
            }
            SettingsEvent::SiteSet { site, setup, .. } => {
                Arc::make_mut(&mut self.templates).sites.insert(site, setup.wording);
            }
            _ => {}
        }
        Ok(())
    }

    fn reset(&mut self) {
        let revision = self.templates.revision;
        self.templates = Arc::new(Templates { revision, ..self.base.clone() });
    }
}

/// Starts the projection of the settings log.
pub(crate) fn follow(
    settings: &Settings,
    ledger: Arc<dyn Ledger>,
    stop: CancellationToken,
    tasks: &Tasks,
) -> TemplatesReceiver {
    let base = Templates {
        accounts: settings.accounts.clone(),
        sites: settings.wording.clone(),
        ..Templates::default()
    };
    let projection = TemplatesProjection { templates: Arc::new(base.clone()), base };
    let (receiver, following) = Follow::new(ledger, SETTINGS, stop).start(projection);
    tasks.spawn("templates", following);
    receiver
}
