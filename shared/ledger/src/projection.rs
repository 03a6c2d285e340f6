//! Read models: state folded from the entries of a log, and kept up with it while a process runs.
//!
//! A [`Projection`] says what an entry does to the state. [`Follow`] reads the log and applies it;
//! everybody else asks the [`Follower`]. One loop serves all read models: it begins again after an
//! outage, it notices a log that was made anew or whose entries have aged out, and it ends at the
//! soft stop between two entries.

use crate::{Ledger, LogItem, Position, StoredEntry, Unavailable};
use futures::stream::{self, BoxStream, Fuse, Stream, StreamExt};
use paihao_chassis::CancellationToken;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::streams::Log;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// The first wait before a log is followed again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The longest.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Entries of the past that are applied, or decoded together, before other tasks have a turn.
const CHUNK_ENTRIES: usize = 256;
/// Chunks that are decoded while another one is applied.
const CHUNKS_AHEAD: usize = 2;

/// State folded from the entries of one log.
///
/// The same entries in the same order lead to the same state. Entries come strictly in the order of
/// their positions, each once after a [`Projection::reset`].
pub trait Projection: Send + 'static {
    /// What readers are given: a snapshot behind an `Arc`, or a handle to state that is shared. It
    /// is `()` for a projection whose readers hold such a handle already.
    type View: Clone + Send + Sync + 'static;

    /// The state for readers. Taken after each entry, but not before all of the past is applied.
    fn view(&self) -> Self::View;

    /// Takes in the next entry.
    fn apply(&mut self, recorded: StoredEntry);

    /// Forgets everything: the entries that come next begin a new history.
    fn reset(&mut self);

    /// All entries that stood in the log when following began have been applied. Called again after
    /// each outage and each reset.
    fn caught_up(&mut self) {}
}

/// A projection of a log whose past takes long to decode, which other threads do ahead of it.
pub trait DecodeAhead: Projection {
    /// An entry, decoded.
    type Decoded: Send + 'static;

    /// Decodes an entry of the past. Runs on any thread.
    fn decode(recorded: StoredEntry) -> Self::Decoded;

    /// Takes in the next entry of the past. Entries that come after catching up go through
    /// [`Projection::apply`].
    fn apply_decoded(&mut self, decoded: Self::Decoded);
}

/// Where a projection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<V> {
    /// The state for readers.
    pub view: V,
    /// The newest entry in it; [`Position::START`] for none.
    pub position: Position,
    /// Whether it holds everything that stood in the log when following began.
    pub caught_up: bool,
}

/// The entry at a position had not been applied in time, or following has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the projection has not come to this position in time")]
pub struct NotReached;

/// A projection that is kept up with its log, as readers see it. Cheap to clone.
#[derive(Debug)]
pub struct Follower<V>(watch::Receiver<Progress<V>>);

impl<V> Clone for Follower<V> {
    fn clone(&self) -> Self {
        Follower(self.0.clone())
    }
}

impl<V: Clone> Follower<V> {
    /// The state as far as this process has read.
    pub fn now(&self) -> V {
        self.0.borrow().view.clone()
    }

    /// The newest entry in that state.
    pub fn position(&self) -> Position {
        self.0.borrow().position
    }

    /// Whether everything has been applied that stood in the log when following began.
    pub fn caught_up(&self) -> bool {
        self.0.borrow().caught_up
    }

    /// Waits until [`Follower::caught_up`]. Returns early if following ends before.
    pub async fn until_caught_up(&self) {
        let _ = self.0.clone().wait_for(|progress| progress.caught_up).await;
    }

    /// Waits until the entry at this position has been applied, and returns the state then.
    pub async fn until(&self, position: Position, limit: Duration) -> Result<V, NotReached> {
        let mut progress = self.0.clone();
        let reached = progress.wait_for(|progress| progress.position >= position);
        match timeout(limit, reached).await {
            Ok(Ok(progress)) => Ok(progress.view.clone()),
            _ => Err(NotReached),
        }
    }

    /// Wakes after each entry that is applied, and whenever the projection is reset or catches up.
    /// The receiver has seen the present state.
    pub fn changes(&self) -> watch::Receiver<Progress<V>> {
        let mut changes = self.0.clone();
        changes.mark_unchanged();
        changes
    }
}

/// The log that a projection is to follow, from where and until when.
pub struct Follow {
    ledger: Arc<dyn Ledger>,
    log: Log,
    after: Position,
    stop: CancellationToken,
}

