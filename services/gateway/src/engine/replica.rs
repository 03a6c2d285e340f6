//! Keeps the views of all sites up with the ledger.

use super::view::{DecisionObserver, SiteReplica};
use crate::codec::{self, DecodeError};
use futures::stream::{self, BoxStream, Fuse, Stream, StreamExt};
use paihao_chassis::backoff::Backoff;
use paihao_contracts::streams::LEDGER;
use paihao_domain::Decision;
use paihao_ledger::{Ledger, LogItem, Position, StoredEntry, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Entries of the past that are decoded together, away from where they are taken in.
const DECODE_CHUNK_ENTRIES: usize = 256;

/// So many chunks are being decoded while another one is taken in.
const DECODE_CHUNKS_AHEAD: usize = 2;

type Entries = Fuse<BoxStream<'static, LogItem>>;

/// The views of all sites that the ledger or the book knows. What happened at a site that the book
/// does not know (yet, or any more) is kept all the same: should it come into the book, its line is
/// there already.
pub(super) struct Replica {
    by_subject: Mutex<BTreeMap<Subject, Arc<SiteReplica>>>,
    observer: DecisionObserver,
}

impl Replica {
    pub(super) fn new(observer: DecisionObserver) -> Replica {
        Replica { by_subject: Mutex::default(), observer }
    }

    /// The view of the site whose decisions stand under this subject.
    pub(super) fn site(&self, subject: &Subject) -> Arc<SiteReplica> {
        let mut views = self.by_subject.lock();
        if let Some(view) = views.get(subject) {
            return view.clone();
        }
        let view = Arc::new(SiteReplica::new(subject.clone(), self.observer.clone()));
        views.insert(subject.clone(), view.clone());
        view
    }

    fn notify_all(&self) {
        self.by_subject.lock().values().for_each(|view| view.notify());
    }

    fn reset(&self) {
        self.by_subject.lock().values().for_each(|view| view.reset());
    }
}

/// Follows until the stop. Sets `mark_caught_up` once it has read as far as the ledger reached when it
/// began.
pub(super) async fn follow(
    ledger: Arc<dyn Ledger>,
    views: Arc<Replica>,
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
                            apply_live(&mut entries, &views).await;
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
async fn catch_up(entries: &mut Entries, views: &Replica, goal: Position) -> bool {
    let mut chunks = pin!(chunks(entries, goal).map(decode_chunk).buffered(DECODE_CHUNKS_AHEAD));
    let mut whole = false;
    while let Some(chunk) = chunks.next().await {
        for next in chunk {
            match next {
                Some((recorded, decisions)) => {
                    views.site(&recorded.subject).replay(recorded.position, decisions);
                    whole = recorded.position >= goal;
                }
                None => {
                    reset_all(views);
                    whole = true;
                }
            }
        }
        // Whoever else runs on this thread has a turn.
        tokio::task::yield_now().await;
    }
    views.notify_all();
    whole
}

/// What comes up to `goal`, in chunks. Ends with the entry at `goal`, or where the log began anew.
fn chunks(entries: &mut Entries, goal: Position) -> impl Stream<Item = Vec<LogItem>> + Send {
    stream::unfold(Some(entries), move |entries| async move {
        let entries = entries?;
        let mut chunk = Vec::with_capacity(DECODE_CHUNK_ENTRIES);
        while chunk.len() < DECODE_CHUNK_ENTRIES {
            let Some(next) = entries.next().await else { return Some((chunk, None)) };
            let is_last = !matches!(&next, LogItem::Entry(recorded) if recorded.position < goal);
            chunk.push(next);
            if is_last {
                return Some((chunk, None));
            }
        }
        Some((chunk, Some(entries)))
    })
}

/// An entry and what it says; `None` where the log was made anew.
type DecodedEntry = Option<(StoredEntry, Result<Vec<Decision>, DecodeError>)>;

async fn decode_chunk(chunk: Vec<LogItem>) -> Vec<DecodedEntry> {
    let decode = |next| match next {
        LogItem::Entry(recorded) => {
            let decisions = codec::decode(&recorded.entry.payload);
            Some((recorded, decisions))
        }
        LogItem::Restarted => None,
    };
    let decoding = tokio::task::spawn_blocking(move || chunk.into_iter().map(decode).collect());
    decoding.await.expect("decoding does not panic, and nobody aborts it")
}

/// Reads what comes from then on.
async fn apply_live(entries: &mut Entries, views: &Replica) {
    while let Some(next) = entries.next().await {
        match next {
            LogItem::Entry(recorded) => views.site(&recorded.subject).apply_entry(&recorded),
            LogItem::Restarted => reset_all(views),
        }
    }
}

fn reset_all(views: &Replica) {
    tracing::warn!("the ledger was made anew: all lines begin empty");
    views.reset();
}
