//! Browser sessions of staff: a random cookie, of which every replica knows the hash.
//!
//! Sessions stand in a log of their own, one subject each. A replica that has not read a session
//! yet looks it up there, so that a browser may go on at any replica at once. A cookie carries a
//! hash that proves that it was made here before anything is looked up.

use super::error::IdentityError;
use super::roster::Roster;
use super::roster_log::RosterLog;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::staff::{SessionHolder, StaffSession};
use paihao_contracts::streams::STAFF_SESSIONS;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Position, Projection, StoredEntry, Subject};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// Number of times that use is recorded within the idle timeout.
const REFRESHES_PER_IDLE_TIMEOUT: u32 = 8;

/// Random characters of a cookie; the rest proves that it was made here.
const COOKIE_RANDOM_CHARS: usize = 22;

/// Limits on the age of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLifetime {
    /// Longest time without use. A session may end up to an eighth earlier, since not every use is
    /// recorded.
    pub(crate) idle_timeout: Duration,
    /// Longest time from its beginning.
    pub(crate) max_age: Duration,
}

/// Sessions of this deployment.
pub(crate) struct BrowserSessions {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    lifetime: SessionLifetime,
    sessions: Mutex<HashMap<String, CachedSession>>,
    changed: watch::Sender<u64>,
}

struct CachedSession {
    session: StaffSession,
    /// Position of its newest entry.
    position: Position,
    /// True if its use is being recorded just now.
    refreshing: bool,
}