impl Follow {
    /// Follows a log from its beginning until the soft stop.
    pub fn new(ledger: Arc<dyn Ledger>, log: Log, stop: CancellationToken) -> Follow {
        Follow { ledger, log, after: Position::START, stop }
    }

    /// Begins after this position: the projection holds everything up to it already. If the entry
    /// there has aged out, others may have gone unseen: the projection is reset and all is read.
    #[must_use]
    pub fn after(mut self, position: Position) -> Follow {
        self.after = position;
        self
    }

    /// Returns the readers' handle and the task that keeps the projection up with the log.
    pub fn start<P: Projection>(
        self,
        projection: P,
    ) -> (Follower<P::View>, impl Future<Output = ()> + Send + 'static) {
        self.prepare(projection, None::<Ahead<P, ()>>)
    }

    /// Like [`Follow::start`], with the past decoded ahead on other threads.
    pub fn start_decoding_ahead<P: DecodeAhead>(
        self,
        projection: P,
    ) -> (Follower<P::View>, impl Future<Output = ()> + Send + 'static) {
        let ahead = Ahead { decode: P::decode, apply: P::apply_decoded };
        self.prepare(projection, Some(ahead))
    }

    fn prepare<P: Projection, D: Send + 'static>(
        self,
        projection: P,
        ahead: Option<Ahead<P, D>>,
    ) -> (Follower<P::View>, impl Future<Output = ()> + Send + 'static) {
        let Follow { ledger, log, after, stop } = self;
        let applied = (after > Position::START).then_some(Applied { position: after, at_ms: None });
        let progress = Progress { view: projection.view(), position: after, caught_up: false };
        let (told, seen) = watch::channel(progress);
        let reader = Reader { ledger, log, projection, ahead, applied, told };
        (Follower(seen), reader.run(stop))
    }
}

/// How entries of the past are decoded and taken in.
struct Ahead<P, D> {
    decode: fn(StoredEntry) -> D,
    apply: fn(&mut P, D),
}

/// The newest entry that has been applied.
#[derive(Clone, Copy)]
struct Applied {
    position: Position,
    /// When the store took it, which tells it from an entry at the same position of a later log.
    at_ms: Option<i64>,
}

impl Applied {
    fn of(recorded: &StoredEntry) -> Applied {
        Applied { position: recorded.position, at_ms: Some(recorded.at_ms) }
    }

    fn is(self, recorded: &StoredEntry) -> bool {
        self.position == recorded.position && self.at_ms.is_none_or(|at_ms| at_ms == recorded.at_ms)
    }
}

/// Why reading ended.
enum End {
    /// The stream has ended.
    OfStream,
    /// The newest entry that was applied no longer stands in the log.
    Gap,
}

type Entries = Fuse<BoxStream<'static, LogItem>>;

/// The one writer of a projection.
struct Reader<P: Projection, D> {
    ledger: Arc<dyn Ledger>,
    log: Log,
    projection: P,
    ahead: Option<Ahead<P, D>>,
    applied: Option<Applied>,
    told: watch::Sender<Progress<P::View>>,
}

