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

/// The sites by id.
pub(super) type SiteHandles = Arc<BTreeMap<String, SiteHandle>>;

#[derive(Clone)]
pub(super) struct SiteHandle {
    pub(super) settings: Arc<CurrentSettings>,
    pub(super) replica: Arc<SiteReplica>,
    pub(super) commands: mpsc::Sender<PendingCommand>,
}

/// All sites, and everything that the worker of a further one needs.
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
        let mut now = self.handles.write();
        let places = sites.iter().map(|(id, book)| {
            let known = now.get(id).filter(|place| place.settings.now().subject == book.subject);
            let place = match known {
                Some(place) => self.updated_handle(place, book),
                None => self.start_worker(book),
            };
            (id.clone(), place)
        });
        *now = Arc::new(places.collect());
    }

    /// Returns the same handle. The next decision is made with these settings.
    fn updated_handle(&self, place: &SiteHandle, book: &Arc<SiteSettings>) -> SiteHandle {
        if !Arc::ptr_eq(&place.settings.now(), book) {
            place.settings.replace(book.clone());
            place.replica.notify();
        }
        place.clone()
    }

    fn start_worker(&self, book: &Arc<SiteSettings>) -> SiteHandle {
        let view = self.replica.site(&book.subject);
        let current = Arc::new(CurrentSettings::new(book.clone()));
        let (desk, requests) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        let forecasts = self.forecasts.clone();
        let worker = SiteWorker::new(current.clone(), view.clone(), forecasts, ledger, clock);
        let follower = self.follower.clone();
        self.tasks.spawn("desk", worker.run(requests, follower, self.closed.clone()));
        SiteHandle { settings: current, replica: view, commands: desk }
    }
}
