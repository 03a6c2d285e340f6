//! Browsers that staff are logged in with: a random cookie, of which every replica knows the hash.
//!
//! A session stands in a log of its own, one subject each. A replica that has not heard of one yet
//! looks it up there, so that a browser may go on at any replica at once. A cookie proves by a hash
//! of its own that it was made here before anything is looked up.

use super::register::Register;
use super::roster::Roster;
use crate::http::refusals::{self, Problem};
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::names::STAFF_SESSIONS;
use paihao_contracts::staff::{SessionHolder, StaffSession};
use paihao_ledger::{Entry, Expect, Followed, Ledger, Position, Recorded, Subject};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// Use is noted this many times within the time after which an unused session ends.
const NOTED: u32 = 8;

/// Characters of a cookie that are chance; the rest proves where it was made.
const CHANCE: usize = 22;

/// How long a session lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasting {
    /// Unused, so long at most; and an eighth less at least.
    pub(crate) idle: Duration,
    /// In all.
    pub(crate) whole: Duration,
}

/// All sessions of this deployment.
pub(crate) struct StaffSessions {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    lasting: Lasting,
    known: Mutex<HashMap<String, Kept>>,
    changed: watch::Sender<u64>,
}

struct Kept {
    session: StaffSession,
    /// Where its newest entry stands.
    position: Position,
    /// That it was used is just being written down.
    noting: bool,
}

