//! Accounts that the service keeps tokens for: those of the configuration, and those that the
//! settings log adds.

use crate::decide::Channel;
use crate::registry::{AccountChanges, KeeperRegistry};
use crate::settings::Account;
use paihao_chassis::Tasks;
use paihao_chassis::sealing::Keyring;
use paihao_contracts::account_credentials::{AccountCredentials, TokenChannel};
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::stored_secret::account_secret_place;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Ledger, Projection, StoredEntry};
use paihao_wechat::{AppId, AppSecret};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Accounts of both sources. One of the configuration counts before one of its name that was added.
pub(crate) struct AccountSet {
    registry: Arc<KeeperRegistry>,
    configured: Mutex<Vec<Account>>,
    added: Mutex<Vec<Account>>,
}

impl AccountSet {
    pub(crate) fn new(registry: Arc<KeeperRegistry>, configured: Vec<Account>) -> AccountSet {
        AccountSet { registry, configured: Mutex::new(configured), added: Mutex::default() }
    }

    /// Replaces the accounts of the configuration.
    pub(crate) async fn set_configured(&self, accounts: Vec<Account>) -> AccountChanges {
        *self.configured.lock() = accounts;
        self.publish().await
    }

    async fn set_added(&self, accounts: Vec<Account>) {
        *self.added.lock() = accounts;
        self.publish().await;
    }

    async fn publish(&self) -> AccountChanges {
        let mut accounts = BTreeMap::new();
        let added = self.added.lock().clone();
        for account in added.into_iter().chain(self.configured.lock().clone()) {
            accounts.insert(account.name.clone(), account);
        }
        let changes = self.registry.replace_accounts(accounts.into_values().collect()).await;
        if !changes.is_empty() {
            let AccountChanges { added, changed, removed } = &changes;
            tracing::info!(?added, ?changed, ?removed, "accounts changed");
        }
        changes
    }
}

/// Projection of the settings log onto the credentials of the accounts that it adds.
#[derive(Default)]
struct AddedProjection(Arc<BTreeMap<String, AccountCredentials>>);

impl Projection for AddedProjection {
    type View = Arc<BTreeMap<String, AccountCredentials>>;

    fn view(&self) -> Arc<BTreeMap<String, AccountCredentials>> {
        self.0.clone()
    }

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let entry: SettingsEntry = envelope::decode(&stored.entry.payload)?;
        match entry.event {
            SettingsEvent::CredentialsSet { account, credentials, .. }
            | SettingsEvent::CredentialsResealed { account, credentials } => {
                Arc::make_mut(&mut self.0).insert(account, *credentials);
            }
            SettingsEvent::AccountRetired { account, .. } => {
                Arc::make_mut(&mut self.0).remove(&account);
            }
            SettingsEvent::PermanentCodeCreated(_)
            | SettingsEvent::SiteSet { .. }
            | SettingsEvent::SiteRetired { .. }
            | SettingsEvent::AccountSet { .. }
            | SettingsEvent::LogoSet { .. }
            | SettingsEvent::LogoRemoved { .. } => {}
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = Arc::default();
    }
}

/// Follows the settings log until the stop. Nothing is taken up before all of it was read: a former
/// secret would be tried.
pub(crate) fn follow(
    accounts: Arc<AccountSet>,
    keyring: Option<Arc<Keyring>>,
    ledger: Arc<dyn Ledger>,
    tasks: &Tasks,
) {
    let follow = Follow::new(ledger, SETTINGS, tasks.stop().clone());
    let (follower, following) = follow.start(AddedProjection::default());
    tasks.spawn("settings", following);
    tasks.spawn("added accounts", async move {
        let mut changes = follower.changes();
        let mut before = Arc::default();
        let mut opened: BTreeMap<String, Account> = BTreeMap::new();
        loop {
            let changed = changes
                .wait_for(|progress| progress.caught_up && progress.view != before)
                .await
                .map(|progress| progress.view.clone());
            let Ok(now) = changed else { return };
            opened.retain(|name, _| now.contains_key(name));
            for (name, credentials) in &*now {
                // One whose secret cannot be opened keeps the secret that it had.
                if before.get(name) != Some(credentials)
                    && let Some(account) = open(name, credentials, keyring.as_deref())
                {
                    opened.insert(name.clone(), account);
                }
            }
            before = now;
            accounts.set_added(opened.values().cloned().collect()).await;
        }
    });
}

fn open(
    name: &str,
    credentials: &AccountCredentials,
    keyring: Option<&Keyring>,
) -> Option<Account> {
    let place = account_secret_place(name, "secret");
    let opened = match keyring {
        Some(keyring) => {
            keyring.open(&place, credentials.secret.as_stored()).map_err(|error| error.to_string())
        }
        None => Err("there is no operator's key".to_owned()),
    };
    let secret = opened.inspect_err(|error| {
        tracing::error!(account = name, error, "cannot open the secret of an account");
    });
    Some(Account {
        name: name.to_owned(),
        app: AppId(credentials.appid.clone()),
        secret: AppSecret::new(secret.ok()?),
        channel: match credentials.token_channel {
            TokenChannel::Stable => Channel::Stable,
            TokenChannel::Classic => Channel::Classic,
        },
    })
}
