//! Tests of two replicas over one ledger: a member or session of one is known at the other.

use super::browser_sessions::{BrowserSessions, SessionLifetime, SessionSelection};
use super::error::IdentityError;
use super::roster_log::RosterLog;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::{CancellationToken, Tasks};
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::staff::{Member, SessionHolder, StaffEvent, StaffRole};
use paihao_contracts::streams::{STAFF, STAFF_SESSIONS};
use paihao_ledger::conformance::held_log::HeldLog;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const MORNING_MS: i64 = 1_795_140_000_000;
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);
const LIFETIME: SessionLifetime = SessionLifetime {
    idle_timeout: Duration::from_secs(8 * 3600),
    max_age: Duration::from_secs(24 * 3600),
};

/// Error of a refused join: somebody has joined before, or the log failed.
#[derive(Debug)]
struct NotFirst;

impl From<IdentityError> for NotFirst {
    fn from(_: IdentityError) -> NotFirst {
        NotFirst
    }
}

struct Fixture {
    ledger: Arc<dyn Ledger>,
    clock: ManualClock,
    tasks: Tasks,
    _folder: TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(MORNING_MS);
        let now = clock.clone();
        let options = SqliteOptions::new(Arc::new(move || now.now_ms()));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        Fixture { ledger: Arc::new(ledger), clock, tasks: Tasks::new(), _folder: folder }
    }

    fn start_replica(&self) -> (Arc<RosterLog>, Arc<BrowserSessions>) {
        let clock = Arc::new(self.clock.clone());
        let newest = WriteVersion::NEWEST;
        let ledger = self.ledger.clone();
        let roster_log = RosterLog::start(ledger, clock, None, newest, RETENTION, &self.tasks);
        (roster_log, self.start_sessions(self.ledger.clone()))
    }

    fn start_sessions(&self, ledger: Arc<dyn Ledger>) -> Arc<BrowserSessions> {
        BrowserSessions::start(ledger, Arc::new(self.clock.clone()), LIFETIME, &self.tasks)
    }
}

fn joined_event(id: &str) -> StaffEvent {
    let member = Member {
        id: id.into(),
        name: "王芳".into(),
        role: StaffRole::Manager,
        sites: None,
        counters: [].into(),
    };
    StaffEvent::Joined { member, person: format!("person of {id}"), invitation: id.into() }
}

fn holder() -> SessionHolder {
    SessionHolder::Member { id: "m_1".into() }
}

#[tokio::test]
async fn replicas_have_one_secret_and_of_two_first_managers_one_is_the_first() {
    let fixture = Fixture::new();
    let (one, _) = fixture.start_replica();
    let (other, _) = fixture.start_replica();
    let person = one.loaded().await.unwrap().person_hash("shop", "oAnn").unwrap();
    assert_eq!(other.loaded().await.unwrap().person_hash("shop", "oAnn").unwrap(), person);
    let first = |id: &'static str| {
        move |roster: &super::roster::Roster| {
            if roster.has_had_members() { Err(NotFirst) } else { Ok(Some(joined_event(id))) }
        }
    };
    let (a, b) =
        futures::join!(one.update("first", first("m_1")), other.update("first", first("m_2")));
    assert_eq!(u8::from(a.is_ok()) + u8::from(b.is_ok()), 1, "each was decided on the other");
    assert_eq!(fixture.start_replica().0.loaded().await.unwrap().members().count(), 1);
    fixture.tasks.abort();
}

#[tokio::test]
async fn a_session_is_good_at_any_replica_at_once_and_over_at_all_of_them() {
    let fixture = Fixture::new();
    let (roster_log, here) = fixture.start_replica();
    let (_, there) = fixture.start_replica();
    let created =
        here.create(&roster_log, holder(), "Chrome · Windows".into(), "203.0.113.*".into());
    let cookie = created.await.unwrap();
    let roster = roster_log.loaded().await.unwrap();
    let (id, session) = there.find(&roster, &cookie).await.unwrap().expect("known at once");
    assert_eq!(session.holder, holder());
    assert!(!id.contains(&cookie[..8]), "the log does not hold what opens the session");

    let mut forged = cookie.clone().into_bytes();
    *forged.last_mut().unwrap() ^= 1;
    let forged = String::from_utf8(forged).unwrap();
    for bad in ["", "x", &forged, &cookie[..30], &format!("{cookie}x")] {
        assert!(there.find(&roster, bad).await.unwrap().is_none(), "{bad}");
    }

    assert_eq!(there.end("m_1".into(), &holder(), SessionSelection::Only(&id)).await.unwrap(), 1);
    let mut changes = here.changes();
    while here.is_active(&id) {
        changes.changed().await.unwrap();
    }
    assert!(here.find(&roster, &cookie).await.unwrap().is_none());
    let (_, restarted) = fixture.start_replica();
    assert!(restarted.find(&roster, &cookie).await.unwrap().is_none(), "over after a restart too");
    fixture.tasks.abort();
}

async fn seen_since(sessions: &BrowserSessions, id: &str, at: i64) -> bool {
    let listed = sessions.list_for(&holder()).await.unwrap();
    listed.iter().any(|(one, session)| one == id && session.seen_at >= at)
}