/// Why a session may be ended.
pub(crate) enum Which<'a> {
    /// This one.
    One(&'a str),
    /// All of them but this one.
    AllBut(&'a str),
}

impl StaffSessions {
    /// Begins to follow.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        lasting: Lasting,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child("staff-sessions");
        let (known, changed) = (Mutex::default(), watch::Sender::default());
        let sessions = StaffSessions { ledger, clock, tasks, lasting, known, changed };
        let sessions = Arc::new(sessions);
        sessions.tasks.spawn("follow", sessions.clone().follow());
        sessions
    }

    /// A cookie for a browser that is logged in from now on.
    pub(crate) async fn begin(
        &self,
        register: &Register,
        holder: SessionHolder,
        browser: String,
        address: String,
    ) -> Result<String, Problem> {
        let roster = register.known().await?;
        let chance = entropy::token(16);
        let cookie = format!("{chance}{}", proof(&roster, &chance));
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
        let id = id_of(&cookie);
        let position = self.append(&id, Expect::Nothing, &session).await?;
        self.learn(id, session, position);
        Ok(cookie)
    }

    /// The session of a cookie, with its id, as long as it lasts.
    pub(crate) async fn find(
        self: &Arc<Self>,
        roster: &Roster,
        cookie: &str,
    ) -> Result<Option<(String, StaffSession)>, Problem> {
        let Some((chance, proven)) = cookie.split_at_checked(CHANCE) else { return Ok(None) };
        if !bool::from(proof(roster, chance).as_bytes().ct_eq(proven.as_bytes())) {
            return Ok(None);
        }
        let id = id_of(cookie);
        let here = self.known.lock().get(&id).map(|kept| kept.session.clone());
        let session = match here {
            Some(session) => session,
            None => {
                let last = self.ledger.last(&STAFF_SESSIONS, &subject(&id)).await;
                let last = last.map_err(|_| Problem::new(&refusals::LEDGER_UNAVAILABLE))?;
                let Some(recorded) = last else { return Ok(None) };
                let Some(session) = StaffSession::decode(&recorded.entry.payload) else {
                    return Ok(None);
                };
                self.learn(id.clone(), session.clone(), recorded.position);
                session
            }
        };
        if !self.lasts(&session) {
            return Ok(None);
        }
        self.note(&id);
        Ok(Some((id, session)))
    }

    /// Whether a session goes on, here and now.
    pub(crate) fn goes_on(&self, id: &str) -> bool {
        self.known.lock().get(id).is_some_and(|kept| self.lasts(&kept.session))
    }

    /// The sessions of somebody, newest first.
    pub(crate) fn of(&self, holder: &SessionHolder) -> Vec<(String, StaffSession)> {
        let known = self.known.lock();
        let theirs = known.iter().filter(|(_, kept)| kept.session.holder == *holder);
        let lasting = theirs.filter(|(_, kept)| self.lasts(&kept.session));
        let mut found: Vec<_> =
            lasting.map(|(id, kept)| (id.clone(), kept.session.clone())).collect();
        found.sort_by_key(|(_, session)| std::cmp::Reverse(session.begun_at));
        found
    }

    /// Ends sessions of somebody; how many.
    pub(crate) async fn end(
        &self,
        holder: &SessionHolder,
        which: Which<'_>,
    ) -> Result<usize, Problem> {
        let meant = |id: &str| match which {
            Which::One(one) => id == one,
            Which::AllBut(kept) => id != kept,
        };
        let found: Vec<_> = self.of(holder).into_iter().filter(|(id, _)| meant(id)).collect();
        for (id, session) in &found {
            let ended = StaffSession { ended_at: Some(self.clock.now_ms()), ..session.clone() };
            let position = self.append(id, Expect::Anything, &ended).await?;
            self.learn(id.clone(), ended, position);
        }
        Ok(found.len())
    }

    /// How long a cookie is to be kept by a browser.
    pub(crate) fn longest(&self) -> Duration {
        self.lasting.whole
    }

    /// Wakes whenever a session begins or ends.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lasts(&self, session: &StaffSession) -> bool {
        let now = self.clock.now_ms();
        let within = |since: i64, span: Duration| now - since < ms(span);
        session.ended_at.is_none()
            && within(session.begun_at, self.lasting.whole)
            && within(session.seen_at, self.lasting.idle)
    }

    /// Has it written down that a session is used, now and then. What ended meanwhile stays ended:
    /// the note stands only right behind the entry that it is about.
    fn note(self: &Arc<Self>, id: &str) {
        let now = self.clock.now_ms();
        let mut known = self.known.lock();
        let Some(kept) = known.get_mut(id) else { return };
        if kept.noting || now - kept.session.seen_at < ms(self.lasting.idle / NOTED) {
            return;
        }
        kept.noting = true;
        let seen = StaffSession { seen_at: now, ..kept.session.clone() };
        let (sessions, id, expect) = (self.clone(), id.to_owned(), Expect::At(kept.position));
        drop(known);
        self.tasks.spawn("note", async move {
            if let Ok(position) = sessions.append(&id, expect, &seen).await {
                sessions.learn(id.clone(), seen, position);
            }
            if let Some(kept) = sessions.known.lock().get_mut(&id) {
                kept.noting = false;
            }
        });
    }

    async fn append(
        &self,
        id: &str,
        expect: Expect,
        session: &StaffSession,
    ) -> Result<Position, Problem> {
        let entry = Entry::new(session.encode());
        let appended = self.ledger.append(&STAFF_SESSIONS, &subject(id), expect, entry).await;
        appended.map_err(|error| {
            tracing::debug!(%error, "a session was not written down");
            Problem::new(&refusals::LEDGER_UNAVAILABLE)
        })
    }

    fn learn(&self, id: String, session: StaffSession, position: Position) {
        let mut known = self.known.lock();
        let kept = known.entry(id).or_insert_with(|| Kept {
            session: session.clone(),
            position: Position::START,
            noting: false,
        });
        if kept.position < position {
            // What is being noted may come back here before its writer goes on.
            *kept = Kept { session, position, noting: false };
        }
        let now = self.clock.now_ms();
        // What is over in all is over for ever.
        known.retain(|_, kept| now - kept.session.begun_at < ms(self.lasting.whole));
        drop(known);
        self.changed.send_modify(|count| *count += 1);
    }

    async fn follow(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.tasks.stopping() {
            match self.ledger.follow(&STAFF_SESSIONS, Position::START).await {
                Ok(entries) => self.read(entries).await,
                Err(error) => tracing::warn!(%error, "cannot follow who is logged in yet"),
            }
            backoff.wait_unless(self.tasks.stop()).await;
        }
    }

    async fn read(&self, mut entries: BoxStream<'static, Followed>) {
        let next = async |entries: &mut BoxStream<'static, Followed>| {
            self.tasks.stop().run_until_cancelled(entries.next()).await.flatten()
        };
        while let Some(followed) = next(&mut entries).await {
            let Followed::Entry(Recorded { position, subject, entry, .. }) = followed else {
                tracing::warn!("who is logged in was lost: all have to log in again");
                self.known.lock().clear();
                continue;
            };
            if let Some(session) = StaffSession::decode(&entry.payload) {
                self.learn(subject.as_str().to_owned(), session, position);
            }
        }
    }
}

fn id_of(cookie: &str) -> String {
    hex::encode(&Sha256::digest(cookie)[..16])
}

fn proof(roster: &Roster, chance: &str) -> String {
    roster.tag("session cookie", &[chance]).unwrap_or_default()
}

fn subject(id: &str) -> Subject {
    Subject::new(&[id]).expect("hex digits are a name")
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
