//! Browser sessions of staff: a random cookie, of which every replica knows the hash.
//!
//! Sessions are stored in a log of their own, one subject each. A replica that has not read a
//! session yet looks it up there, so that a browser can use any replica at once. A cookie contains
//! a MAC, which is verified before anything is looked up.

use super::error::IdentityError;
use super::key_uses::{KeyUse, KeyUses, is_key_id};
use super::roster::Roster;
use super::roster_log::{Author, RosterLog};
use super::session_cache::SessionCache;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::staff::{SessionHolder, StaffSession};
use paihao_contracts::streams::STAFF_SESSIONS;
use paihao_ledger::projection::Follow;
use paihao_ledger::{
    Entry, ExpectedPosition, Follower, Ledger, Position, Projection, StoredEntry, Subject,
};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// Number of times that use is recorded within the idle timeout.
const REFRESHES_PER_IDLE_TIMEOUT: u32 = 8;

/// Longest wait for the sessions that other replicas have begun.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(4);

/// Interval in which the use of an API key is recorded, by each replica.
const KEY_USE_INTERVAL: Duration = Duration::from_secs(3600);

/// Number of random characters of a cookie; the rest is their MAC.
const COOKIE_RANDOM_CHARS: usize = 22;

/// Limits on the age of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLifetime {
    /// Longest time without use. A session may end up to an eighth of it earlier, since not every
    /// use is recorded.
    pub(crate) idle_timeout: Duration,
    /// Longest time from the beginning of the session.
    pub(crate) max_age: Duration,
}

/// Sessions of this deployment.
pub(crate) struct BrowserSessions {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    lifetime: SessionLifetime,
    sessions: Mutex<SessionCache>,
    key_uses: KeyUses,
    changed: watch::Sender<u64>,
    follower: OnceLock<Follower<()>>,
    /// Form of an entry that a newer program wrote.
    newer: Mutex<Option<NewerForm>>,
}

