//! Keeps the views of all sites up with the ledger.

use super::Observer;
use super::view::SiteView;
use crate::stored::{self, Unreadable};
use futures::stream::{self, BoxStream, Fuse, Stream, StreamExt};
use paihao_chassis::backoff::Backoff;
use paihao_contracts::names::LEDGER;
use paihao_domain::Decision;
use paihao_ledger::{Followed, Ledger, Position, Recorded, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Entries of the past that are decoded together, away from where they are taken in.
const CHUNK: usize = 256;

/// So many chunks are being decoded while another one is taken in.
const AHEAD: usize = 2;

type Entries = Fuse<BoxStream<'static, Followed>>;

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

    fn wake(&self) {
        self.by_subject.lock().values().for_each(|view| view.wake());
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
            Ok(entries) => {
                let mut entries = entries.fuse();
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = async {
                        if goal == Position::START || catch_up(&mut entries, &views, goal).await {
                            caught_up.send_if_modified(|up| !std::mem::replace(up, true));
                            read(&mut entries, &views).await;
                        }
                    } => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot follow the ledger yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

/// Reads what stood in the ledger at the beginning; `false` if that ends before. Nobody is shown a
/// line that is not whole yet, so nobody is woken before the end.
async fn catch_up(entries: &mut Entries, views: &Views, goal: Position) -> bool {
    let mut chunks = pin!(chunks(entries, goal).map(decoded).buffered(AHEAD));
    let mut whole = false;
    while let Some(chunk) = chunks.next().await {
        for next in chunk {
            match next {
                Some((recorded, decisions)) => {
                    views.of(&recorded.subject).replay(recorded.position, decisions);
                    whole = recorded.position >= goal;
                }
                None => {
                    begin_anew(views);
                    whole = true;
                }
            }
        }
        // Whoever else runs on this thread has a turn.
        tokio::task::yield_now().await;
    }
    views.wake();
    whole
}

/// What comes up to `goal`, in chunks. Ends with the entry at `goal`, or where the log began anew.
fn chunks(entries: &mut Entries, goal: Position) -> impl Stream<Item = Vec<Followed>> + Send {
    stream::unfold(Some(entries), move |entries| async move {
        let entries = entries?;
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK {
            let Some(next) = entries.next().await else { return Some((chunk, None)) };
            let is_last = !matches!(&next, Followed::Entry(recorded) if recorded.position < goal);
            chunk.push(next);
            if is_last {
                return Some((chunk, None));
            }
        }
        Some((chunk, Some(entries)))
    })
}

/// An entry and what it says; `None` where the log was made anew.
type Decoded = Option<(Recorded, Result<Vec<Decision>, Unreadable>)>;

async fn decoded(chunk: Vec<Followed>) -> Vec<Decoded> {
    let decode = |next| match next {
        Followed::Entry(recorded) => {
            let decisions = stored::decode(&recorded.entry.payload);
            Some((recorded, decisions))
        }
        Followed::Restarted => None,
    };
    let decoding = tokio::task::spawn_blocking(move || chunk.into_iter().map(decode).collect());
    decoding.await.expect("decoding does not panic, and nobody aborts it")
}

/// Reads what comes from then on.
async fn read(entries: &mut Entries, views: &Views) {
    while let Some(next) = entries.next().await {
        match next {
            Followed::Entry(recorded) => views.of(&recorded.subject).read(&recorded),
            Followed::Restarted => begin_anew(views),
        }
    }
}

fn begin_anew(views: &Views) {
    tracing::warn!("the ledger was made anew: all lines begin empty");
    views.forget();
}