/// Sessions to end.
pub(crate) enum SessionSelection<'a> {
    /// This one.
    Only(&'a str),
    /// All of them but this one.
    AllExcept(&'a str),
}

impl BrowserSessions {
    /// Begins to follow.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        lasting: SessionLifetime,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff-sessions");
        let (known, changed) = (Mutex::default(), watch::Sender::default());
        let sessions =
            BrowserSessions { ledger, clock, tasks, lifetime: lasting, sessions: known, changed };
        let sessions = Arc::new(sessions);
        let stop = sessions.tasks.stop().clone();
        let follow = Follow::new(sessions.ledger.clone(), STAFF_SESSIONS, stop);
        let (_, following) = follow.start(SessionProjection(sessions.clone()));
        sessions.tasks.spawn("follow", following);
        sessions
    }

    /// Begins a session and returns its cookie.
    pub(crate) async fn create(
        &self,
        register: &RosterLog,
        holder: SessionHolder,
        browser: String,
        address: String,
    ) -> Result<String, IdentityError> {
        let roster = register.loaded().await?;
        let chance = entropy::token(16);
        let cookie = format!("{chance}{}", cookie_mac(&roster, &chance));
        let now = self.clock.now_ms();
        let session = StaffSession {
            v: 1,
            holder,
            begun_at: now,
            seen_at: now,
            ended_at: None,
            browser,
            address,
        };
        let id = session_id(&cookie);
        let position = self.append(&id, ExpectedPosition::Empty, &session).await?;
        self.apply(id, session, position);
        Ok(cookie)
    }

    /// Returns the session of a cookie and its id, as long as it lasts.
    pub(crate) async fn find(
        self: &Arc<Self>,
        roster: &Roster,
        cookie: &str,
    ) -> Result<Option<(String, StaffSession)>, IdentityError> {
        let Some((chance, proven)) = cookie.split_at_checked(COOKIE_RANDOM_CHARS) else {
            return Ok(None);
        };
        if !bool::from(cookie_mac(roster, chance).as_bytes().ct_eq(proven.as_bytes())) {
            return Ok(None);
        }
        let id = session_id(cookie);
        let here = self.sessions.lock().get(&id).map(|kept| kept.session.clone());
        let session = match here {
            Some(session) => session,
            None => {
                let last = self.ledger.last(&STAFF_SESSIONS, &subject(&id)).await;
                let last = last.map_err(|_| IdentityError::LedgerUnavailable)?;
                let Some(recorded) = last else { return Ok(None) };
                let Some(session) = StaffSession::decode(&recorded.entry.payload) else {
                    return Ok(None);
                };
                self.apply(id.clone(), session.clone(), recorded.position);
                session
            }
        };
        if !self.is_valid(&session) {
            return Ok(None);
        }
        self.refresh(&id);
        Ok(Some((id, session)))
    }

    /// Returns whether this replica knows the session and it lasts.
    pub(crate) fn is_active(&self, id: &str) -> bool {
        self.sessions.lock().get(id).is_some_and(|kept| self.is_valid(&kept.session))
    }

    /// Returns the sessions of a holder, newest first.
    pub(crate) fn list_for(&self, holder: &SessionHolder) -> Vec<(String, StaffSession)> {
        let known = self.sessions.lock();
        let theirs = known.iter().filter(|(_, kept)| kept.session.holder == *holder);
        let lasting = theirs.filter(|(_, kept)| self.is_valid(&kept.session));
        let mut found: Vec<_> =
            lasting.map(|(id, kept)| (id.clone(), kept.session.clone())).collect();
        found.sort_by_key(|(_, session)| std::cmp::Reverse(session.begun_at));
        found
    }

    /// Ends sessions of a holder, and returns their number.
    pub(crate) async fn end(
        &self,
        holder: &SessionHolder,
        which: SessionSelection<'_>,
    ) -> Result<usize, IdentityError> {
        let meant = |id: &str| match which {
            SessionSelection::Only(one) => id == one,
            SessionSelection::AllExcept(kept) => id != kept,
        };
        let found: Vec<_> = self.list_for(holder).into_iter().filter(|(id, _)| meant(id)).collect();
        for (id, session) in &found {
            let ended = StaffSession { ended_at: Some(self.clock.now_ms()), ..session.clone() };
            let position = self.append(id, ExpectedPosition::Any, &ended).await?;
            self.apply(id.clone(), ended, position);
        }
        Ok(found.len())
    }

    /// Returns the `Max-Age` of a session's cookie.
    pub(crate) fn cookie_max_age(&self) -> Duration {
        self.lifetime.max_age
    }

    /// Wakes whenever a session begins or ends.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn is_valid(&self, session: &StaffSession) -> bool {
        let now = self.clock.now_ms();
        let within = |since: i64, span: Duration| now - since < ms(span);
        session.ended_at.is_none()
            && within(session.begun_at, self.lifetime.max_age)
            && within(session.seen_at, self.lifetime.idle_timeout)
    }

    /// Records the use of a session now and then. A session that ended meanwhile stays ended: the
    /// entry is appended only directly after the one that it was decided on.
    fn refresh(self: &Arc<Self>, id: &str) {
        let now = self.clock.now_ms();
        let mut known = self.sessions.lock();
        let Some(kept) = known.get_mut(id) else { return };
        if kept.refreshing
            || now - kept.session.seen_at
                < ms(self.lifetime.idle_timeout / REFRESHES_PER_IDLE_TIMEOUT)
        {
            return;
        }
        kept.refreshing = true;
        let seen = StaffSession { seen_at: now, ..kept.session.clone() };
        let (sessions, id, expect) =
            (self.clone(), id.to_owned(), ExpectedPosition::At(kept.position));
        drop(known);
        self.tasks.spawn("note", async move {
            if let Ok(position) = sessions.append(&id, expect, &seen).await {
                sessions.apply(id.clone(), seen, position);
            }
            if let Some(kept) = sessions.sessions.lock().get_mut(&id) {
                kept.refreshing = false;
            }
        });
    }

    async fn append(
        &self,
        id: &str,
        expect: ExpectedPosition,
        session: &StaffSession,
    ) -> Result<Position, IdentityError> {
        let entry = Entry::new(session.encode());
        let appended = self.ledger.append(&STAFF_SESSIONS, &subject(id), expect, entry).await;
        appended.map_err(|error| {
            tracing::debug!(%error, "a session was not written down");
            IdentityError::LedgerUnavailable
        })
    }

    fn apply(&self, id: String, session: StaffSession, position: Position) {
        let mut known = self.sessions.lock();
        let kept = known.entry(id).or_insert_with(|| CachedSession {
            session: session.clone(),
            position: Position::START,
            refreshing: false,
        });
        if kept.position < position {
            // The follower may bring an entry before its writer goes on.
            *kept = CachedSession { session, position, refreshing: false };
        }
        let now = self.clock.now_ms();
        // A session past its greatest age never lasts again.
        known.retain(|_, kept| now - kept.session.begun_at < ms(self.lifetime.max_age));
        drop(known);
        self.changed.send_modify(|count| *count += 1);
    }
}

/// Projection of the log of sessions onto those that this replica knows.
struct SessionProjection(Arc<BrowserSessions>);

impl Projection for SessionProjection {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, recorded: StoredEntry) {
        if let Some(session) = StaffSession::decode(&recorded.entry.payload) {
            self.0.apply(recorded.subject.as_str().to_owned(), session, recorded.position);
        }
    }

    fn reset(&mut self) {
        tracing::warn!("the sessions that were read are forgotten");
        self.0.sessions.lock().clear();
    }
}

fn session_id(cookie: &str) -> String {
    hex::encode(&Sha256::digest(cookie)[..16])
}

fn cookie_mac(roster: &Roster, chance: &str) -> String {
    roster.tag("session cookie", &[chance]).unwrap_or_default()
}

fn subject(id: &str) -> Subject {
    Subject::new(&[id]).expect("hex digits are a name")
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
