//! The lines of all sites: what they are (by following the ledger) and how they change (by
//! appending to it).
//!
//! - [`view`]: a site as this replica knows it;
//! - [`follow`]: how the views keep up with the ledger;
//! - [`desk`]: how a command becomes an entry of the ledger, and its answer;
//! - `places`: which sites there are, and with which rules, while both may change;
//! - [`stored`]: the domain's decisions in their stored form, and back;
//! - [`past`]: a site as it stood before.

mod desk;
mod follow;
pub(crate) mod past;
mod places;
mod view;

pub use desk::{Answered, Declined};
pub use view::View;

use crate::book::{Book, SiteBook};
use crate::projections::history::History;
use desk::Request;
use follow::Views;
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace;
use paihao_contracts::names::LEDGER;
use paihao_domain::{Command, Decision, Now};
use paihao_ledger::{Ledger, Position, Subject};
use places::{Places, Sites};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long a command may take to become durable before the asker is told that it did not. WeChat
/// waits five seconds for its answer.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Told of every decision this replica learns of, its own included, once each and in the order of
/// the ledger; the subject is the site's in the ledger. Must not block.
pub type Observer = Arc<dyn Fn(&Subject, &Decision) + Send + Sync>;

/// All sites of this deployment. Cheap to clone.
#[derive(Clone)]
pub struct Lines {
    places: Arc<Places>,
    history: History,
    caught_up: watch::Receiver<bool>,
}

impl Lines {
    /// Begins to follow the ledger and opens a desk for every site. All of it goes on until
    /// `closed`: the door has shut and whoever asked has been answered.
    pub fn start(
        book: &Book,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        observer: Observer,
        closed: &CancellationToken,
        tasks: &Tasks,
    ) -> Lines {
        let (told, caught_up) = watch::channel(false);
        let views = Arc::new(Views::new(observer));
        let following = follow::follow(ledger.clone(), views.clone(), told, closed.clone());
        let history = History::follow(ledger.clone(), closed.clone(), tasks);
        let places = Places {
            history: history.clone(),
            now: parking_lot::RwLock::default(),
            views,
            ledger,
            clock,
            caught_up: caught_up.clone(),
            closed: closed.clone(),
            tasks: tasks.clone(),
        };
        places.set(&book.sites);
        tasks.spawn("follower", following);
        Lines { places: Arc::new(places), history, caught_up }
    }

    /// From now on these are the sites, with these rules: each decision is made with the rules that
    /// are there when it is made. Desks open for sites that are new, and close where one is gone
    /// once they have answered whoever asked before.
    pub fn set(&self, sites: &BTreeMap<String, Arc<SiteBook>>) {
        self.places.set(sites);
    }

    /// Has a command decided and written down, and answers what was decided.
    ///
    /// Answers within [`PATIENCE`]. `Declined::Unavailable` means that no promise is made: the
    /// command may still have been written, and asking again with the same id tells.
    pub async fn submit(&self, site: &str, command: Command) -> Result<Answered, Declined> {
        let place = self.sites().get(site).cloned().ok_or(Declined::UnknownSite)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { command, trace: trace::current(), reply };
        place.desk.try_send(request).map_err(|_| Declined::Unavailable)?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            _ => Err(Declined::Unavailable),
        }
    }

    /// What the owner has set up about a site, as it is now.
    pub fn book(&self, site: &str) -> Option<Arc<SiteBook>> {
        self.sites().get(site).map(|place| place.book.now())
    }

    /// All sites, as they are now.
    pub fn books(&self) -> impl Iterator<Item = Arc<SiteBook>> + use<> {
        let books: Vec<_> = self.sites().values().map(|place| place.book.now()).collect();
        books.into_iter()
    }

    /// A site as this replica knows it now.
    pub fn view(&self, site: &str) -> Option<View> {
        self.sites().get(site).map(|place| place.view.now())
    }

    /// A site with all that stood in the ledger when this was asked: a "no" that rests on an older
    /// view could be wrong already.
    pub async fn newest(&self, site: &str) -> Result<View, Declined> {
        let place = self.sites().get(site).cloned().ok_or(Declined::UnknownSite)?;
        let looking = async {
            let last = self.places.ledger.last(&LEDGER, &place.view.subject).await;
            let last = last.map_err(|_| Declined::Unavailable)?;
            let found = last.map_or(Position::START, |recorded| recorded.position);
            let mut views = place.view.watch();
            let view = views.wait_for(|view| view.position >= found || view.unreadable).await;
            view.map(|view| view.clone()).map_err(|_| Declined::Unavailable)
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or(Err(Declined::Unavailable))
    }

    /// Wakes whenever the site changes, or what is set up about it does.
    pub fn watch(&self, site: &str) -> Option<watch::Receiver<View>> {
        self.sites().get(site).map(|place| place.view.watch())
    }

    /// What finished visits have taught, and where they stand.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// A moment at a site, in Unix milliseconds, with what has been learned of its visits.
    pub fn moment(&self, book: &SiteBook, at_ms: i64) -> Now {
        book.calendar.now(at_ms).knowing(self.history.model(&book.subject))
    }

    fn sites(&self) -> Sites {
        self.places.now.read().clone()
    }

    /// Whether the ledger has been read up to where it stood at the start.
    pub fn caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    /// Waits for [`Lines::caught_up`].
    pub async fn until_caught_up(&self) {
        // An error means that the follower has stopped, and with it the process.
        let _ = self.caught_up.clone().wait_for(|caught_up| *caught_up).await;
    }
}
