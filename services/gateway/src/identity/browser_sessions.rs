//! Browsers that staff are logged in with: a random cookie, of which every replica knows the hash.
//!
//! A session stands in a log of its own, one subject each. A replica that has not heard of one yet
//! looks it up there, so that a browser may go on at any replica at once. A cookie proves by a hash
//! of its own that it was made here before anything is looked up.

use super::error::IdentityError;
use super::roster::Roster;
use super::roster_log::RosterLog;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::staff::{SessionHolder, StaffSession};
use paihao_contracts::streams::STAFF_SESSIONS;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// Use is noted this many times within the time after which an unused session ends.
const REFRESHES_PER_IDLE_TIMEOUT: u32 = 8;

/// Characters of a cookie that are chance; the rest proves where it was made.
const COOKIE_RANDOM_CHARS: usize = 22;

/// How long a session lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLifetime {
    /// Unused, so long at most; and an eighth less at least.
    pub(crate) idle_timeout: Duration,
    /// In all.
    pub(crate) max_age: Duration,
}

/// All sessions of this deployment.
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
    /// Where its newest entry stands.
    position: Position,
    /// That it was used is just being written down.
    refreshing: bool,
}

/// Why a session may be ended.
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
        sessions.tasks.spawn("follow", sessions.clone().follow());
        sessions
    }

    /// A cookie for a browser that is logged in from now on.
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

    /// The session of a cookie, with its id, as long as it lasts.
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

    /// Whether a session goes on, here and now.
    pub(crate) fn is_active(&self, id: &str) -> bool {
        self.sessions.lock().get(id).is_some_and(|kept| self.is_valid(&kept.session))
    }

    /// The sessions of somebody, newest first.
    pub(crate) fn list_for(&self, holder: &SessionHolder) -> Vec<(String, StaffSession)> {
        let known = self.sessions.lock();
        let theirs = known.iter().filter(|(_, kept)| kept.session.holder == *holder);
        let lasting = theirs.filter(|(_, kept)| self.is_valid(&kept.session));
        let mut found: Vec<_> =
            lasting.map(|(id, kept)| (id.clone(), kept.session.clone())).collect();
        found.sort_by_key(|(_, session)| std::cmp::Reverse(session.begun_at));
        found
    }

    /// Ends sessions of somebody; how many.
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

    /// How long a cookie is to be kept by a browser.
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

    /// Has it written down that a session is used, now and then. What ended meanwhile stays ended:
    /// the note stands only right behind the entry that it is about.
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
            // What is being noted may come back here before its writer goes on.
            *kept = CachedSession { session, position, refreshing: false };
        }
        let now = self.clock.now_ms();
        // What is over in all is over for ever.
        known.retain(|_, kept| now - kept.session.begun_at < ms(self.lifetime.max_age));
        drop(known);
        self.changed.send_modify(|count| *count += 1);
    }

    async fn follow(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.tasks.is_stopping() {
            match self.ledger.follow(&STAFF_SESSIONS, Position::START).await {
                Ok(entries) => self.apply_entries(entries).await,
                Err(error) => tracing::warn!(%error, "cannot follow who is logged in yet"),
            }
            backoff.wait_unless(self.tasks.stop()).await;
        }
    }

    async fn apply_entries(&self, mut entries: BoxStream<'static, LogItem>) {
        let next = async |entries: &mut BoxStream<'static, LogItem>| {
            self.tasks.stop().run_until_cancelled(entries.next()).await.flatten()
        };
        while let Some(followed) = next(&mut entries).await {
            let LogItem::Entry(StoredEntry { position, subject, entry, .. }) = followed else {
                tracing::warn!("who is logged in was lost: all have to log in again");
                self.sessions.lock().clear();
                continue;
            };
            if let Some(session) = StaffSession::decode(&entry.payload) {
                self.apply(subject.as_str().to_owned(), session, position);
            }
        }
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
