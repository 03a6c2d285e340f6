//! Keeps up with who works here, and writes down what changes.
//!
//! Everything stands under one subject, and each entry is appended where the one stood that it was
//! decided on: two managers at two replicas never remove each other.

use super::error::IdentityError;
use super::roster::Roster;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::staff::{StaffEntry, StaffEvent};
use paihao_contracts::streams::STAFF;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long a change may take to be durable and known here.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(4);

/// The one place where it is known who works here.
pub(crate) struct RosterLog {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    snapshot: watch::Sender<RosterSnapshot>,
}

/// As far as this replica has read.
#[derive(Clone, Default)]
struct RosterSnapshot {
    roster: Arc<Roster>,
    position: Position,
    /// Something that a newer program wrote stands in it.
    has_newer_version: bool,
}

impl RosterLog {
    /// Begins to follow.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff");
        let register =
            Arc::new(RosterLog { ledger, clock, tasks, snapshot: watch::Sender::default() });
        register.tasks.spawn("follow", register.clone().follow());
        register
    }

    /// Who works here, as far as this replica has read.
    pub(crate) fn now(&self) -> Arc<Roster> {
        self.snapshot.borrow().roster.clone()
    }

    /// The same, once what was there at the start has been read.
    pub(crate) async fn loaded(&self) -> Result<Arc<Roster>, IdentityError> {
        let now = self.now();
        if now.has_secret() {
            return Ok(now);
        }
        let read = self
            .wait_until(Instant::now() + CHANGE_TIMEOUT, |read| read.roster.has_secret())
            .await?;
        Ok(read.roster)
    }

    /// Wakes whenever somebody comes, changes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<impl Sized + use<>> {
        self.snapshot.subscribe()
    }

    /// Writes down what `decide` says, given everything before it; `None` is nothing to write. Who
    /// works here after that.
    pub(crate) async fn update<E: From<IdentityError>>(
        &self,
        by: &str,
        decide: impl Fn(&Roster) -> Result<Option<StaffEvent>, E>,
    ) -> Result<Arc<Roster>, E> {
        self.loaded().await?;
        self.append_decided(by, decide).await
    }

    async fn append_decided<E: From<IdentityError>>(
        &self,
        by: &str,
        decide: impl Fn(&Roster) -> Result<Option<StaffEvent>, E>,
    ) -> Result<Arc<Roster>, E> {
        let (deadline, subject) = (Instant::now() + CHANGE_TIMEOUT, subject());
        loop {
            let RosterSnapshot { roster, position, has_newer_version: newer } =
                self.snapshot.borrow().clone();
            if newer {
                return Err(IdentityError::NewerVersion.into());
            }
            let Some(event) = decide(&roster)? else { return Ok(roster) };
            let entry = StaffEntry { v: 1, at: self.clock.now_ms(), by: by.to_owned(), event };
            let expect = match position {
                Position::START => ExpectedPosition::Empty,
                position => ExpectedPosition::At(position),
            };
            let entry = Entry::new(entry.encode());
            let appended = self.ledger.append(&STAFF, &subject, expect, entry);
            let reached = match timeout_at(deadline, appended).await {
                Ok(Ok(position)) => {
                    let read = self.wait_until(deadline, |read| read.position >= position).await?;
                    return Ok(read.roster);
                }
                Ok(Err(AppendError::Conflict { found: Some(found), .. })) => found,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a change of staff was not written down");
                    return Err(IdentityError::LedgerUnavailable.into());
                }
                Err(_) => return Err(IdentityError::LedgerUnavailable.into()),
            };
            self.wait_until(deadline, |read| read.position >= reached).await?;
        }
    }

    async fn wait_until(
        &self,
        deadline: Instant,
        mut holds: impl FnMut(&RosterSnapshot) -> bool,
    ) -> Result<RosterSnapshot, IdentityError> {
        let mut read = self.snapshot.subscribe();
        let waited = timeout_at(deadline, read.wait_for(|read| holds(read))).await;
        match waited {
            Ok(Ok(read)) => Ok(read.clone()),
            _ => Err(IdentityError::LedgerUnavailable),
        }
    }

    async fn follow(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.tasks.is_stopping() {
            self.snapshot.send_replace(RosterSnapshot::default());
            let begun = async {
                let head = self.ledger.head(&STAFF).await?;
                Ok::<_, paihao_ledger::Unavailable>((
                    head,
                    self.ledger.follow(&STAFF, Position::START).await?,
                ))
            };
            match begun.await {
                Ok((head, entries)) => self.apply_entries(head, entries).await,
                Err(error) => tracing::warn!(%error, "cannot read who works here yet"),
            }
            backoff.wait_unless(self.tasks.stop()).await;
        }
    }

    async fn apply_entries(
        self: &Arc<Self>,
        head: Position,
        mut entries: BoxStream<'static, LogItem>,
    ) {
        if head == Position::START {
            self.tasks.spawn("secret", self.clone().create_secret());
        }
        while let Some(followed) =
            self.tasks.stop().run_until_cancelled(entries.next()).await.flatten()
        {
            let LogItem::Entry(recorded) = followed else {
                tracing::warn!("who works here was lost: it begins anew, with a first manager");
                self.snapshot.send_replace(RosterSnapshot::default());
                self.tasks.spawn("secret", self.clone().create_secret());
                continue;
            };
            self.snapshot.send_modify(|read| {
                read.position = recorded.position;
                match StaffEntry::decode(&recorded.entry.payload) {
                    Some(entry) => Arc::make_mut(&mut read.roster).apply(&entry),
                    None => read.has_newer_version = true,
                }
            });
        }
    }

    /// The first entry of all. Several replicas may try; one of them writes it.
    async fn create_secret(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.tasks.is_stopping() {
            let made = self.append_decided("system", |roster| {
                let secret = || StaffEvent::SecretMade { secret: entropy::token(32) };
                Ok::<_, IdentityError>((!roster.has_secret()).then(secret))
            });
            if made.await.is_ok() {
                return;
            }
            backoff.wait_unless(self.tasks.stop()).await;
        }
    }
}

fn subject() -> Subject {
    Subject::new(&["staff"]).expect("a constant name is one")
}
