//! Tests of the pool of ready codes, in the runtime's paused time.

use super::code_source::FakeCodeSource;
use crate::support::engine::MORNING_MS;
use paihao_cache::{Cache, MemoryCache};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, RuntimeClock};
use paihao_contracts::session::{ScanPurpose, ScanSession};
use paihao_gateway::scan::codes::CodeSource;
use paihao_gateway::scan::codes::pool::{PoolSettings, Pools};
use paihao_gateway::scan::sessions::ScanSessions;
use paihao_wechat::{CallPriority, QrRequest};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

const SESSION_TTL: Duration = Duration::from_secs(600);
const POOL_MAX_AGE: Duration = Duration::from_secs(3600);

/// Sessions and pools of one gateway.
struct Replica {
    sessions: ScanSessions,
    pools: Arc<Pools>,
    tasks: Tasks,
}

struct Fixture {
    code_source: Arc<FakeCodeSource>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
}

impl Fixture {
    fn new() -> Fixture {
        let clock = Arc::new(RuntimeClock::starting_at(MORNING_MS));
        Fixture {
            code_source: FakeCodeSource::new(),
            cache: Arc::new(MemoryCache::default()),
            clock,
        }
    }

    fn start_replica(&self, size: usize) -> Replica {
        let settings = PoolSettings { size, max_age: POOL_MAX_AGE, max_per_second: 10 };
        let source = self.code_source.clone() as Arc<dyn CodeSource>;
        let tasks = Tasks::new();
        let accounts = ["shop".to_owned()];
        let pools = Pools::start(&settings, accounts, SESSION_TTL, &source, &self.clock, &tasks);
        let sessions = ScanSessions::new(
            self.cache.clone(),
            source,
            pools.clone(),
            self.clock.clone(),
            SESSION_TTL,
        );
        Replica { sessions, pools, tasks }
    }
}

impl Replica {
    async fn open_session(&self, uuid: u128) -> ScanSession {
        let purpose = ScanPurpose::Ticket { site: "hall".into(), queue: "a".into() };
        self.sessions.open(Uuid::from_u128(uuid), "shop", purpose).await.unwrap()
    }

    fn ready_count(&self) -> usize {
        self.pools.ready_count("shop")
    }
}

