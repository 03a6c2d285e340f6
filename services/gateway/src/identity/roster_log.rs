//! Log of staff: follows the roster, and appends changes to it.
//!
//! All entries have one subject, and each is appended only after the entry on which it was decided:
//! two managers at two replicas never remove each other. Its secrets are sealed.

use super::error::IdentityError;
use super::roster::Roster;
use super::roster_seals::RosterSeals;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::sealing::{Keyring, UnsealError};
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::envelope::{self, NewerForm, ReadError, WriteVersion};
use paihao_contracts::staff::{STAFF_GENERATION, StaffEntry, StaffEvent};
use paihao_contracts::stored_secret::{StoredSecret, deployment_secret_place, signing_key_place};
use paihao_contracts::streams::STAFF;
use paihao_ledger::projection::{Follow, Follower, Progress};
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, Position, Projection, StoredEntry, Subject,
};
use std::collections::BTreeSet;
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
    /// Keys that seal what is written; `None` if it is stored in the clear, since there is no key,
    /// or an older program may have to read it.
    sealing_keys: Option<Arc<Keyring>>,
}

/// Projection of the log of staff onto the roster.
#[derive(Clone, Default)]
struct RosterSnapshot {
    roster: Arc<Roster>,
    /// True if an entry cannot be decoded: nothing is changed on a roster that is not known.
    is_unreadable: bool,
    seals: Arc<RosterSeals>,
    /// Reason why a secret cannot be opened.
    unsealable: Option<UnsealError>,
}

impl Projection for RosterSnapshot {
    type View = RosterSnapshot;

    fn view(&self) -> RosterSnapshot {
        self.clone()
    }

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let entry: StaffEntry =
            envelope::decode(&stored.entry.payload).inspect_err(|_| self.is_unreadable = true)?;
        match Arc::make_mut(&mut self.seals).open(stored.position, entry) {
            Ok(entry) => Arc::make_mut(&mut self.roster).apply(&entry),
            Err(error) => {
                if self.unsealable.is_none() {
                    tracing::error!(%error, "cannot open a secret of the log of staff");
                }
                self.is_unreadable = true;
                self.unsealable = Some(error);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        tracing::warn!("the staff log was made anew, forgetting the roster");
        let seals = Arc::new(self.seals.emptied());
        *self = RosterSnapshot { seals, ..RosterSnapshot::default() };
    }
}

impl RosterLog {
    /// Begins to follow the log of staff. Secrets are sealed by the keys, once the generation of
    /// forms allows it.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        keyring: Option<Arc<Keyring>>,
        write_version: WriteVersion,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff");
        let follow = Follow::new(ledger.clone(), STAFF, tasks.stop().clone());
        let seals = Arc::new(RosterSeals::new(keyring.clone()));
        let snapshot = RosterSnapshot { seals, ..RosterSnapshot::default() };
        let (follower, following) = follow.start(snapshot);
        let sealing_keys = keyring.filter(|_| write_version.allows(STAFF_GENERATION));
        let roster_log = Arc::new(RosterLog { ledger, clock, tasks, follower, sealing_keys });
        roster_log.tasks.spawn("roster", following);
        roster_log.tasks.spawn("secret", roster_log.clone().keep_secret());
        if roster_log.sealing_keys.is_some() {
            roster_log.tasks.spawn("seals", roster_log.clone().keep_sealed());
        }
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

    /// Returns the reason why a secret of the log cannot be opened.
    pub(crate) fn unsealable(&self) -> Option<UnsealError> {
        self.follower.now().unsealable
    }

    /// Returns the event of a new signing key.
    pub(crate) fn signing_key_made(&self, kid: &str, pkcs8: &str) -> StaffEvent {
        let pkcs8 = self.stored_secret(&signing_key_place(kid), pkcs8);
        StaffEvent::SigningKeyMade { kid: kid.to_owned(), pkcs8, made_at: None }
    }

    fn stored_secret(&self, place: &str, secret: &str) -> StoredSecret {
        StoredSecret::new(match &self.sealing_keys {
            Some(keyring) => keyring.seal(place, secret),
            None => secret.to_owned(),
        })
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
        self.append_on(by, |snapshot| decide(&snapshot.roster)).await
    }

    async fn append_on<E: From<IdentityError>>(
        &self,
        by: Author<'_>,
        decide: impl Fn(&RosterSnapshot) -> Result<Option<StaffEvent>, E>,
    ) -> Result<Arc<Roster>, E> {
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        let subject = subject();
        loop {
            let Progress { view, position, .. } = self.follower.changes().borrow().clone();
            if view.is_unreadable {
                return Err(IdentityError::NewerVersion.into());
            }
            let Some(event) = decide(&view)? else { return Ok(view.roster) };
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
                let secret = || {
                    let place = deployment_secret_place();
                    let secret = self.stored_secret(&place, &entropy::token(32));
                    StaffEvent::SecretMade { secret, made_at: None }
                };
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

impl RosterLog {
    /// Seals what is not sealed under the present key, and erases the entries that held it before.
    /// Several replicas may try; one of them writes each.
    async fn keep_sealed(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60));
        let mut progress = self.follower.changes();
        let stop = self.tasks.stop();
        let mut erased = BTreeSet::new();
        loop {
            let has_work = |progress: &Progress<RosterSnapshot>| {
                let seals = &progress.view.seals;
                progress.caught_up
                    && !progress.view.is_unreadable
                    && (seals.next_resealing().is_some() || !seals.replaced().is_subset(&erased))
            };
            let found = progress.wait_for(has_work);
            if !matches!(stop.run_until_cancelled(found).await, Some(Ok(_))) {
                return;
            }
            if self.reseal(&mut erased).await.is_ok() {
                backoff.reset();
            } else if !backoff.wait_unless(stop).await {
                return;
            }
        }
    }

    async fn reseal(&self, erased: &mut BTreeSet<Position>) -> Result<(), IdentityError> {
        let seals = || self.follower.now().seals;
        while seals().next_resealing().is_some() {
            let next =
                |snapshot: &RosterSnapshot| Ok::<_, IdentityError>(snapshot.seals.next_resealing());
            self.append_on("system".into(), next).await?;
        }
        for position in &seals().replaced() - &*erased {
            self.ledger.erase(&STAFF, position).await.map_err(|error| {
                tracing::warn!(%error, "cannot erase a secret that was sealed again, retrying");
                IdentityError::LedgerUnavailable
            })?;
            erased.insert(position);
            tracing::info!(position = position.0, "sealed a secret, and erased its former entry");
        }
        Ok(())
    }
}

fn subject() -> Subject {
    Subject::new(&["staff"]).expect("a constant name is one")
}
