//! Which accounts are kept here: their keepers, started, stopped and started anew with other
//! credentials.

use crate::decide::{Channel, Rules};
use crate::keeper::{Desk, Keeper};
use crate::store::Store;
use crate::{Account, Ports, Settings};
use paihao_chassis::{Tasks, entropy};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The keepers of one replica.
pub(crate) struct Roster {
    settings: Settings,
    ports: Ports,
    tasks: Tasks,
    holder: String,
    pub(crate) desk: Arc<Desk>,
    kept: Mutex<HashMap<String, Kept>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

struct Kept {
    account: Account,
    store: Store,
    tasks: Tasks,
}

impl Roster {
    pub(crate) fn new(settings: Settings, ports: Ports, tasks: Tasks) -> Self {
        Roster {
            settings,
            ports,
            tasks,
            holder: entropy::token(12),
            desk: Arc::default(),
            kept: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Where an account's token is stored, if the account is kept.
    pub(crate) fn store(&self, account: &str) -> Option<Store> {
        self.kept.lock().get(account).map(|kept| kept.store.clone())
    }

    pub(crate) fn add(&self, account: Account, is_new_secret: bool) {
        let Ports { cache, issuer, clock, .. } = &self.ports;
        let store = Store::new(cache.clone(), clock.clone(), &account.name);
        let tasks = self.tasks.child(&format!("keeper {}", account.name));
        let keeper = Keeper {
            rules: match account.channel {
                Channel::Stable => Rules::stable(self.settings.stable_ahead),
                Channel::Classic => Rules::classic(self.settings.classic_ahead),
            },
            store: store.clone(),
            cache: cache.clone(),
            issuer: issuer.clone(),
            clock: clock.clone(),
            desk: self.desk.clone(),
            holder: self.holder.clone(),
            lease: self.settings.lease,
            stop: tasks.stop().clone(),
            account: account.clone(),
            is_new_secret,
        };
        tasks.spawn_essential("keeping", keeper.run());
        let name = account.name.clone();
        self.kept.lock().insert(name, Kept { account, store, tasks });
    }

    /// Keeps these accounts from now on. A keeper whose account is gone or has changed finishes the
    /// fetch it is at, stores it and gives its lease up before another takes its place.
    pub(crate) async fn change(&self, accounts: Vec<Account>) -> Changes {
        let _alone = self.changing.lock().await;
        let mut changes = Changes::default();
        let mut wanted: HashMap<String, Account> =
            accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        let mut ending = Vec::new();
        {
            let kept = self.kept.lock();
            for (name, kept) in &*kept {
                match wanted.get(name) {
                    Some(account) if *account == kept.account => {
                        wanted.remove(name);
                    }
                    other => {
                        let changed = other.is_some();
                        kept.tasks.stop().cancel();
                        ending.push((name.clone(), kept.tasks.clone(), changed));
                    }
                }
            }
        }
        for (name, tasks, changed) in ending {
            tasks.wait().await;
            self.kept.lock().remove(&name);
            let what = if changed { &mut changes.changed } else { &mut changes.removed };
            what.push(name);
        }
        if self.tasks.is_stopping() {
            return changes;
        }
        for (name, account) in wanted {
            let changed = changes.changed.contains(&name);
            self.add(account, changed);
            if !changed {
                changes.added.push(name);
            }
        }
        changes
    }
}

/// What a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Accounts kept from now on.
    pub added: Vec<String>,
    /// Accounts with other credentials or another channel than before.
    pub changed: Vec<String>,
    /// Accounts kept no longer.
    pub removed: Vec<String>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}