async fn wait_briefly() {
    sleep(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_takes_a_ready_code_and_the_pool_is_refilled() {
    let fixture = Fixture::new();
    let replica = fixture.start_replica(8);
    *fixture.code_source.response_delay.lock() = Duration::from_millis(80);
    wait_briefly().await;
    assert_eq!((replica.ready_count(), fixture.code_source.call_count()), (8, 8));
    // Codes made ahead have the lowest priority. Their life is that of a session and the longest
    // wait in the pool.
    let lifetime = |(request, priority): &(QrRequest, CallPriority)| (request.expiry(), *priority);
    assert!(
        fixture
            .code_source
            .requests
            .lock()
            .iter()
            .all(|a| lifetime(a) == (Some(SESSION_TTL + POOL_MAX_AGE), CallPriority::Low))
    );

    let started_at = Instant::now();
    let session = replica.open_session(1).await;
    assert_eq!(started_at.elapsed(), Duration::ZERO, "nobody was waited for");
    assert_eq!(session.expires_at, fixture.clock.now_ms() + SESSION_TTL.as_millis() as i64);
    wait_briefly().await;
    assert_eq!((replica.ready_count(), fixture.code_source.call_count()), (8, 9));
    // The same uuid is the same session and takes no further code.
    assert_eq!(replica.open_session(1).await, session);
    wait_briefly().await;
    assert_eq!(fixture.code_source.call_count(), 9);
}

#[tokio::test(start_paused = true)]
async fn an_empty_pool_and_one_that_is_off_make_the_code_at_once() {
    let fixture = Fixture::new();
    let off = fixture.start_replica(0);
    let session = off.open_session(1).await;
    assert_eq!((&*session.qr_ticket, off.ready_count()), ("T1", 0));
    let request = fixture.code_source.requests.lock()[0].clone();
    assert_eq!((request.0.expiry(), request.1), (Some(SESSION_TTL), CallPriority::Normal));
    wait_briefly().await;
    assert_eq!(fixture.code_source.call_count(), 1, "no pool is filled");

    let small = fixture.start_replica(2);
    wait_briefly().await;
    for uuid in 2..7 {
        small.open_session(uuid).await;
    }
    let made = fixture
        .code_source
        .requests
        .lock()
        .iter()
        .filter(|(_, priority)| *priority == CallPriority::Normal)
        .count();
    assert_eq!(made, 4, "one without a pool, and three of five beyond a pool of two");
}

#[tokio::test(start_paused = true)]
async fn filling_keeps_its_pace() {
    let fixture = Fixture::new();
    let replica = fixture.start_replica(100);
    sleep(Duration::from_secs(3)).await;
    let calls = fixture.code_source.call_count();
    assert!((28..=34).contains(&calls), "ten a second, and four at once: {calls}");
    replica.tasks.stop_and_wait().await;
    let calls = fixture.code_source.call_count();
    wait_briefly().await;
    assert_eq!(fixture.code_source.call_count(), calls, "a soft stop ends the filling");
}

#[tokio::test(start_paused = true)]
async fn codes_near_their_end_are_replaced_and_one_handed_out_has_a_sessions_life() {
    let fixture = Fixture::new();
    let replica = fixture.start_replica(4);
    wait_briefly().await;
    assert_eq!(fixture.code_source.call_count(), 4);
    // Codes may wait for an hour. Their successors are made a minute before that.
    sleep(POOL_MAX_AGE - Duration::from_secs(70)).await;
    assert_eq!((replica.ready_count(), fixture.code_source.call_count()), (4, 4));
    sleep(Duration::from_secs(15)).await;
    assert_eq!(
        (replica.ready_count(), fixture.code_source.call_count()),
        (8, 8),
        "both, for a minute"
    );
    let session = replica.open_session(1).await;
    assert_eq!(session.qr_ticket, "T1", "the oldest that is good enough");
    assert_eq!(session.expires_at, fixture.clock.now_ms() + SESSION_TTL.as_millis() as i64);
    sleep(Duration::from_secs(60)).await;
    assert!(replica.open_session(2).await.qr_ticket.as_str() > "T4", "the former ones are gone");
    wait_briefly().await;
    assert_eq!(replica.ready_count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_refusing_wechat_is_asked_less_and_less_and_then_the_pool_recovers() {
    let fixture = Fixture::new();
    fixture.code_source.refuse_next(i64::MAX, -1);
    let replica = fixture.start_replica(8);
    sleep(Duration::from_secs(3600)).await;
    let calls = fixture.code_source.call_count();
    assert!((4 * 12..4 * 30).contains(&calls), "{calls} calls in an hour of refusals");
    fixture.code_source.refuse_next(0, 0);
    sleep(Duration::from_secs(400)).await;
    assert_eq!(replica.ready_count(), 8);
}

#[tokio::test(start_paused = true)]
async fn codes_that_live_too_short_for_a_pool_are_not_made_for_ever() {
    let fixture = Fixture::new();
    *fixture.code_source.code_lifetime.lock() = Some(SESSION_TTL);
    let replica = fixture.start_replica(8);
    sleep(Duration::from_secs(3600)).await;
    let calls = fixture.code_source.call_count();
    assert!(calls <= 4 * 13, "{calls} calls for nothing");
    assert_eq!(replica.ready_count(), 0);
    assert_eq!(replica.open_session(1).await.expires_at, fixture.clock.now_ms() + 600_000);
}

#[tokio::test(start_paused = true)]
async fn no_scene_is_used_twice_whatever_replicas_and_restarts_there_are() {
    let fixture = Fixture::new();
    let mut scenes = BTreeSet::new();
    let mut uuid = 0;
    for _ in 0..3 {
        let replicas = [fixture.start_replica(5), fixture.start_replica(5)];
        wait_briefly().await;
        for _ in 0..20 {
            for replica in &replicas {
                uuid += 1;
                scenes.insert(replica.open_session(uuid).await.scene);
            }
        }
        for replica in replicas {
            replica.tasks.stop_and_wait().await;
        }
    }
    assert_eq!((scenes.len(), uuid), (120, 120));
}

#[tokio::test(start_paused = true)]
async fn requests_with_one_uuid_at_once_show_one_code_and_the_other_is_not_used_again() {
    let fixture = Fixture::new();
    let one = fixture.start_replica(4);
    let other = fixture.start_replica(4);
    wait_briefly().await;
    let (a, b, c) = tokio::join!(one.open_session(1), other.open_session(1), one.open_session(1));
    assert_eq!((&a, &b), (&b, &c));
    let mut scenes = BTreeSet::from([a.scene]);
    for uuid in 2..20 {
        scenes.insert(one.open_session(uuid).await.scene);
    }
    assert_eq!(scenes.len(), 19);
}

#[tokio::test(start_paused = true)]
async fn what_one_replica_hands_out_another_draws_and_hears() {
    let fixture = Fixture::new();
    let one = fixture.start_replica(4);
    let other = fixture.start_replica(4);
    wait_briefly().await;
    let opened = one.open_session(7).await;
    assert_eq!(other.sessions.find(Uuid::from_u128(7)).await.unwrap(), opened);
    let (uuid, scanned) = other.sessions.by_scene(&opened.scene).await.unwrap();
    assert_eq!((uuid, scanned), (Uuid::from_u128(7), opened));
    // The session outlives the replica that opened it.
    one.tasks.stop_and_wait().await;
    drop(one);
    assert!(other.sessions.find(Uuid::from_u128(7)).await.is_ok());
    // After its time the session has expired, although the code itself still works.
    sleep(SESSION_TTL).await;
    assert!(other.sessions.find(Uuid::from_u128(7)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_first_site_comes_while_gateways_run_gets_a_pool_and_keeps_it() {
    let fixture = Fixture::new();
    let replica = fixture.start_replica(4);
    wait_briefly().await;
    assert_eq!(replica.pools.ready_count("clinic"), 0);
    for _ in 0..3 {
        replica.pools.add_accounts(["shop".to_owned(), "clinic".to_owned()]);
        wait_briefly().await;
    }
    assert_eq!((replica.ready_count(), replica.pools.ready_count("clinic")), (4, 4));
    assert_eq!(fixture.code_source.call_count(), 8, "no account is filled twice");
    // A pool outlives its account's last site, and its codes are used if a site comes back.
    replica.pools.add_accounts([]);
    assert!(replica.pools.pop("clinic").is_some());
    wait_briefly().await;
    assert_eq!(replica.pools.ready_count("clinic"), 4);
    // After the soft stop no pool is filled.
    replica.tasks.stop_and_wait().await;
    replica.pools.add_accounts(["late".to_owned()]);
    wait_briefly().await;
    assert_eq!((replica.pools.ready_count("late"), fixture.code_source.call_count()), (0, 9));
}
