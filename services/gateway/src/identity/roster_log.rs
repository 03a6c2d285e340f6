//! Log of staff: follows the roster, and appends changes to it.
//!
//! All entries have one subject, and each is appended only after the entry on which it was decided:
//! two managers at two replicas never remove each other.

use super::error::IdentityError;
use super::roster::Roster;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::staff::{StaffEntry, StaffEvent};
use paihao_contracts::streams::STAFF;
use paihao_ledger::projection::{Follow, Follower, Progress};
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, Position, Projection, StoredEntry, Subject,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Longest time for a change to become durable and known here.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(4);

/// Author of a change.
#[derive(Clone, Copy)]
pub(crate) struct Author<'a> {
    /// Id of a member, name of a key, `first` or `system`.
    pub(crate) id: &'a str,
    /// Approximate origin of their request, if they sent one.
    pub(crate) address: Option<&'a str>,
}

impl<'a> From<&'a str> for Author<'a> {
    fn from(id: &'a str) -> Author<'a> {
        Author { id, address: None }
    }
}

/// Reader and writer of the log of staff.
pub(crate) struct RosterLog {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    follower: Follower<RosterSnapshot>,
}

/// Projection of the log of staff onto the roster.
#[derive(Clone, Default)]
struct RosterSnapshot {
    roster: Arc<Roster>,
    /// True if an entry cannot be decoded: nothing is changed on a roster that is not known.
    is_unreadable: bool,
}

impl Projection for RosterSnapshot {
    type View = RosterSnapshot;

    fn view(&self) -> RosterSnapshot {
        self.clone()
    }

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let entry: StaffEntry =
            envelope::decode(&stored.entry.payload).inspect_err(|_| self.is_unreadable = true)?;
        Arc::make_mut(&mut self.roster).apply(&entry);
        Ok(())
    }

    fn reset(&mut self) {
        tracing::warn!("the staff log was made anew, forgetting the roster");
        *self = RosterSnapshot::default();
    }
}

impl RosterLog {
    /// Begins to follow the log of staff.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff");
        let follow = Follow::new(ledger.clone(), STAFF, tasks.stop().clone());
        let (follower, following) = follow.start(RosterSnapshot::default());
        let roster_log = Arc::new(RosterLog { ledger, clock, tasks, follower });
        roster_log.tasks.spawn("roster", following);
        roster_log.tasks.spawn("secret", roster_log.clone().keep_secret());
        roster_log
    }

    /// Returns the roster that this replica has read.
    pub(crate) fn now(&self) -> Arc<Roster> {
        self.follower.now().roster
    }

    /// Returns the roster once the log has been read up to its head at the start.
    pub(crate) async fn loaded(&self) -> Result<Arc<Roster>, IdentityError> {
        let roster = self.now();
        if roster.has_secret() {
            return Ok(roster);
        }
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        self.wait_until(deadline, |progress| progress.view.roster.has_secret()).await
    }

    /// Returns the form of an entry that a newer program wrote.
    pub(crate) fn newer(&self) -> Option<NewerForm> {
        self.follower.newer()
    }

    /// Refuses to vouch for a member or a key, which a newer program may have removed.
    pub(crate) fn require_current(&self) -> Result<(), IdentityError> {
        self.newer().map_or(Ok(()), |_| Err(IdentityError::NewerVersion))
    }

    /// Returns whether the roster has been read to its end, and a newer program wrote none of it.
    pub(crate) fn is_current(&self) -> bool {
        self.follower.caught_up() && self.newer().is_none()
    }

    /// Wakes after each change of the roster.
    pub(crate) fn changes(&self) -> watch::Receiver<impl Sized + use<>> {
        self.follower.changes()
    }

    /// Appends the event that `decide` returns, given everything before it; `None` appends nothing.
    /// Returns the roster after it.
    pub(crate) async fn update<'a, E: From<IdentityError>>(
        &self,
        by: impl Into<Author<'a>>,
        decide: impl Fn(&Roster) -> Result<Option<StaffEvent>, E>,
    ) -> Result<Arc<Roster>, E> {
        self.loaded().await?;
        self.append_decided(by.into(), decide).await
    }

    async fn append_decided<E: From<IdentityError>>(
        &self,
        by: Author<'_>,
        decide: impl Fn(&Roster) -> Result<Option<StaffEvent>, E>,
    ) -> Result<Arc<Roster>, E> {
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        let subject = subject();
        loop {
            let Progress { view, position, .. } = self.follower.changes().borrow().clone();
            if view.is_unreadable {
                return Err(IdentityError::NewerVersion.into());
            }
            let Some(event) = decide(&view.roster)? else { return Ok(view.roster) };
            let staff_entry = StaffEntry::new(self.clock.now_ms(), by.id, event);
            let staff_entry = staff_entry.with_origin(by.address);
            let expect = match position {
                Position::START => ExpectedPosition::Empty,
                position => ExpectedPosition::At(position),
            };
            let entry = Entry::new(staff_entry.encode());
            let appended = self.ledger.append(&STAFF, &subject, expect, entry);
            match timeout_at(deadline, appended).await {
                Ok(Ok(position)) => {
                    return Ok(self
                        .wait_until(deadline, |progress| progress.position >= position)
                        .await?);
                }
                Ok(Err(AppendError::Conflict { found: Some(found), .. })) => {
                    self.wait_until(deadline, |progress| progress.position >= found).await?;
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "cannot append a change of staff");
                    return Err(IdentityError::LedgerUnavailable.into());
                }
                Err(_) => return Err(IdentityError::LedgerUnavailable.into()),
            }
        }
    }

    async fn wait_until(
        &self,
        deadline: Instant,
        condition: impl FnMut(&Progress<RosterSnapshot>) -> bool,
    ) -> Result<Arc<Roster>, IdentityError> {
        let mut progress = self.follower.changes();
        match timeout_at(deadline, progress.wait_for(condition)).await {
            Ok(Ok(progress)) => Ok(progress.view.roster.clone()),
            _ => Err(IdentityError::LedgerUnavailable),
        }
    }

    /// Creates the secret of the deployment, which is the first entry, whenever the log is empty.
    /// Several replicas may try; one of them writes it.
    async fn keep_secret(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut progress = self.follower.changes();
        let stop = self.tasks.stop();
        loop {
            let is_empty = |progress: &Progress<RosterSnapshot>| {
                progress.caught_up && progress.position == Position::START
            };
            let emptied = progress.wait_for(is_empty);
            if !matches!(stop.run_until_cancelled(emptied).await, Some(Ok(_))) {
                return;
            }
            let created = self.append_decided("system".into(), |roster| {
                let secret = || StaffEvent::SecretMade { secret: entropy::token(32) };
                Ok::<_, IdentityError>((!roster.has_secret()).then(secret))
            });
            if created.await.is_ok() {
                backoff.reset();
            } else if !backoff.wait_unless(stop).await {
                return;
            }
        }
    }
}

fn subject() -> Subject {
    Subject::new(&["staff"]).expect("a constant name is one")
}
