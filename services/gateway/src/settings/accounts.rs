//! Opener of the accounts that the settings log adds to those of the configuration.

use super::documents::SettingsDocuments;
use super::{AccountSettings, DeploymentSettings, credentials};
use paihao_chassis::sealing::Keyring;
use paihao_ledger::Position;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Opener of the accounts of the settings log.
pub(super) struct AccountOpener {
    pub(super) keyring: Option<Arc<Keyring>>,
    /// Revisions of the credentials that are in force.
    opened: BTreeMap<String, Position>,
}

impl AccountOpener {
    pub(super) fn new(keyring: Option<Arc<Keyring>>) -> AccountOpener {
        AccountOpener { keyring, opened: BTreeMap::new() }
    }

    /// Puts the accounts of these documents in force. One whose secrets cannot be opened stays as
    /// it was.
    pub(super) fn publish(
        &mut self,
        deployment: &DeploymentSettings,
        documents: &SettingsDocuments,
    ) {
        let before = deployment.added_accounts.0.read().clone();
        let mut added = (*before).clone();
        let documented: BTreeMap<_, _> = documents.added_accounts().collect();
        let is_added = |name: &String| {
            documented.contains_key(name) && !deployment.accounts.contains_key(name)
        };
        added.accounts.retain(|name, _| is_added(name));
        self.opened.retain(|name, _| is_added(name));
        for (name, (revision, stored)) in &documented {
            let name: &String = name;
            if !is_added(name) || self.opened.get(name) == Some(revision) {
                continue;
            }
            let opened = match &self.keyring {
                Some(keyring) => credentials::protection(name, stored, keyring)
                    .map_err(|error| error.to_string()),
                None => Err("there is no operator's key".to_owned()),
            };
            match opened {
                Ok(protection) => {
                    self.opened.insert(name.clone(), *revision);
                    let account = added.accounts.get(name);
                    if account.is_none_or(|account| account.reload(&protection).is_err()) {
                        let setup = documents.account_setup(name);
                        let account = Arc::new(AccountSettings::new(protection, &setup));
                        added.accounts.insert(name.clone(), account);
                    }
                    tracing::info!(account = name, "an account of the settings is in force");
                }
                Err(error) => {
                    tracing::error!(account = name, error, "cannot open an account's secrets");
                }
            }
        }
        let accounts = &added.accounts;
        let mut in_order = documents.account_order.iter();
        added.first = in_order.find(|name| accounts.contains_key(*name)).cloned();
        *deployment.added_accounts.0.write() = Arc::new(added);
    }
}
