//! Log of staff: follows the roster, and appends changes to it.
//!
//! All entries have one subject, and each is appended only after the entry on which it was decided:
//! two managers at two replicas never remove each other. Its secrets are sealed.

use super::error::IdentityError;
use super::former_names::{FormerName, NamesInLog};
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

/// Longest time between two looks for names that have been kept for their time.
const NAME_CHECK_INTERVAL: Duration = Duration::from_secs(3600);

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
    /// Time after which the name of a former member, key or kiosk is erased; `None` while an older
    /// program may have to read the log.
    name_retention: Option<Duration>,
}

/// Projection of the log of staff onto the roster.
#[derive(Clone, Default)]
struct RosterSnapshot {
    roster: Arc<Roster>,
    /// True if an entry cannot be decoded: nothing is changed on a roster that is not known.
    is_unreadable: bool,
    seals: Arc<RosterSeals>,
    names: Arc<NamesInLog>,
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
            Ok(entry) => {
                Arc::make_mut(&mut self.roster).apply(&entry);
                Arc::make_mut(&mut self.names).apply(stored.position, &entry, &self.roster);
            }
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
        name_retention: Duration,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff");
        let follow = Follow::new(ledger.clone(), STAFF, tasks.stop().clone());
        let seals = Arc::new(RosterSeals::new(keyring.clone()));
        let snapshot = RosterSnapshot { seals, ..RosterSnapshot::default() };
        let (follower, following) = follow.start(snapshot);
        let sealing_keys = keyring.filter(|_| write_version.allows(STAFF_GENERATION));
        let name_retention =
            Some(name_retention).filter(|_| write_version.allows(STAFF_GENERATION));
        let roster_log = RosterLog { ledger, clock, tasks, follower, sealing_keys, name_retention };
        let roster_log = Arc::new(roster_log);
        roster_log.tasks.spawn("roster", following);
        roster_log.tasks.spawn("secret", roster_log.clone().keep_secret());
        if roster_log.name_retention.is_some() {
            roster_log.tasks.spawn("names", roster_log.clone().keep_names_erased());
        }
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

impl RosterLog {
    /// Returns the former members, keys and kiosks whose names stand in the log, with the time at
    /// which each name is erased; `None` while an older program may have to read the log.
    pub(crate) async fn former(&self) -> Result<Vec<(FormerName, Option<i64>)>, IdentityError> {
        self.loaded().await?;
        let retention = self.name_retention.map(|time| time.as_millis() as i64);
        let names = self.follower.now().names;
        let erased_at = |former: &FormerName| Some(former.left_at.saturating_add(retention?));
        Ok(names
            .former()
            .map(|former| {
                let erased_at = erased_at(&former);
                (former, erased_at)
            })
            .collect())
    }

    /// Returns whether names of former members, keys and kiosks can be erased.
    pub(crate) fn erases_names(&self) -> bool {
        self.name_retention.is_some()
    }

    /// Erases the name of a former member, key or kiosk that `may_erase` accepts. Returns false if
    /// there is none.
    pub(crate) async fn erase_name(
        &self,
        by: Author<'_>,
        id: &str,
        may_erase: impl Fn(&FormerName) -> bool,
    ) -> Result<bool, IdentityError> {
        self.loaded().await?;
        let before = self.follower.now().names;
        self.append_on(by, |snapshot| {
            let former = snapshot.names.former().find(|former| former.id == id);
            Ok::<_, IdentityError>(
                former.filter(|former| may_erase(former)).and_then(|_| snapshot.names.erasure(id)),
            )
        })
        .await?;
        let names = self.follower.now().names;
        if !names.is_erased(id) {
            return Ok(false);
        }
        self.remove_entries(&(names.removable() - before.removable())).await?;
        Ok(true)
    }

    /// Erases names that were kept for their time, and removes the entries in which erased ones
    /// stand. Several replicas may try; one of them writes each.
    async fn keep_names_erased(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60));
        let mut progress = self.follower.changes();
        let stop = self.tasks.stop();
        let mut removed = BTreeSet::new();
        loop {
            let is_known = |progress: &Progress<RosterSnapshot>| {
                progress.caught_up && !progress.view.is_unreadable
            };
            let known = progress.wait_for(is_known);
            if !matches!(stop.run_until_cancelled(known).await, Some(Ok(_))) {
                return;
            }
            if self.erase_due_names(&mut removed).await.is_ok() {
                backoff.reset();
                let changed = tokio::time::timeout(NAME_CHECK_INTERVAL, progress.changed());
                if stop.run_until_cancelled(changed).await.is_none() {
                    return;
                }
            } else if !backoff.wait_unless(stop).await {
                return;
            }
        }
    }

    async fn erase_due_names(&self, removed: &mut BTreeSet<Position>) -> Result<(), IdentityError> {
        let Some(retention) = self.name_retention else { return Ok(()) };
        // A clock that nothing confirms erases nothing.
        let reading = self.clock.read();
        let next_due = |snapshot: &RosterSnapshot| {
            let is_confirmed = reading.trust.is_confirmed();
            let due = snapshot.names.next_due(&snapshot.roster, reading.now_ms, retention);
            due.filter(|_| is_confirmed).map(str::to_owned)
        };
        while next_due(&self.follower.now()).is_some() {
            let erasure = |snapshot: &RosterSnapshot| {
                let due = next_due(snapshot);
                Ok::<_, IdentityError>(due.and_then(|id| snapshot.names.erasure(&id)))
            };
            self.append_on("system".into(), erasure).await?;
        }
        let positions = self.follower.now().names.removable() - &*removed;
        self.remove_entries(&positions).await?;
        removed.extend(positions);
        Ok(())
    }

    async fn remove_entries(&self, positions: &BTreeSet<Position>) -> Result<(), IdentityError> {
        for position in positions {
            self.ledger.erase(&STAFF, *position).await.map_err(|error| {
                tracing::warn!(%error, "cannot remove an entry with an erased name, retrying");
                IdentityError::LedgerUnavailable
            })?;
        }
        if !positions.is_empty() {
            tracing::info!(entries = positions.len(), "removed entries with an erased name");
        }
        Ok(())
    }
}

fn subject() -> Subject {
    Subject::new(&["staff"]).expect("a constant name is one")
}
