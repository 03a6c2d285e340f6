//! The warm pool, by a clock that a test holds.

use super::shop::{MORNING, Mint};
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

const SESSION: Duration = Duration::from_secs(600);
const KEEP: Duration = Duration::from_secs(3600);

/// A gateway's share of all this.
struct Replica {
    sessions: ScanSessions,
    pools: Arc<Pools>,
    tasks: Tasks,
}

struct World {
    mint: Arc<Mint>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
}

impl World {
    fn new() -> World {
        let clock = Arc::new(RuntimeClock::starting_at(MORNING));
        World { mint: Mint::new(), cache: Arc::new(MemoryCache::default()), clock }
    }

    fn replica(&self, size: usize) -> Replica {
        let settings = PoolSettings { size, max_age: KEEP, max_per_second: 10 };
        let (source, tasks) = (self.mint.clone() as Arc<dyn CodeSource>, Tasks::new());
        let accounts = ["shop".to_owned()];
        let pools = Pools::start(&settings, accounts, SESSION, &source, &self.clock, &tasks);
        let (cache, clock) = (self.cache.clone(), self.clock.clone());
        let sessions = ScanSessions::new(cache, source, pools.clone(), clock, SESSION);
        Replica { sessions, pools, tasks }
    }
}

impl Replica {
    async fn open(&self, uuid: u128) -> ScanSession {
        let purpose = ScanPurpose::Ticket { site: "hall".into(), queue: "a".into() };
        self.sessions.open(Uuid::from_u128(uuid), "shop", purpose).await.unwrap()
    }

    fn ready(&self) -> usize {
        self.pools.ready_count("shop")
    }
}

