//! Keeps the views of all sites up with the ledger.

use super::Observer;
use super::view::SiteView;
use futures::StreamExt;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::names::LEDGER;
use paihao_ledger::{Followed, Ledger, Position, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The views of all sites that the ledger or the book knows. What happened at a site that the book
/// does not know (yet, or any more) is kept all the same: should it come into the book, its line is
/// there already.
pub(super) struct Views {
    by_subject: Mutex<BTreeMap<Subject, Arc<SiteView>>>,
    observer: Observer,
}

impl Views {
    pub(super) fn new(observer: Observer) -> Views {
        Views { by_subject: Mutex::default(), observer }
    }

    /// The view of the site whose decisions stand under this subject.
    pub(super) fn of(&self, subject: &Subject) -> Arc<SiteView> {
        let mut views = self.by_subject.lock();
        if let Some(view) = views.get(subject) {
            return view.clone();
        }
        let view = Arc::new(SiteView::new(subject.clone(), self.observer.clone()));
        views.insert(subject.clone(), view.clone());
        view
    }

    fn forget(&self) {
        self.by_subject.lock().values().for_each(|view| view.forget());
    }
}

/// Follows until the stop. Sets `caught_up` once it has read as far as the ledger reached when it
/// began.
pub(super) async fn follow(
    ledger: Arc<dyn Ledger>,
    views: Arc<Views>,
    caught_up: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.is_cancelled() {
        let goal = match ledger.head(&LEDGER).await {
            Ok(head) => head,
            Err(error) => {
                tracing::warn!(%error, "cannot read the ledger yet");
                backoff.wait_unless(&stop).await;
                continue;
            }
        };
        caught_up.send_replace(goal == Position::START);
        match ledger.follow(&LEDGER, Position::START).await {
            Ok(entries) => read(entries, &views, &caught_up, goal, &stop).await,
            Err(error) => {
                tracing::warn!(%error, "cannot follow the ledger yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

async fn read(
    mut entries: futures::stream::BoxStream<'static, Followed>,
    views: &Views,
    caught_up: &watch::Sender<bool>,
    goal: Position,
    stop: &CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = entries.next() => next,
        };
        match next {
            Some(Followed::Entry(recorded)) => {
                views.of(&recorded.subject).read(&recorded);
                if recorded.position >= goal {
                    caught_up.send_if_modified(|up| !std::mem::replace(up, true));
                }
            }
            Some(Followed::Restarted) => {
                tracing::warn!("the ledger was made anew: all lines begin empty");
                views.forget();
                caught_up.send_if_modified(|up| !std::mem::replace(up, true));
            }
            None => return,
        }
    }
}
