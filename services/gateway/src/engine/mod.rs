//! The lines of all sites: what they are (by following the ledger) and how they change (by
//! appending to it).
//!
//! - [`snapshot`]: a site as this replica knows it;
//! - [`start`]: how the views keep up with the ledger;
//! - [`commands`]: how a command becomes an entry of the ledger, and its answer;
//! - `registry`: which sites there are, and with which rules, while both may change;
//! - [`codec`]: the domain's decisions in their stored form, and back;
//! - [`as_of`]: a site as it stood before.

pub(crate) mod as_of;
mod registry;
mod replica;
mod site_worker;
mod view;

pub use site_worker::{CommandOutcome, SubmitError};
pub use view::SiteSnapshot;

use crate::projections::visits::VisitProjection;
use crate::settings::{DeploymentSettings, SiteSettings};
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace;
use paihao_contracts::streams::LEDGER;
use paihao_domain::{Command, Decision, DecisionInput};
use paihao_ledger::{Ledger, Position, Subject};
use registry::{SiteHandles, SiteRegistry};
use replica::Replica;
use site_worker::PendingCommand;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long a command may take to become durable before the asker is told that it did not. WeChat
/// waits five seconds for its answer.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// Told of every decision this replica learns of, its own included, once each and in the order of
/// the ledger; the subject is the site's in the ledger. Must not block.
pub type DecisionObserver = Arc<dyn Fn(&Subject, &Decision) + Send + Sync>;

/// All sites of this deployment. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    registry: Arc<SiteRegistry>,
    history: VisitProjection,
    caught_up: watch::Receiver<bool>,
}

impl Engine {
    /// Begins to follow the ledger and opens a desk for every site. All of it goes on until
    /// `closed_settings`: the door has shut and whoever asked has been answered.
    pub fn start(
        book: &DeploymentSettings,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        observer: DecisionObserver,
        closed: &CancellationToken,
        tasks: &Tasks,
    ) -> Engine {
        let (told, caught_up) = watch::channel(false);
        let views = Arc::new(Replica::new(observer));
        let following = replica::follow(ledger.clone(), views.clone(), told, closed.clone());
        let history = VisitProjection::start(ledger.clone(), closed.clone(), tasks);
        let places = SiteRegistry {
            history: history.clone(),
            handles: parking_lot::RwLock::default(),
            replica: views,
            ledger,
            clock,
            caught_up: caught_up.clone(),
            closed: closed.clone(),
            tasks: tasks.clone(),
        };
        places.set_sites(&book.sites);
        tasks.spawn("follower", following);
        Engine { registry: Arc::new(places), history, caught_up }
    }

    /// From now on these are the sites, with these rules: each decision is made with the rules that
    /// are there when it is made. Desks open for sites that are new, and close where one is gone
    /// once they have answered whoever asked before.
    pub fn set_sites(&self, sites: &BTreeMap<String, Arc<SiteSettings>>) {
        self.registry.set_sites(sites);
    }

    /// Has a command decided and written down, and answers what was decided.
    ///
    /// Answers within [`SUBMIT_TIMEOUT`]. `SubmitError::Unavailable` means that no promise is made: the
    /// command may still have been written, and asking again with the same id tells.
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

    /// What the owner has set up about a site, as it is now.
    pub fn settings(&self, site: &str) -> Option<Arc<SiteSettings>> {
        self.handles().get(site).map(|place| place.settings.now())
    }

    /// All sites, as they are now.
    pub fn all_settings(&self) -> impl Iterator<Item = Arc<SiteSettings>> + use<> {
        let books: Vec<_> = self.handles().values().map(|place| place.settings.now()).collect();
        books.into_iter()
    }

    /// A site as this replica knows it now.
    pub fn snapshot(&self, site: &str) -> Option<SiteSnapshot> {
        self.handles().get(site).map(|place| place.replica.now())
    }

    /// A site with all that stood in the ledger when this was asked: a "no" that rests on an older
    /// view could be wrong already.
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

    /// Wakes whenever the site changes, or what is set up about it does.
    pub fn watch(&self, site: &str) -> Option<watch::Receiver<SiteSnapshot>> {
        self.handles().get(site).map(|place| place.replica.watch())
    }

    /// What finished visits have taught, and where they stand.
    pub fn history(&self) -> &VisitProjection {
        &self.history
    }

    /// A moment at a site, in Unix milliseconds, with what has been learned of its visits.
    pub fn decision_input(&self, book: &SiteSettings, at_ms: i64) -> DecisionInput {
        book.calendar.at(at_ms).with_model(self.history.model(&book.subject))
    }

    fn handles(&self) -> SiteHandles {
        self.registry.handles.read().clone()
    }

    /// Whether the ledger has been read up to where it stood at the start.
    pub fn caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    /// Waits for [`Engine::mark_caught_up`].
    pub async fn until_caught_up(&self) {
        // An error means that the follower has stopped, and with it the process.
        let _ = self.caught_up.clone().wait_for(|caught_up| *caught_up).await;
    }
}