impl<P: Projection, D: Send + 'static> Reader<P, D> {
    async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(MIN_RETRY_DELAY, MAX_RETRY_DELAY);
        let log = self.log.name;
        // Reading waits between two entries only, so the stop cuts none in half.
        while let Some(end) = stop.run_until_cancelled(self.read(&mut backoff)).await {
            match end {
                Ok(End::Gap) => {
                    tracing::warn!(log, "entries may have aged out unseen, reading all again");
                    self.reset();
                    continue;
                }
                Ok(End::OfStream) => tracing::warn!(log, "following ended, retrying"),
                Err(error) => tracing::warn!(log, %error, "cannot follow a log, retrying"),
            }
            if !backoff.wait_unless(&stop).await {
                return;
            }
        }
    }

    async fn read(&mut self, backoff: &mut Backoff) -> Result<End, Unavailable> {
        let goal = self.ledger.head(&self.log).await?;
        if goal < self.position() {
            return Ok(End::Gap);
        }
        // The newest entry that was applied is asked for again: as long as it stands in the log,
        // none that came after it has aged out.
        let mut expected = self.applied;
        let after = expected.map_or(Position::START, |applied| before(applied.position));
        let mut entries = self.ledger.follow(&self.log, after).await?.fuse();
        let mut behind = self.position() < goal;
        if behind {
            self.told
                .send_if_modified(|progress| std::mem::replace(&mut progress.caught_up, false));
        } else {
            self.catch_up_ends();
        }
        loop {
            if behind && expected.is_none() {
                if !self.catch_up(&mut entries, goal).await {
                    return Ok(End::OfStream);
                }
                backoff.reset();
                self.catch_up_ends();
                behind = false;
            }
            let Some(next) = entries.next().await else { return Ok(End::OfStream) };
            backoff.reset();
            match (next, expected.take()) {
                (LogItem::Restarted, _) => {
                    self.begin_anew();
                    self.catch_up_ends();
                    behind = false;
                }
                (LogItem::Entry(recorded), Some(applied)) if applied.is(&recorded) => {}
                (LogItem::Entry(_), Some(_)) => return Ok(End::Gap),
                (LogItem::Entry(recorded), None) => {
                    self.apply(recorded);
                    self.publish();
                }
            }
        }
    }

    /// Applies what stood in the log at the beginning; `false` if the stream ends before. Readers
    /// are not told meanwhile: nobody is shown a state that is not whole yet.
    async fn catch_up(&mut self, entries: &mut Entries, goal: Position) -> bool {
        let Some(Ahead { decode, apply }) = self.ahead else {
            return self.catch_up_in_place(entries, goal).await;
        };
        let decoded = chunks(entries, goal).map(|chunk| decode_chunk(chunk, decode));
        let mut chunks = pin!(decoded.buffered(CHUNKS_AHEAD));
        let mut whole = false;
        while let Some(chunk) = chunks.next().await {
            for next in chunk {
                match next {
                    Some((applied, decoded)) => {
                        apply(&mut self.projection, decoded);
                        self.applied = Some(applied);
                        whole = applied.position >= goal;
                    }
                    None => {
                        self.begin_anew();
                        whole = true;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
        whole
    }

    async fn catch_up_in_place(&mut self, entries: &mut Entries, goal: Position) -> bool {
        let mut applied = 0;
        while let Some(next) = entries.next().await {
            match next {
                LogItem::Entry(recorded) => self.apply(recorded),
                LogItem::Restarted => {
                    self.begin_anew();
                    return true;
                }
            }
            if self.position() >= goal {
                return true;
            }
            applied += 1;
            if applied % CHUNK_ENTRIES == 0 {
                tokio::task::yield_now().await;
            }
        }
        false
    }

    fn position(&self) -> Position {
        self.applied.map_or(Position::START, |applied| applied.position)
    }

    fn apply(&mut self, recorded: StoredEntry) {
        self.applied = Some(Applied::of(&recorded));
        self.projection.apply(recorded);
    }

    fn begin_anew(&mut self) {
        tracing::warn!(log = self.log.name, "a log was made anew: its projection begins empty");
        self.reset();
    }

    fn reset(&mut self) {
        self.projection.reset();
        self.applied = None;
    }

    fn catch_up_ends(&mut self) {
        self.projection.caught_up();
        self.publish();
    }

    fn publish(&self) {
        let (view, position) = (self.projection.view(), self.position());
        self.told.send_replace(Progress { view, position, caught_up: true });
    }
}

/// A position from which the entry at this one comes next, if it stands in the log.
fn before(position: Position) -> Position {
    Position(position.0.saturating_sub(1))
}

/// What comes up to `goal`, in chunks. Ends with the entry at `goal`, or where the log was made
/// anew.
fn chunks(entries: &mut Entries, goal: Position) -> impl Stream<Item = Vec<LogItem>> + Send {
    stream::unfold(Some(entries), move |entries| async move {
        let entries = entries?;
        let mut chunk = Vec::with_capacity(CHUNK_ENTRIES);
        while chunk.len() < CHUNK_ENTRIES {
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

/// Decodes a chunk away from where it is applied; `None` stands where the log was made anew.
async fn decode_chunk<D: Send + 'static>(
    chunk: Vec<LogItem>,
    decode: fn(StoredEntry) -> D,
) -> Vec<Option<(Applied, D)>> {
    let decode = move |next| match next {
        LogItem::Entry(recorded) => Some((Applied::of(&recorded), decode(recorded))),
        LogItem::Restarted => None,
    };
    let decoding = tokio::task::spawn_blocking(move || chunk.into_iter().map(decode).collect());
    decoding.await.expect("decoding does not panic, and nobody aborts it")
}
