//! Door codes of several replicas over one book.

use super::shop::{MORNING, Mint};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use paihao_cache::{Cache, CasOutcome, Lease, MemoryCache, Unavailable};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::names::SETTINGS;
use paihao_gateway::scan::codes::doors::{PermanentCodeError, PermanentCodeKey, PermanentCodes};
use paihao_ledger::{Entry, Expect, Ledger, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_wechat::{CallPriority, QrRequest};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn door(queue: &str) -> PermanentCodeKey {
    let (account, appid, site) = ("shop".into(), "wx1".into(), "hall".into());
    PermanentCodeKey { account, appid, site, queue: queue.into() }
}

fn book(clock: &ManualClock) -> (Arc<SqliteLedger>, TempDir) {
    let (folder, now) = (tempfile::tempdir().unwrap(), clock.clone());
    let options = SqliteOptions::new(Arc::new(move || now.now_ms()));
    (Arc::new(SqliteLedger::open(folder.path().join("book.sqlite"), options).unwrap()), folder)
}

struct World {
    book: Arc<SqliteLedger>,
    cache: Arc<dyn Cache>,
    mint: Arc<Mint>,
    clock: ManualClock,
    tasks: Tasks,
    _folder: TempDir,
}

impl World {
    fn new() -> World {
        World::with(Arc::new(MemoryCache::default()))
    }

    fn with(cache: Arc<dyn Cache>) -> World {
        let clock = ManualClock::at(MORNING);
        let (book, _folder) = book(&clock);
        World { book, cache, mint: Mint::new(), clock, tasks: Tasks::new(), _folder }
    }

    fn replica(&self) -> Arc<PermanentCodes> {
        let (book, cache, mint) = (self.book.clone(), self.cache.clone(), self.mint.clone());
        PermanentCodes::start(book, cache, mint, Arc::new(self.clock.clone()), &self.tasks)
    }

    async fn entries(&self) -> Position {
        self.book.head(&SETTINGS).await.unwrap()
    }
}

/// A cache that has gone away, or one whose leases are given to everybody.
struct Broken {
    leases_for_all: bool,
}

#[async_trait]
impl Cache for Broken {
    async fn get(&self, _: &str) -> Result<Option<Bytes>, Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn put(&self, _: &str, _: Bytes, _: Duration) -> Result<(), Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn put_if_absent(&self, _: &str, _: Bytes, _: Duration) -> Result<bool, Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn compare_and_set(
        &self,
        _: &str,
        _: Option<&[u8]>,
        _: Bytes,
        _: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn remove(&self, _: &str) -> Result<(), Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        _: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        match self.leases_for_all {
            true => Ok(Some(Lease { name: name.into(), holder: holder.into(), fence: 1 })),
            false => Err(Unavailable("gone".into())),
        }
    }

    async fn renew(&self, _: &Lease, _: Duration) -> Result<bool, Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn release(&self, _: &Lease) -> Result<(), Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn check(&self) -> Result<(), Unavailable> {
        Err(Unavailable("gone".into()))
    }
}

#[tokio::test]
async fn replicas_that_want_a_code_at_once_make_one() {
    let world = World::new();
    *world.mint.takes.lock() = Duration::from_millis(30);
    let replicas = [world.replica(), world.replica(), world.replica()];
    let door = door("a");
    let wanted = (0..12).map(|i| replicas[i % 3].get_or_create(&door));
    let codes: Vec<_> = join_all(wanted).await.into_iter().map(Result::unwrap).collect();
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
    let asked = (QrRequest::permanent_str("q_hall_a"), CallPriority::Normal);
    assert_eq!(*world.mint.asked.lock(), [asked]);
    assert_eq!(world.entries().await, Position(1));
}

#[tokio::test]
async fn a_fresh_replica_finds_it_in_the_book_and_calls_nobody_even_without_the_cache() {
    let world = World::new();
    let made = world.replica().get_or_create(&door("a")).await.unwrap();
    let without = World { cache: Arc::new(Broken { leases_for_all: false }), ..world };
    let fresh = without.replica();
    assert_eq!(fresh.get_or_create(&door("a")).await.unwrap(), made);
    assert_eq!(without.mint.calls(), 1);
    // One that does not exist is not made while nobody can tell whether another replica makes it.
    let refused = fresh.get_or_create(&door("b")).await;
    assert!(matches!(refused, Err(PermanentCodeError::Cache(_))), "{refused:?}");
    assert_eq!(without.mint.calls(), 1);
}

#[tokio::test]
async fn without_a_lease_the_book_decides_and_all_show_the_same_code() {
    let world = World::with(Arc::new(Broken { leases_for_all: true }));
    *world.mint.takes.lock() = Duration::from_millis(50);
    let (one, other) = (world.replica(), world.replica());
    let door = door("a");
    let (one, other) = tokio::join!(one.get_or_create(&door), other.get_or_create(&door));
    assert_eq!(one.unwrap(), other.unwrap());
    assert!(world.mint.calls() <= 2, "{}", world.mint.calls());
    assert_eq!(world.entries().await, Position(1));
}

#[tokio::test]
async fn whoever_asks_and_goes_away_has_it_made_all_the_same() {
    let world = World::new();
    *world.mint.takes.lock() = Duration::from_millis(50);
    let (replica, door) = (world.replica(), door("a"));
    while world.mint.calls() == 0 {
        let impatient =
            tokio::time::timeout(Duration::from_millis(10), replica.get_or_create(&door)).await;
        assert!(impatient.is_err());
    }
    let code = world.replica().get_or_create(&door).await.unwrap();
    assert_eq!((world.mint.calls(), &*code.qr_ticket), (1, "T1"));
}

#[tokio::test]
async fn after_a_refusal_wechat_is_left_alone_for_a_while() {
    let world = World::new();
    world.mint.refuse(1, 45029);
    let (one, other) = (world.replica(), world.replica());
    assert!(matches!(one.get_or_create(&door("a")).await, Err(PermanentCodeError::WeChat(_))));
    let at_once =
        tokio::time::timeout(Duration::from_millis(500), other.get_or_create(&door("a"))).await;
    assert!(at_once.is_err(), "it waits");
    assert_eq!(world.mint.calls(), 1);
    // Then the next one who asks tries again.
    assert_eq!(other.get_or_create(&door("a")).await.unwrap().qr_ticket, "T2");
}

#[tokio::test]
async fn another_appid_needs_a_code_of_its_own_and_codes_are_counted() {
    let world = World::new();
    let replica = world.replica();
    for queue in ["a", "b", "a"] {
        replica.get_or_create(&door(queue)).await.unwrap();
    }
    let moved = PermanentCodeKey { appid: "wx2".into(), ..door("a") };
    let code = replica.get_or_create(&moved).await.unwrap();
    assert_eq!((&*code.appid, &*code.qr_ticket), ("wx2", "T3"));
    let fresh = world.replica();
    assert_eq!(fresh.get_or_create(&moved).await.unwrap(), code);
    assert_eq!(world.mint.calls(), 3);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while (fresh.count("shop", "wx1"), fresh.count("shop", "wx2")) != (2, 1) {
        assert!(tokio::time::Instant::now() < deadline, "{}", fresh.count("shop", "wx1"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_not_written_over() {
    let world = World::new();
    let subject = Subject::new(&["shop", "hall", "door", "a"]).unwrap();
    let newer = Entry::new(&br#"{"v":2,"wonders":[]}"#[..]);
    world.book.append(&SETTINGS, &subject, Expect::Nothing, newer).await.unwrap();
    let refused = world.replica().get_or_create(&door("a")).await;
    assert!(matches!(refused, Err(PermanentCodeError::Unreadable)), "{refused:?}");
    assert_eq!(world.mint.calls(), 0);
}
