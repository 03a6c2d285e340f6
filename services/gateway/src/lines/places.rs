//! Which sites there are and with which rules, while both may change: a snapshot that is replaced as
//! a whole, and a desk for each site.

use super::desk::{Desk, Request};
use super::follow::Views;
use super::view::SiteView;
use crate::book::SiteBook;
use crate::projections::history::History;
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_ledger::Ledger;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Requests that may wait at one site's desk; more are declined at once.
const DESK_QUEUE: usize = 4096;

/// The sites by id.
pub(super) type Sites = Arc<BTreeMap<String, Place>>;

/// What the owner has set up about one site: read anew for each decision.
pub(super) struct CurrentBook(RwLock<Arc<SiteBook>>);

impl CurrentBook {
    pub(super) fn now(&self) -> Arc<SiteBook> {
        self.0.read().clone()
    }
}

#[derive(Clone)]
pub(super) struct Place {
    pub(super) book: Arc<CurrentBook>,
    pub(super) view: Arc<SiteView>,
    pub(super) desk: mpsc::Sender<Request>,
}

/// All sites, and what a desk for one more needs.
pub(super) struct Places {
    pub(super) now: RwLock<Sites>,
    pub(super) views: Arc<Views>,
    pub(super) history: History,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) caught_up: watch::Receiver<bool>,
    pub(super) closed: CancellationToken,
    pub(super) tasks: Tasks,
}

impl Places {
    pub(super) fn set(&self, sites: &BTreeMap<String, Arc<SiteBook>>) {
        let mut now = self.now.write();
        let places = sites.iter().map(|(id, book)| {
            let known = now.get(id).filter(|place| place.book.now().subject == book.subject);
            let place = match known {
                Some(place) => self.renewed(place, book),
                None => self.open(book),
            };
            (id.clone(), place)
        });
        *now = Arc::new(places.collect());
    }

    /// The same place, where the next decision is made with this book.
    fn renewed(&self, place: &Place, book: &Arc<SiteBook>) -> Place {
        if !Arc::ptr_eq(&place.book.now(), book) {
            *place.book.0.write() = book.clone();
            place.view.wake();
        }
        place.clone()
    }

    fn open(&self, book: &Arc<SiteBook>) -> Place {
        let view = self.views.of(&book.subject);
        let current = Arc::new(CurrentBook(RwLock::new(book.clone())));
        let (desk, requests) = mpsc::channel(DESK_QUEUE);
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        let history = self.history.clone();
        let worker = Desk::new(current.clone(), view.clone(), history, ledger, clock);
        let (caught_up, closed) = (self.caught_up.clone(), self.closed.clone());
        self.tasks.spawn("desk", worker.run(requests, caught_up, closed));
        Place { book: current, view, desk }
    }
}