async fn a_while() {
    sleep(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_takes_a_ready_code_and_the_pool_is_refilled() {
    let world = World::new();
    let replica = world.replica(8);
    *world.mint.takes.lock() = Duration::from_millis(80);
    a_while().await;
    assert_eq!((replica.ready(), world.mint.calls()), (8, 8));
    // What is made ahead is worth least, and outlives a session by as long as it may wait.
    let life = |(request, worth): &(QrRequest, CallPriority)| (request.expiry(), *worth);
    assert!(
        world
            .mint
            .asked
            .lock()
            .iter()
            .all(|a| life(a) == (Some(SESSION + KEEP), CallPriority::Low))
    );

    let asked = Instant::now();
    let session = replica.open(1).await;
    assert_eq!(asked.elapsed(), Duration::ZERO, "nobody was waited for");
    assert_eq!(session.expires_at, world.clock.now_ms() + SESSION.as_millis() as i64);
    a_while().await;
    assert_eq!((replica.ready(), world.mint.calls()), (8, 9));
    // The same uuid is the same session and takes no other code.
    assert_eq!(replica.open(1).await, session);
    a_while().await;
    assert_eq!(world.mint.calls(), 9);
}

#[tokio::test(start_paused = true)]
async fn an_empty_pool_and_one_that_is_off_make_the_code_at_once() {
    let world = World::new();
    let off = world.replica(0);
    let session = off.open(1).await;
    assert_eq!((&*session.qr_ticket, off.ready()), ("T1", 0));
    let asked = world.mint.asked.lock()[0].clone();
    assert_eq!((asked.0.expiry(), asked.1), (Some(SESSION), CallPriority::Normal));
    a_while().await;
    assert_eq!(world.mint.calls(), 1, "no pool is filled");

    let small = world.replica(2);
    a_while().await;
    for uuid in 2..7 {
        small.open(uuid).await;
    }
    let made =
        world.mint.asked.lock().iter().filter(|(_, worth)| *worth == CallPriority::Normal).count();
    assert_eq!(made, 4, "one without a pool, and three of five beyond a pool of two");
}

#[tokio::test(start_paused = true)]
async fn filling_keeps_its_pace() {
    let world = World::new();
    let replica = world.replica(100);
    sleep(Duration::from_secs(3)).await;
    let calls = world.mint.calls();
    assert!((28..=34).contains(&calls), "ten a second, and four at once: {calls}");
    replica.tasks.stop_and_wait().await;
    let calls = world.mint.calls();
    a_while().await;
    assert_eq!(world.mint.calls(), calls, "a soft stop ends the filling");
}

#[tokio::test(start_paused = true)]
async fn codes_near_their_end_are_replaced_and_one_handed_out_has_a_sessions_life() {
    let world = World::new();
    let replica = world.replica(4);
    a_while().await;
    assert_eq!(world.mint.calls(), 4);
    // They may wait for an hour; a minute before that the next ones are made.
    sleep(KEEP - Duration::from_secs(70)).await;
    assert_eq!((replica.ready(), world.mint.calls()), (4, 4));
    sleep(Duration::from_secs(15)).await;
    assert_eq!((replica.ready(), world.mint.calls()), (8, 8), "both, for a minute");
    let session = replica.open(1).await;
    assert_eq!(session.qr_ticket, "T1", "the oldest that is good enough");
    assert_eq!(session.expires_at, world.clock.now_ms() + SESSION.as_millis() as i64);
    sleep(Duration::from_secs(60)).await;
    assert!(replica.open(2).await.qr_ticket.as_str() > "T4", "the former ones are gone");
    a_while().await;
    assert_eq!(replica.ready(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_refusing_wechat_is_asked_less_and_less_and_then_the_pool_recovers() {
    let world = World::new();
    world.mint.refuse(i64::MAX, -1);
    let replica = world.replica(8);
    sleep(Duration::from_secs(3600)).await;
    let calls = world.mint.calls();
    assert!((4 * 12..4 * 30).contains(&calls), "{calls} calls in an hour of refusals");
    world.mint.refuse(0, 0);
    sleep(Duration::from_secs(400)).await;
    assert_eq!(replica.ready(), 8);
}

#[tokio::test(start_paused = true)]
async fn codes_that_live_too_short_for_a_pool_are_not_made_for_ever() {
    let world = World::new();
    *world.mint.lives.lock() = Some(SESSION);
    let replica = world.replica(8);
    sleep(Duration::from_secs(3600)).await;
    let calls = world.mint.calls();
    assert!(calls <= 4 * 13, "{calls} calls for nothing");
    assert_eq!(replica.ready(), 0);
    assert_eq!(replica.open(1).await.expires_at, world.clock.now_ms() + 600_000);
}

#[tokio::test(start_paused = true)]
async fn no_scene_is_used_twice_whatever_replicas_and_restarts_there_are() {
    let world = World::new();
    let mut scenes = BTreeSet::new();
    let mut uuid = 0;
    for _ in 0..3 {
        let replicas = [world.replica(5), world.replica(5)];
        a_while().await;
        for _ in 0..20 {
            for replica in &replicas {
                uuid += 1;
                scenes.insert(replica.open(uuid).await.scene);
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
    let world = World::new();
    let (one, other) = (world.replica(4), world.replica(4));
    a_while().await;
    let (a, b, c) = tokio::join!(one.open(1), other.open(1), one.open(1));
    assert_eq!((&a, &b), (&b, &c));
    let mut scenes = BTreeSet::from([a.scene]);
    for uuid in 2..20 {
        scenes.insert(one.open(uuid).await.scene);
    }
    assert_eq!(scenes.len(), 19);
}

#[tokio::test(start_paused = true)]
async fn what_one_replica_hands_out_another_draws_and_hears() {
    let world = World::new();
    let (one, other) = (world.replica(4), world.replica(4));
    a_while().await;
    let opened = one.open(7).await;
    assert_eq!(other.sessions.find(Uuid::from_u128(7)).await.unwrap(), opened);
    let (uuid, scanned) = other.sessions.by_scene(&opened.scene).await.unwrap();
    assert_eq!((uuid, scanned), (Uuid::from_u128(7), opened));
    // Also when the first one is gone.
    one.tasks.stop_and_wait().await;
    drop(one);
    assert!(other.sessions.find(Uuid::from_u128(7)).await.is_ok());
    // A scan after the session's end finds it expired, although the code itself still works.
    sleep(SESSION).await;
    assert!(other.sessions.find(Uuid::from_u128(7)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_first_site_comes_while_gateways_run_gets_a_pool_and_keeps_it() {
    let world = World::new();
    let replica = world.replica(4);
    a_while().await;
    assert_eq!(replica.pools.ready_count("clinic"), 0);
    for _ in 0..3 {
        replica.pools.add_accounts(["shop".to_owned(), "clinic".to_owned()]);
        a_while().await;
    }
    assert_eq!((replica.ready(), replica.pools.ready_count("clinic")), (4, 4));
    assert_eq!(world.mint.calls(), 8, "no account is filled twice");
    // A pool outlives its account's last site: what is in it is used should one come again.
    replica.pools.add_accounts([]);
    assert!(replica.pools.pop("clinic").is_some());
    a_while().await;
    assert_eq!(replica.pools.ready_count("clinic"), 4);
    // After the soft stop nothing is filled any more.
    replica.tasks.stop_and_wait().await;
    replica.pools.add_accounts(["late".to_owned()]);
    a_while().await;
    assert_eq!((replica.pools.ready_count("late"), world.mint.calls()), (0, 9));
}