/// Sessions to end.
pub(crate) enum SessionSelection<'a> {
    /// This session.
    Only(&'a str),
    /// All sessions but this one.
    AllExcept(&'a str),
}

impl BrowserSessions {
    /// Begins to follow the log of sessions.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        lifetime: SessionLifetime,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff-sessions");
        let sessions = Arc::new(BrowserSessions {
            ledger,
            clock,
            tasks,
            lifetime,
            sessions: Mutex::default(),
            key_uses: KeyUses::default(),
            changed: watch::Sender::default(),
            follower: OnceLock::new(),
            newer: Mutex::default(),
        });
        let stop = sessions.tasks.stop().clone();
        let follow = Follow::new(sessions.ledger.clone(), STAFF_SESSIONS, stop);
        let (follower, following) = follow.start(SessionProjection(sessions.clone()));
        let _ = sessions.follower.set(follower);
        sessions.tasks.spawn("browser-sessions", following);
        sessions
    }

    /// Begins a session and returns its cookie.
    pub(crate) async fn create(
        &self,
        roster_log: &RosterLog,
        holder: SessionHolder,
        browser: String,
        address: String,
    ) -> Result<String, IdentityError> {
        let roster = roster_log.loaded().await?;
        let random = entropy::token(16);
        let cookie = format!("{random}{}", cookie_mac(&roster, &random));
        let now = self.clock.now_ms();
        let session = StaffSession {
            v: 1,
            holder,
            begun_at: now,
            seen_at: now,
            ended_at: None,
            ended_by: None,
            ended_from: None,
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
        let Some((random, mac)) = cookie.split_at_checked(COOKIE_RANDOM_CHARS) else {
            return Ok(None);
        };
        if !bool::from(cookie_mac(roster, random).as_bytes().ct_eq(mac.as_bytes())) {
            return Ok(None);
        }
        let id = session_id(cookie);
        let cached = self.sessions.lock().get(&id).map(|cached| cached.session.clone());
        let session = match cached {
            Some(session) => session,
            None => {
                let last = self.ledger.last(&STAFF_SESSIONS, &subject(&id)).await;
                let newest = last.map_err(|_| IdentityError::LedgerUnavailable)?;
                let Some(stored) = newest else { return Ok(None) };
                let session: StaffSession = match envelope::decode(&stored.entry.payload) {
                    Ok(session) => session,
                    Err(ReadError::Newer(_)) => return Err(IdentityError::NewerVersion),
                    Err(ReadError::Malformed(_)) => return Ok(None),
                };
                self.apply(id.clone(), session.clone(), stored.position);
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
        self.sessions.lock().get(id).is_some_and(|cached| self.is_valid(&cached.session))
    }

    /// Returns all sessions of a holder, newest first.
    pub(crate) async fn list_for(
        &self,
        holder: &SessionHolder,
    ) -> Result<Vec<(String, StaffSession)>, IdentityError> {
        self.until_current().await?;
        let sessions = self.sessions.lock();
        let of_holder = sessions.iter().filter(|(_, session)| session.holder == *holder);
        let valid = of_holder.filter(|(_, session)| self.is_valid(session));
        let mut listed: Vec<_> = valid.map(|(id, session)| (id.clone(), session.clone())).collect();
        listed.sort_by_key(|(_, session)| std::cmp::Reverse(session.begun_at));
        Ok(listed)
    }

    /// Waits until this replica knows every session that has begun before the call, at any replica.
    async fn until_current(&self) -> Result<(), IdentityError> {
        let Some(follower) = self.follower.get() else {
            return Err(IdentityError::LedgerUnavailable);
        };
        let current = follower.until_head(&*self.ledger, &STAFF_SESSIONS, CATCH_UP_TIMEOUT);
        current.await.map_err(|_| IdentityError::LedgerUnavailable)
    }

    /// Ends sessions of a holder, those of other replicas included, and returns their number.
    pub(crate) async fn end(
        &self,
        by: Author<'_>,
        holder: &SessionHolder,
        selection: SessionSelection<'_>,
    ) -> Result<usize, IdentityError> {
        let is_selected = |id: &str| match selection {
            SessionSelection::Only(selected) => id == selected,
            SessionSelection::AllExcept(excluded) => id != excluded,
        };
        let selected: Vec<_> =
            self.list_for(holder).await?.into_iter().filter(|(id, _)| is_selected(id)).collect();
        for (id, session) in &selected {
            let ended = StaffSession {
                ended_at: Some(self.clock.now_ms()),
                ended_by: Some(by.id.to_owned()),
                ended_from: by.address.map(str::to_owned),
                ..session.clone()
            };
            let position = self.append(id, ExpectedPosition::Any, &ended).await?;
            self.apply(id.clone(), ended, position);
        }
        Ok(selected.len())
    }

    /// Records the use of an API key or a kiosk, at most once in an interval. Its newest use has
    /// one subject of the log, as a session has.
    pub(crate) fn note_key_use(self: &Arc<Self>, key: &str, address: impl FnOnce() -> String) {
        if !is_key_id(key) || !self.key_uses.is_due(key, self.clock.now_ms(), KEY_USE_INTERVAL) {
            return;
        }
        let now = self.clock.now_ms();
        let session = StaffSession {
            v: 1,
            holder: SessionHolder::Key { name: key.to_owned(), print: String::new() },
            begun_at: now,
            seen_at: now,
            ended_at: None,
            ended_by: None,
            ended_from: None,
            browser: String::new(),
            address: address(),
        };
        let sessions = self.clone();
        let id = key.to_owned();
        self.tasks.spawn("note-key", async move {
            if let Ok(position) = sessions.append(&id, ExpectedPosition::Any, &session).await {
                sessions.apply(id, session, position);
            }
        });
    }

    /// Returns the newest recorded use of an API key or a kiosk.
    pub(crate) fn last_key_use(&self, key: &str) -> Option<KeyUse> {
        self.key_uses.last(key)
    }

    /// Returns the `Max-Age` of a session's cookie.
    pub(crate) fn cookie_max_age(&self) -> Duration {
        self.lifetime.max_age
    }

    /// Returns the form of an entry that a newer program wrote.
    pub(crate) fn newer(&self) -> Option<NewerForm> {
        *self.newer.lock()
    }

    /// Wakes whenever a session begins or ends.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn is_valid(&self, session: &StaffSession) -> bool {
        let now = self.clock.now_ms();
        // A time far in the future was written by a wrong clock, and lengthens no session.
        let within = |since: i64, span: Duration| (now - since).abs() < ms(span);
        session.ended_at.is_none()
            && within(session.begun_at, self.lifetime.max_age)
            && within(session.seen_at, self.lifetime.idle_timeout)
    }

    /// Records the use of a session, at most so often within the idle timeout. A session that ended
    /// meanwhile stays ended, since the entry is appended only after the one that was read.
    fn refresh(self: &Arc<Self>, id: &str) {
        let now = self.clock.now_ms();
        let mut cache = self.sessions.lock();
        let Some(cached) = cache.get_mut(id) else { return };
        if cached.is_refreshing
            || now - cached.session.seen_at
                < ms(self.lifetime.idle_timeout / REFRESHES_PER_IDLE_TIMEOUT)
        {
            return;
        }
        cached.is_refreshing = true;
        let refreshed = StaffSession { seen_at: now, ..cached.session.clone() };
        let expect = ExpectedPosition::At(cached.position);
        let sessions = self.clone();
        let id = id.to_owned();
        drop(cache);
        self.tasks.spawn("note", async move {
            if let Ok(position) = sessions.append(&id, expect, &refreshed).await {
                sessions.apply(id.clone(), refreshed, position);
            }
            if let Some(cached) = sessions.sessions.lock().get_mut(&id) {
                cached.is_refreshing = false;
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
            tracing::debug!(%error, "cannot append a browser session");
            IdentityError::LedgerUnavailable
        })
    }

    fn apply(&self, id: String, session: StaffSession, position: Position) {
        if is_key_id(&id) {
            self.key_uses.apply(id, session);
            return;
        }
        // A session past its maximum age never becomes valid again.
        let oldest = self.clock.now_ms() - ms(self.lifetime.max_age);
        self.sessions.lock().insert(id, session, position, oldest);
        self.changed.send_modify(|count| *count += 1);
    }
}

/// Projection of the log of sessions onto the sessions of this replica.
struct SessionProjection(Arc<BrowserSessions>);

impl Projection for SessionProjection {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let id = stored.subject.as_str();
        let session = envelope::decode(&stored.entry.payload).inspect_err(|error| {
            if let Some(newer) = error.newer() {
                // The next use looks it up in the log, and is refused.
                self.0.sessions.lock().remove(id);
                *self.0.newer.lock() = Some(newer);
                self.0.changed.send_modify(|count| *count += 1);
            }
        })?;
        self.0.apply(id.to_owned(), session, stored.position);
        Ok(())
    }

    fn reset(&mut self) {
        tracing::warn!("the session log was made anew, forgetting all browser sessions");
        self.0.sessions.lock().clear();
        self.0.key_uses.clear();
        *self.0.newer.lock() = None;
    }
}

fn session_id(cookie: &str) -> String {
    hex::encode(&Sha256::digest(cookie)[..16])
}

fn cookie_mac(roster: &Roster, random: &str) -> String {
    roster.tag("session cookie", &[random]).unwrap_or_default()
}

fn subject(id: &str) -> Subject {
    Subject::new(&[id]).expect("hex digits are a name")
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
