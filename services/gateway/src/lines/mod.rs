//! The lines of all sites: what they are (by following the ledger) and how they change (by
//! appending to it).
//!
//! - [`view`]: a site as this replica knows it;
//! - [`follow`]: how the view keeps up with the ledger;
//! - [`desk`]: how a command becomes an entry of the ledger, and its answer;
//! - [`stored`]: the domain's decisions in their stored form, and back;
//! - [`past`]: a site as it stood before.

mod desk;
mod follow;
pub(crate) mod past;
mod stored;
mod view;

pub use desk::{Answered, Declined};
pub use view::View;

use crate::book::{Book, SiteBook};
use desk::{Desk, Request};
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace;
use paihao_domain::{Command, Decision};
use paihao_ledger::Ledger;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use view::SiteView;

/// How long a command may take to become durable before the asker is told that it did not. WeChat
/// waits five seconds for its answer.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Requests that may wait at one site's desk; more are declined at once.
const DESK_QUEUE: usize = 4096;

/// Told of every decision this replica learns of, its own included, once each and in the order of
/// the ledger. Must not block.
pub type Observer = Arc<dyn Fn(&SiteBook, &Decision) + Send + Sync>;

/// All sites of this deployment. Cheap to clone.
#[derive(Clone)]
pub struct Lines {
    sites: Arc<BTreeMap<String, Place>>,
    caught_up: watch::Receiver<bool>,
}

struct Place {
    book: Arc<SiteBook>,
    view: Arc<SiteView>,
    desk: mpsc::Sender<Request>,
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
        let mut sites = BTreeMap::new();
        for (id, site) in &book.sites {
            let view = Arc::new(SiteView::new(site.clone(), observer.clone()));
            let (desk, requests) = mpsc::channel(DESK_QUEUE);
            let worker = Desk::new(view.clone(), ledger.clone(), clock.clone());
            tasks.spawn("desk", worker.run(requests, caught_up.clone(), closed.clone()));
            sites.insert(id.clone(), Place { book: site.clone(), view, desk });
        }
        let views = sites.values().map(|p| (p.book.subject.clone(), p.view.clone())).collect();
        tasks.spawn("follower", follow::follow(ledger, views, told, closed.clone()));
        Lines { sites: Arc::new(sites), caught_up }
    }

    /// Has a command decided and written down, and answers what was decided.
    ///
    /// Answers within [`PATIENCE`]. `Declined::Unavailable` means that no promise is made: the
    /// command may still have been written, and asking again with the same id tells.
    pub async fn submit(&self, site: &str, command: Command) -> Result<Answered, Declined> {
        let place = self.sites.get(site).ok_or(Declined::UnknownSite)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { command, trace: trace::current(), reply };
        place.desk.try_send(request).map_err(|_| Declined::Unavailable)?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            _ => Err(Declined::Unavailable),
        }
    }

    /// What the owner set up about a site.
    pub fn book(&self, site: &str) -> Option<&Arc<SiteBook>> {
        self.sites.get(site).map(|place| &place.book)
    }

    /// All sites.
    pub fn books(&self) -> impl Iterator<Item = &Arc<SiteBook>> {
        self.sites.values().map(|place| &place.book)
    }

    /// A site as this replica knows it now.
    pub fn view(&self, site: &str) -> Option<View> {
        self.sites.get(site).map(|place| place.view.now())
    }

    /// Wakes whenever the site changes.
    pub fn watch(&self, site: &str) -> Option<watch::Receiver<View>> {
        self.sites.get(site).map(|place| place.view.watch())
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
