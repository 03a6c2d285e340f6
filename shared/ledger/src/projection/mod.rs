//! Projections: read models folded from the entries of a log.
//!
//! A [`Projection`] applies entries to its state. [`Follow`] reads the log and drives the
//! projection; readers use the [`Follower`]. One loop serves all read models: it resumes after an
//! outage, it detects a log that was created anew or whose entries have aged out, and it ends at
//! the soft stop between two entries. An entry of a newer program leaves the projection behind the
//! log, which the [`Follower`] tells.

mod reader;

use crate::{Ledger, Position, StoredEntry, Unavailable};
use async_trait::async_trait;
use paihao_chassis::CancellationToken;
use paihao_contracts::envelope::{NewerForm, ReadError};
use paihao_contracts::streams::Log;
use reader::Ahead;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// State folded from the entries of one log.
///
/// The same entries in the same order lead to the same state. Entries arrive strictly in order of
/// position, each once after a [`Projection::reset`].
pub trait Projection: Send + 'static {
    /// State for readers: a snapshot behind an `Arc`, or a handle to shared state. It is `()` for a
    /// projection whose readers already hold such a handle.
    type View: Clone + Send + Sync + 'static;

    /// Returns the state for readers. Called after each entry, but not during catch-up.
    fn view(&self) -> Self::View;

    /// Applies the next entry. One that cannot be read is an error and leaves the entries before it
    /// in force. The caller logs it.
    fn apply(&mut self, recorded: StoredEntry) -> Result<(), ReadError>;

    /// Clears the state. The next entries begin a new history.
    fn reset(&mut self);

    /// Called when all entries that the log had when following began are applied, and again after
    /// each outage and each reset.
    fn caught_up(&mut self) {}
}

/// Projection whose entries other threads decode ahead during catch-up.
pub trait DecodeAhead: Projection {
    /// Decoded form of an entry.
    type Decoded: Send + 'static;

    /// Returns the function that decodes an entry during catch-up, on any thread.
    fn decoder(&self) -> Decoder<Self::Decoded>;

    /// Applies a decoded entry during catch-up. Later entries go through [`Projection::apply`].
    fn apply_decoded(&mut self, decoded: Self::Decoded) -> Result<(), ReadError>;
}

/// Function that decodes an entry.
pub type Decoder<D> = Arc<dyn Fn(StoredEntry) -> D + Send + Sync>;

/// Source of the state that a projection begins with, in place of the beginning of its log.
#[async_trait]
pub trait Restore: Send + 'static {
    /// Brings the projection to a state, keeps what is newer in it, and returns the position after
    /// which the log is to be read. Called before the log is read, and again when entries may have
    /// aged out unseen.
    async fn restore(&mut self) -> Result<Position, Unavailable>;
}

/// Published state of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<V> {
    /// State for readers.
    pub view: V,
    /// Position of the newest applied entry, [`Position::START`] for none.
    pub position: Position,
    /// True after all entries that the log had when following began are applied.
    pub caught_up: bool,
    /// Form of an entry that a newer program wrote: the state is behind the log.
    pub newer: Option<NewerForm>,
}

/// Error of a wait for a position: the time limit passed, or following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the projection has not come to this position in time")]
pub struct NotReached;

/// Reader's handle of a projection that follows its log. Cheap to clone.
#[derive(Debug)]
pub struct Follower<V>(watch::Receiver<Progress<V>>);

impl<V> Clone for Follower<V> {
    fn clone(&self) -> Self {
        Follower(self.0.clone())
    }
}

impl<V: Clone> Follower<V> {
    /// Returns the state as far as this process has read.
    pub fn now(&self) -> V {
        self.0.borrow().view.clone()
    }

    /// Returns the position of the newest applied entry.
    pub fn position(&self) -> Position {
        self.0.borrow().position
    }

    /// Returns true after all entries that the log had when following began are applied.
    pub fn caught_up(&self) -> bool {
        self.0.borrow().caught_up
    }

    /// Returns the form of an entry that a newer program wrote: the state is behind the log.
    pub fn newer(&self) -> Option<NewerForm> {
        self.0.borrow().newer
    }

    /// Waits until [`Follower::caught_up`] is true, or following ends.
    pub async fn until_caught_up(&self) {
        let _ = self.0.clone().wait_for(|progress| progress.caught_up).await;
    }

    /// Waits until every entry is applied that the log has at the call, and returns the state at
    /// that moment. It has to be the log that is followed.
    pub async fn until_head(
        &self,
        ledger: &dyn Ledger,
        log: &Log,
        limit: Duration,
    ) -> Result<V, NotReached> {
        let reached = async {
            let head = ledger.head(log).await.map_err(|_| NotReached)?;
            self.until_caught_up().await;
            self.until(head, limit).await
        };
        timeout(limit, reached).await.unwrap_or(Err(NotReached))
    }

    /// Waits until the entry at this position is applied and returns the state at that moment.
    pub async fn until(&self, position: Position, limit: Duration) -> Result<V, NotReached> {
        let mut progress = self.0.clone();
        let reached = progress.wait_for(|progress| progress.position >= position);
        match timeout(limit, reached).await {
            Ok(Ok(progress)) => Ok(progress.view.clone()),
            _ => Err(NotReached),
        }
    }

    /// Returns a receiver that wakes after each applied entry, each reset and each catch-up. The
    /// current state counts as seen.
    pub fn changes(&self) -> watch::Receiver<Progress<V>> {
        let mut changes = self.0.clone();
        changes.mark_unchanged();
        changes
    }
}

/// Builder for following a log.
pub struct Follow {
    ledger: Arc<dyn Ledger>,
    log: Log,
    after: Position,
    restore: Option<Box<dyn Restore>>,
    stop: CancellationToken,
}

impl Follow {
    /// Creates a builder that follows a log from its beginning until the soft stop.
    pub fn new(ledger: Arc<dyn Ledger>, log: Log, stop: CancellationToken) -> Follow {
        Follow { ledger, log, after: Position::START, restore: None, stop }
    }

    /// Begins with a restored state. If entries may have aged out unseen, the state is restored
    /// again instead of reset. A log that was created anew is read from its beginning: what was
    /// restored belongs to the former one.
    #[must_use]
    pub fn restoring(mut self, restore: impl Restore) -> Follow {
        self.restore = Some(Box::new(restore));
        self
    }

    /// Begins after this position, up to which the projection is already complete. If the entry at
    /// the position has aged out, later entries may be missing too, so the projection is reset and
    /// the log is read from its beginning.
    #[must_use]
    pub fn after(mut self, position: Position) -> Follow {
        self.after = position;
        self
    }

    /// Returns the reader's handle and the task that follows the log.
    pub fn start<P: Projection>(
        self,
        projection: P,
    ) -> (Follower<P::View>, impl Future<Output = ()> + Send + 'static) {
        reader::prepare(self, projection, None::<Ahead<P, ()>>)
    }

    /// Like [`Follow::start`], but other threads decode ahead during catch-up.
    pub fn start_decoding_ahead<P: DecodeAhead>(
        self,
        projection: P,
    ) -> (Follower<P::View>, impl Future<Output = ()> + Send + 'static) {
        let ahead = Ahead { decode: projection.decoder(), apply: P::apply_decoded };
        reader::prepare(self, projection, Some(ahead))
    }
}