#[tokio::test]
async fn use_keeps_a_session_and_nothing_keeps_it_for_ever() {
    let fixture = Fixture::new();
    let (roster_log, here) = fixture.start_replica();
    let roster = roster_log.loaded().await.unwrap();
    let begin =
        async || here.create(&roster_log, holder(), String::new(), String::new()).await.unwrap();
    let used = begin().await;
    let unused = begin().await;
    for _ in 0..3 {
        fixture.clock.advance(HOUR * 6);
        let (id, _) = here.find(&roster, &used).await.unwrap().expect("it is used");
        // The use is recorded in the background: any replica may be asked next.
        let mut changes = here.changes();
        let now = fixture.clock.now_ms();
        while !seen_since(&here, &id, now).await {
            changes.changed().await.unwrap();
        }
    }
    assert!(here.find(&roster, &unused).await.unwrap().is_none(), "nobody used it for 8 hours");
    let (_, restarted) = fixture.start_replica();
    assert!(restarted.find(&roster, &used).await.unwrap().is_some());
    fixture.clock.advance(HOUR * 6);
    assert!(here.find(&roster, &used).await.unwrap().is_none(), "a day is over");
    fixture.tasks.abort();
}

#[tokio::test]
async fn a_session_that_a_newer_replica_wrote_is_refused_and_not_taken_for_none() {
    let fixture = Fixture::new();
    let (roster_log, here) = fixture.start_replica();
    let cookie = here.create(&roster_log, holder(), String::new(), String::new()).await.unwrap();
    let roster = roster_log.loaded().await.unwrap();
    let (id, _) = here.find(&roster, &cookie).await.unwrap().expect("it is new");
    let newer = Entry::new(&br#"{"v":2,"holder":"gilded"}"#[..]);
    let subject = Subject::new(&[&id]).unwrap();
    let mut changes = here.changes();
    fixture.ledger.append(&STAFF_SESSIONS, &subject, ExpectedPosition::Any, newer).await.unwrap();
    while here.is_active(&id) {
        changes.changed().await.unwrap();
    }
    let (_, restarted) = fixture.start_replica();
    for sessions in [&here, &restarted] {
        let found = sessions.find(&roster, &cookie).await;
        assert!(matches!(found, Err(IdentityError::NewerVersion)), "{found:?}");
    }
    assert_eq!(here.newer().map(|newer| newer.version), Some(2));
    fixture.tasks.abort();
}

#[tokio::test]
async fn a_roster_with_an_entry_of_a_newer_program_says_so_and_is_not_changed() {
    let fixture = Fixture::new();
    let (roster_log, _) = fixture.start_replica();
    roster_log.loaded().await.unwrap();
    assert_eq!(roster_log.newer(), None);
    let newer = Entry::new(&br#"{"v":99,"event":"gilded"}"#[..]);
    let subject = Subject::new(&["staff"]).unwrap();
    let mut changes = roster_log.changes();
    fixture.ledger.append(&STAFF, &subject, ExpectedPosition::Any, newer).await.unwrap();
    while roster_log.newer().is_none() {
        changes.changed().await.unwrap();
    }
    let changed = roster_log.update("boss", |_| Ok::<_, IdentityError>(Some(joined_event("m_2"))));
    assert!(matches!(changed.await, Err(IdentityError::NewerVersion)));
    fixture.tasks.abort();
}

#[tokio::test]
async fn a_replica_that_has_not_read_all_sessions_waits_before_it_lists_or_ends_them() {
    let fixture = Fixture::new();
    let (roster_log, here) = fixture.start_replica();
    let released = CancellationToken::new();
    let held = HeldLog::new(fixture.ledger.clone(), &STAFF_SESSIONS, released.clone());
    let late = fixture.start_sessions(Arc::new(held));
    let mut begun = Vec::new();
    for _ in 0..3 {
        let cookie = here.create(&roster_log, holder(), String::new(), String::new());
        let (id, _) = here
            .find(&roster_log.loaded().await.unwrap(), &cookie.await.unwrap())
            .await
            .unwrap()
            .unwrap();
        begun.push(id);
    }
    let release = async {
        tokio::task::yield_now().await;
        released.cancel();
    };
    let holder = holder();
    let (listed, ()) = futures::join!(late.list_for(&holder), release);
    assert_eq!(listed.unwrap().len(), 3);

    // Each of these knows nothing when it is asked.
    let selections = [
        (SessionSelection::Only(&begun[0]), 1),
        (SessionSelection::AllExcept(&begun[1]), 1),
        (SessionSelection::AllExcept(""), 1),
    ];
    for (selection, ended) in selections {
        let late = fixture.start_sessions(fixture.ledger.clone());
        assert_eq!(late.end("m_1".into(), &holder, selection).await.unwrap(), ended);
    }
    assert!(late.list_for(&holder).await.unwrap().is_empty());
    fixture.tasks.abort();
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_read_all_sessions_says_so() {
    let fixture = Fixture::new();
    let (roster_log, here) = fixture.start_replica();
    here.create(&roster_log, holder(), String::new(), String::new()).await.unwrap();
    let never = CancellationToken::new();
    let held = HeldLog::new(fixture.ledger.clone(), &STAFF_SESSIONS, never);
    let late = fixture.start_sessions(Arc::new(held));
    let ended = late.end("m_1".into(), &holder(), SessionSelection::AllExcept("")).await;
    assert!(matches!(ended, Err(IdentityError::LedgerUnavailable)), "{ended:?}");
    fixture.tasks.abort();
}
