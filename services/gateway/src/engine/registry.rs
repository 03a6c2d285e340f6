//! Registry of the sites and their workers: a snapshot that is replaced as a whole when the
//! settings change.

use super::replica::Replica;
use super::site_worker::{CurrentSettings, Forecasts, PendingCommand, SiteWorker};
use super::view::SiteReplica;
use crate::site::SiteSettings;
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_ledger::{Follower, Ledger};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Commands that may wait for one site's worker; more are declined at once.
const MAX_QUEUED_COMMANDS: usize = 4096;

/// Handles of all sites, by id.
pub(super) type SiteHandles = Arc<BTreeMap<String, SiteHandle>>;

/// Handle of a site: its settings, its replica and the channel of its worker.
#[derive(Clone)]
pub(super) struct SiteHandle {
    pub(super) settings: Arc<CurrentSettings>,
    pub(super) replica: Arc<SiteReplica>,
    pub(super) commands: mpsc::Sender<PendingCommand>,
}

/// Registry of all sites, with everything that a new worker needs.
pub(super) struct SiteRegistry {
    pub(super) handles: RwLock<SiteHandles>,
    pub(super) replica: Replica,
    pub(super) forecasts: Arc<dyn Forecasts>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) follower: Follower<()>,
    pub(super) closed: CancellationToken,
    pub(super) tasks: Tasks,
}

impl SiteRegistry {
    pub(super) fn set_sites(&self, sites: &BTreeMap<String, Arc<SiteSettings>>) {
        let mut handles = self.handles.write();
        let updated = sites.iter().map(|(id, settings)| {
            let known =
                handles.get(id).filter(|handle| handle.settings.now().subject == settings.subject);
            let handle = match known {
                Some(handle) => self.updated_handle(handle, settings),
                None => self.start_worker(settings),
            };
            (id.clone(), handle)
        });
        *handles = Arc::new(updated.collect());
    }

    /// Returns the same handle. The next decision is made with these settings.
    fn updated_handle(&self, handle: &SiteHandle, settings: &Arc<SiteSettings>) -> SiteHandle {
        if !Arc::ptr_eq(&handle.settings.now(), settings) {
            handle.settings.replace(settings.clone());
            handle.replica.notify();
        }
        handle.clone()
    }

    fn start_worker(&self, settings: &Arc<SiteSettings>) -> SiteHandle {
        let replica = self.replica.site(&settings.subject);
        let current = Arc::new(CurrentSettings::new(settings.clone()));
        let (commands, requests) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let worker = SiteWorker {
            settings: current.clone(),
            replica: replica.clone(),
            forecasts: self.forecasts.clone(),
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
        };
        let follower = self.follower.clone();
        self.tasks.spawn_vital("site-worker", worker.run(requests, follower, self.closed.clone()));
        SiteHandle { settings: current, replica, commands }
    }
}
