//! Templates: the texts and channel policies of accounts and sites.
//!
//! They come from the configuration and from the settings log, which overrides it and adds
//! accounts. A notice uses the templates in force at the time of its attempt.

use crate::settings::Settings;
use paihao_chassis::Tasks;
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::notice::Notice;
use paihao_contracts::settings::{AccountSetup, Wording};
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
    /// Policies of the accounts that can send, by name.
    pub(crate) accounts: BTreeMap<String, AccountPolicies>,
    /// Policies of accounts that are not there, such as one that was retired, by name.
    absent: BTreeMap<String, AccountPolicies>,
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
                let new = policy::account_policies(&setup);
                // An account without credentials cannot send.
                if let Some(policies) = templates.accounts.get_mut(&account) {
                    *policies = new;
                    templates.revision += 1;
                } else {
                    templates.absent.insert(account, new);
                }
            }
            SettingsEvent::CredentialsSet { account, .. }
                if !self.templates.accounts.contains_key(&account) =>
            {
                let templates = Arc::make_mut(&mut self.templates);
                let set = templates.absent.remove(&account);
                let usual = || policy::account_policies(&AccountSetup::default());
                templates.accounts.insert(account, set.unwrap_or_else(usual));
                templates.revision += 1;
            }
            SettingsEvent::AccountRetired { account, .. }
                if !self.base.accounts.contains_key(&account) =>
            {
                let templates = Arc::make_mut(&mut self.templates);
                if let Some(policies) = templates.accounts.remove(&account) {
                    templates.absent.insert(account, policies);
                }
            }
            SettingsEvent::SiteSet { site, setup, .. } => {
                Arc::make_mut(&mut self.templates).sites.insert(site, setup.wording);
            }
            SettingsEvent::CredentialsSet { .. }
            | SettingsEvent::CredentialsResealed { .. }
            | SettingsEvent::AccountRetired { .. }
            | SettingsEvent::SiteRetired { .. }
            | SettingsEvent::LogoSet { .. }
            | SettingsEvent::LogoRemoved { .. }
            | SettingsEvent::PermanentCodeCreated(_) => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::account_credentials::{AccountCredentials, CallbackMode, TokenChannel};
    use paihao_contracts::stored_secret::StoredSecret;
    use paihao_ledger::{Entry, Position};

    fn projection(accounts: &[&str]) -> TemplatesProjection {
        let policies = |name: &&str| ((*name).to_owned(), AccountPolicies::new());
        let accounts = accounts.iter().map(policies).collect();
        let base = Templates { accounts, ..Templates::default() };
        TemplatesProjection { templates: Arc::new(base.clone()), base }
    }

    fn apply(projection: &mut TemplatesProjection, event: SettingsEvent) {
        let entry = Entry::new(SettingsEntry::new(0, event).encode());
        let subject = Subject::new(&["any"]).unwrap();
        let stored = StoredEntry { position: Position(1), subject, at_ms: 0, entry };
        projection.apply(stored).unwrap();
    }

    fn connected(account: &str) -> SettingsEvent {
        let secret = || StoredSecret::new("sealed:1:0a1b2c3d:AAAA");
        let credentials = AccountCredentials {
            appid: "wx1".to_owned(),
            secret: secret(),
            token_channel: TokenChannel::Stable,
            mode: CallbackMode::Secure,
            former_mode: None,
            callback_token: secret(),
            former_callback_token: None,
            aes_key: secret(),
            former_aes_key: None,
        };
        let (account, by) = (account.to_owned(), "boss".to_owned());
        let credentials = Box::new(credentials);
        SettingsEvent::CredentialsSet { account, by, credentials, idempotency: None }
    }

    fn set(account: &str, text: &str) -> SettingsEvent {
        let setup = serde_json::json!({"called": {"text": text}});
        let setup = Box::new(serde_json::from_value(setup).unwrap());
        let (account, by) = (account.to_owned(), "boss".to_owned());
        SettingsEvent::AccountSet { account, by, setup, idempotency: None }
    }

    fn retired(account: &str) -> SettingsEvent {
        let (account, by) = (account.to_owned(), "boss".to_owned());
        SettingsEvent::AccountRetired { account, by, idempotency: None }
    }

    fn text(projection: &TemplatesProjection, account: &str) -> Option<String> {
        let called = projection.templates.accounts.get(account)?.get("called");
        Some(called.map_or(String::new(), |policy| policy.text.clone()))
    }

    #[test]
    fn an_account_sends_from_its_credentials_on_until_it_is_retired() {
        let mut projection = projection(&["shop"]);
        apply(&mut projection, set("clinic", "早"));
        assert_eq!(text(&projection, "clinic"), None, "nobody can send in its name yet");
        apply(&mut projection, connected("clinic"));
        assert_eq!(text(&projection, "clinic").as_deref(), Some("早"));
        apply(&mut projection, set("clinic", "好"));
        apply(&mut projection, connected("clinic"));
        assert_eq!(text(&projection, "clinic").as_deref(), Some("好"), "another secret");
        apply(&mut projection, retired("clinic"));
        assert_eq!(text(&projection, "clinic"), None);
        apply(&mut projection, connected("clinic"));
        assert_eq!(text(&projection, "clinic").as_deref(), Some("好"), "it came back");
        apply(&mut projection, connected("salon"));
        assert!(text(&projection, "salon").is_some_and(|text| !text.is_empty()), "the usual text");
        apply(&mut projection, retired("shop"));
        assert!(text(&projection, "shop").is_some(), "the configuration has it");
    }
}
