//! Registry of the keepers of one replica: starts and stops them, and replaces them when
//! credentials change.

use crate::decide::{Channel, RefreshPolicy};
use crate::keeper::{Keeper, KeeperSignals};
use crate::ports::Ports;
use crate::settings::{Account, Settings};
use crate::store::Store;
use paihao_chassis::{Tasks, entropy};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Keepers of one replica, by account.
pub(crate) struct KeeperRegistry {
    settings: Settings,
    ports: Ports,
    tasks: Tasks,
    holder: String,
    pub(crate) signals: Arc<KeeperSignals>,
    keepers: Mutex<HashMap<String, RunningKeeper>>,
    /// Held during a change, so that there is one at a time.
    change_lock: tokio::sync::Mutex<()>,
}

/// A keeper that runs.
struct RunningKeeper {
    account: Account,
    store: Store,
    tasks: Tasks,
}

impl KeeperRegistry {
    pub(crate) fn new(settings: Settings, ports: Ports, tasks: Tasks) -> Self {
        KeeperRegistry {
            settings,
            ports,
            tasks,
            holder: entropy::token(12),
            signals: Arc::default(),
            keepers: Mutex::default(),
            change_lock: tokio::sync::Mutex::default(),
        }
    }

    /// Token store of an account that has a keeper.
    pub(crate) fn store(&self, account: &str) -> Option<Store> {
        self.keepers.lock().get(account).map(|keeper| keeper.store.clone())
    }

    /// Starts a keeper. With a new secret it fetches a token at once.
    pub(crate) fn start_keeper(&self, account: Account, is_new_secret: bool) {
        let Ports { cache, issuer, clock, .. } = &self.ports;
        let store = Store::new(cache.clone(), clock.clone(), &account.name);
        let tasks = self.tasks.child(&format!("keeper {}", account.name));
        let keeper = Keeper {
            policy: match account.channel {
                Channel::Stable => RefreshPolicy::stable(self.settings.stable_ahead),
                Channel::Classic => RefreshPolicy::classic(self.settings.classic_ahead),
            },
            store: store.clone(),
            cache: cache.clone(),
            issuer: issuer.clone(),
            clock: clock.clone(),
            signals: self.signals.clone(),
            holder: self.holder.clone(),
            lease: self.settings.lease,
            stop: tasks.stop().clone(),
            account: account.clone(),
            is_new_secret,
        };
        tasks.spawn_essential("keeping", keeper.run());
        let name = account.name.clone();
        self.keepers.lock().insert(name, RunningKeeper { account, store, tasks });
    }

    /// Replaces the accounts. A keeper whose account is gone or has changed finishes its fetch,
    /// stores the token and releases its lease before another takes its place.
    pub(crate) async fn replace_accounts(&self, accounts: Vec<Account>) -> AccountChanges {
        let _guard = self.change_lock.lock().await;
        let mut changes = AccountChanges::default();
        let mut accounts_to_start: HashMap<String, Account> =
            accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        let mut stopping = Vec::new();
        {
            let keepers = self.keepers.lock();
            for (name, keeper) in &*keepers {
                match accounts_to_start.get(name) {
                    Some(account) if *account == keeper.account => {
                        accounts_to_start.remove(name);
                    }
                    other => {
                        let changed = other.is_some();
                        keeper.tasks.stop().cancel();
                        stopping.push((name.clone(), keeper.tasks.clone(), changed));
                    }
                }
            }
        }
        for (name, tasks, changed) in stopping {
            tasks.wait().await;
            self.keepers.lock().remove(&name);
            let list = if changed { &mut changes.changed } else { &mut changes.removed };
            list.push(name);
        }
        if self.tasks.is_stopping() {
            return changes;
        }
        for (name, account) in accounts_to_start {
            let changed = changes.changed.contains(&name);
            self.start_keeper(account, changed);
            if !changed {
                changes.added.push(name);
            }
        }
        changes
    }
}

/// Accounts that a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChanges {
    /// Accounts with a new keeper.
    pub added: Vec<String>,
    /// Accounts with other credentials or another channel than before.
    pub changed: Vec<String>,
    /// Accounts without a keeper from now on.
    pub removed: Vec<String>,
}

impl AccountChanges {
    /// True if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}
