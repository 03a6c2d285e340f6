//! Registry of the sites and their workers: a snapshot that is replaced as a whole when the
//! settings change.

use super::replica::Replica;
use super::site_worker::{SiteWorker, WorkerContext};
use crate::site::SiteSettings;
use paihao_ledger::Ledger;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Workers of all sites, by the ids of the sites.
pub(super) type SiteHandles = Arc<BTreeMap<Arc<str>, Arc<SiteWorker>>>;

/// Registry of all sites, with everything that a new worker needs.
pub(super) struct SiteRegistry {
    pub(super) handles: RwLock<SiteHandles>,
    pub(super) replica: Replica,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) context: Arc<WorkerContext>,
}

impl SiteRegistry {
    pub(super) fn set_sites(&self, sites: &BTreeMap<String, Arc<SiteSettings>>) {
        let mut handles = self.handles.write();
        let updated = sites.iter().map(|(id, settings)| {
            let known = handles.get_key_value(&**id);
            match known.filter(|(_, worker)| worker.settings().subject == settings.subject) {
                Some((id, worker)) => {
                    worker.replace_settings(settings);
                    (id.clone(), worker.clone())
                }
                None => (settings.facts.id.clone(), self.new_worker(settings)),
            }
        });
        *handles = Arc::new(updated.collect());
    }

    fn new_worker(&self, settings: &Arc<SiteSettings>) -> Arc<SiteWorker> {
        let replica = self.replica.site(&settings.subject);
        let worker = SiteWorker::new(settings.clone(), replica, self.context.clone());
        // Something may be due, as the settings are now.
        worker.replica.request_timers();
        Arc::new(worker)
    }
}
