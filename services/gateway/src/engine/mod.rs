//! Engine: follows the ledger, which holds the lines of all sites, and decides commands by
//! appending to it.
//!
//! - `view`: a site as this replica knows it;
//! - `replica`: the projection of the ledger onto all sites;
//! - `site_worker`: from a command to an entry of the ledger and its outcome;
//! - `registry`: the sites there are, while they and their settings may change;
//! - `as_of`: a site at a past instant.

pub(crate) mod as_of;
mod registry;
mod replica;
mod site_worker;
mod view;

pub use site_worker::{CommandOutcome, Forecasts, SUBMIT_TIMEOUT, SubmitError};
pub use view::{DecisionObserver, SiteSnapshot};

use crate::site::SiteSettings;
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace;
use paihao_contracts::streams::LEDGER;
use paihao_domain::{Command, DecisionInput};
use paihao_ledger::projection::{Follow, Follower};
use paihao_ledger::{Ledger, Position};
use registry::{SiteHandles, SiteRegistry};
use replica::Replica;
use site_worker::PendingCommand;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Engine of this deployment. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    registry: Arc<SiteRegistry>,
    forecasts: Arc<dyn Forecasts>,
    follower: Follower<()>,
}

impl Engine {
    /// Begins to follow the ledger, and starts a worker for every site. Both run until `closed`,
    /// which comes once the requests under way have been answered.
    pub fn start(
        sites: &BTreeMap<String, Arc<SiteSettings>>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        forecasts: Arc<dyn Forecasts>,
        observer: DecisionObserver,
        closed: &CancellationToken,
        tasks: &Tasks,
    ) -> Engine {
        let replica = Replica::new(observer);
        let follow = Follow::new(ledger.clone(), LEDGER, closed.clone());
        let (follower, following) = follow.start_decoding_ahead(replica.clone());
        let registry = SiteRegistry {
            forecasts: forecasts.clone(),
            handles: parking_lot::RwLock::default(),
            replica,
            ledger,
            clock,
            follower: follower.clone(),
            closed: closed.clone(),
            tasks: tasks.clone(),
        };
        registry.set_sites(sites);
        tasks.spawn("follower", following);
        Engine { registry: Arc::new(registry), forecasts, follower }
    }

    /// Replaces the sites and their settings: each decision is made with the settings that are
    /// there when it is made. Workers start for new sites. A worker of a site that is gone ends
    /// once it has answered the commands that it had received.
    pub fn set_sites(&self, sites: &BTreeMap<String, Arc<SiteSettings>>) {
        self.registry.set_sites(sites);
    }

    /// Decides a command, appends the decision and returns its outcome.
    ///
    /// Returns within [`SUBMIT_TIMEOUT`]. After `SubmitError::Unavailable` the command may still
    /// have been written; submitting it again with the same id tells.
    pub async fn submit(
        &self,
        site: &str,
        command: Command,
    ) -> Result<CommandOutcome, SubmitError> {
        let place = self.handles().get(site).cloned().ok_or(SubmitError::UnknownSite)?;
        let (reply, answer) = oneshot::channel();
        let request = PendingCommand { command, trace: trace::current(), reply };
        place.commands.try_send(request).map_err(|_| SubmitError::Unavailable)?;
        match tokio::time::timeout(SUBMIT_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            _ => Err(SubmitError::Unavailable),
        }
    }

    /// Returns the settings of a site, as they are now.
    pub fn settings(&self, site: &str) -> Option<Arc<SiteSettings>> {
        self.handles().get(site).map(|place| place.settings.now())
    }

    /// Returns the settings of all sites, as they are now.
    pub fn all_settings(&self) -> impl Iterator<Item = Arc<SiteSettings>> + use<> {
        let books: Vec<_> = self.handles().values().map(|place| place.settings.now()).collect();
        books.into_iter()
    }

    /// Returns a site as this replica knows it now.
    pub fn snapshot(&self, site: &str) -> Option<SiteSnapshot> {
        self.handles().get(site).map(|place| place.replica.now())
    }

    /// Returns a site with every entry that stood in the ledger at the call. A refusal that rests
    /// on an older snapshot could be wrong already.
    pub async fn latest_snapshot(&self, site: &str) -> Result<SiteSnapshot, SubmitError> {
        let place = self.handles().get(site).cloned().ok_or(SubmitError::UnknownSite)?;
        let looking = async {
            let last = self.registry.ledger.last(&LEDGER, &place.replica.subject).await;
            let last = last.map_err(|_| SubmitError::Unavailable)?;
            let found = last.map_or(Position::START, |recorded| recorded.position);
            let mut views = place.replica.watch();
            let view = views.wait_for(|view| view.position >= found || view.unreadable).await;
            view.map(|view| view.clone()).map_err(|_| SubmitError::Unavailable)
        };
        tokio::time::timeout(SUBMIT_TIMEOUT, looking).await.unwrap_or(Err(SubmitError::Unavailable))
    }

    /// Watches a site: wakes when its state or its settings change.
    pub fn watch(&self, site: &str) -> Option<watch::Receiver<SiteSnapshot>> {
        self.handles().get(site).map(|place| place.replica.watch())
    }

    /// Returns the input of a decision at an instant, in Unix milliseconds, with the site's
    /// forecast model.
    pub fn decision_input(&self, book: &SiteSettings, at_ms: i64) -> DecisionInput {
        book.calendar.at(at_ms).with_model(self.forecasts.model(&book.subject))
    }

    fn handles(&self) -> SiteHandles {
        self.registry.handles.read().clone()
    }

    /// Returns whether the ledger has been read up to its head at the start.
    pub fn caught_up(&self) -> bool {
        self.follower.caught_up()
    }

    /// Waits until [`Engine::caught_up`].
    pub async fn until_caught_up(&self) {
        self.follower.until_caught_up().await;
    }
}
