//! Tests of permanent codes, created by several replicas over one settings log.

use super::code_source::FakeCodeSource;
use crate::support::engine::{MORNING_MS, open_ledger};
use async_trait::async_trait;
use futures::future::join_all;
use paihao_cache::conformance::layer::CacheLayer;
use paihao_cache::{Cache, Lease, MemoryCache, Unavailable};
use paihao_chassis::Tasks;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::streams::SETTINGS;
use paihao_gateway::scan::codes::permanent::{
    PermanentCodeError, PermanentCodeKey, PermanentCodeLimits, PermanentCodes,
};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Position, Subject};
use paihao_ledger_sqlite::SqliteLedger;
use paihao_wechat::{CallPriority, QrRequest};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn queue_key(queue: &str) -> PermanentCodeKey {
    PermanentCodeKey {
        account: "shop".into(),
        appid: "wx1".into(),
        site: "hall".into(),
        queue: queue.into(),
    }
}

struct Fixture {
    ledger: Arc<SqliteLedger>,
    cache: Arc<dyn Cache>,
    code_source: Arc<FakeCodeSource>,
    clock: ManualClock,
    tasks: Tasks,
    limits: PermanentCodeLimits,
    _folder: TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with_cache(Arc::new(MemoryCache::default()))
    }

    fn with_cache(cache: Arc<dyn Cache>) -> Fixture {
        let clock = ManualClock::at(MORNING_MS);
        let (ledger, _folder) = open_ledger(&clock);
        Fixture {
            ledger,
            cache,
            code_source: FakeCodeSource::new(),
            clock,
            tasks: Tasks::new(),
            limits: PermanentCodeLimits::default(),
            _folder,
        }
    }

    fn start_replica(&self) -> Arc<PermanentCodes> {
        PermanentCodes::start(
            self.ledger.clone(),
            self.cache.clone(),
            self.code_source.clone(),
            Arc::new(self.clock.clone()),
            self.limits,
            &self.tasks,
        )
    }

    async fn head(&self) -> Position {
        self.ledger.head(&SETTINGS).await.unwrap()
    }
}

/// Cache that is unavailable; it may still grant every lease.
struct BrokenCache {
    grants_every_lease: bool,
}

#[async_trait]
impl CacheLayer for BrokenCache {
    fn inner(&self) -> Result<Arc<dyn Cache>, Unavailable> {
        Err(Unavailable("gone".into()))
    }

    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        _: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        if self.grants_every_lease {
            Ok(Some(Lease { name: name.into(), holder: holder.into(), fence: 1 }))
        } else {
            Err(Unavailable("gone".into()))
        }
    }
}

#[tokio::test]
async fn replicas_that_want_a_code_at_once_make_one() {
    let fixture = Fixture::new();
    *fixture.code_source.response_delay.lock() = Duration::from_millis(30);
    let replicas = [fixture.start_replica(), fixture.start_replica(), fixture.start_replica()];
    let key = queue_key("a");
    let requests = (0..12).map(|i| replicas[i % 3].get_or_create(&key, &[]));
    let codes: Vec<_> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
    let expected = (QrRequest::permanent_str("q_hall_a"), CallPriority::Normal);
    assert_eq!(*fixture.code_source.requests.lock(), [expected]);
    assert_eq!(fixture.head().await, Position(1));
}

#[tokio::test]
async fn a_fresh_replica_finds_it_in_the_book_and_calls_nobody_even_without_the_cache() {
    let fixture = Fixture::new();
    let code = fixture.start_replica().get_or_create(&queue_key("a"), &[]).await.unwrap();
    let without_cache =
        Fixture { cache: Arc::new(BrokenCache { grants_every_lease: false }), ..fixture };
    let restarted = without_cache.start_replica();
    assert_eq!(restarted.get_or_create(&queue_key("a"), &[]).await.unwrap(), code);
    assert_eq!(without_cache.code_source.call_count(), 1);
    // A missing code is not created while the lease cannot be acquired, since another replica may
    // be creating it.
    let refused = restarted.get_or_create(&queue_key("b"), &[]).await;
    assert!(matches!(refused, Err(PermanentCodeError::Cache(_))), "{refused:?}");
    assert_eq!(without_cache.code_source.call_count(), 1);
}

#[tokio::test]
async fn without_a_lease_the_book_decides_and_all_show_the_same_code() {
    let fixture = Fixture::with_cache(Arc::new(BrokenCache { grants_every_lease: true }));
    *fixture.code_source.response_delay.lock() = Duration::from_millis(50);
    let one = fixture.start_replica();
    let other = fixture.start_replica();
    let key = queue_key("a");
    let (one, other) = tokio::join!(one.get_or_create(&key, &[]), other.get_or_create(&key, &[]));
    assert_eq!(one.unwrap(), other.unwrap());
    assert!(fixture.code_source.call_count() <= 2, "{}", fixture.code_source.call_count());
    assert_eq!(fixture.head().await, Position(1));
}

#[tokio::test]
async fn whoever_asks_and_goes_away_has_it_made_all_the_same() {
    let fixture = Fixture::new();
    *fixture.code_source.response_delay.lock() = Duration::from_millis(50);
    let replica = fixture.start_replica();
    let key = queue_key("a");
    while fixture.code_source.call_count() == 0 {
        let impatient =
            tokio::time::timeout(Duration::from_millis(10), replica.get_or_create(&key, &[])).await;
        assert!(impatient.is_err());
    }
    let code = fixture.start_replica().get_or_create(&key, &[]).await.unwrap();
    assert_eq!((fixture.code_source.call_count(), &*code.qr_ticket), (1, "T1"));
}

#[tokio::test]
async fn after_a_refusal_wechat_is_left_alone_for_a_while() {
    let fixture = Fixture::new();
    fixture.code_source.refuse_next(1, 45029);
    let one = fixture.start_replica();
    let other = fixture.start_replica();
    assert!(matches!(
        one.get_or_create(&queue_key("a"), &[]).await,
        Err(PermanentCodeError::WeChat(_))
    ));
    let at_once =
        tokio::time::timeout(Duration::from_millis(500), other.get_or_create(&queue_key("a"), &[]))
            .await;
    assert!(at_once.is_err(), "it waits");
    assert_eq!(fixture.code_source.call_count(), 1);
    // Afterwards the next request tries again.
    assert_eq!(other.get_or_create(&queue_key("a"), &[]).await.unwrap().qr_ticket, "T2");
}

#[tokio::test]
async fn another_appid_needs_a_code_of_its_own_and_codes_are_counted() {
    let fixture = Fixture::new();
    let replica = fixture.start_replica();
    for queue in ["a", "b", "a"] {
        replica.get_or_create(&queue_key(queue), &[]).await.unwrap();
    }
    let moved = PermanentCodeKey { appid: "wx2".into(), ..queue_key("a") };
    let code = replica.get_or_create(&moved, &[]).await.unwrap();
    assert_eq!((&*code.appid, &*code.qr_ticket), ("wx2", "T3"));
    let restarted = fixture.start_replica();
    assert_eq!(restarted.get_or_create(&moved, &[]).await.unwrap(), code);
    assert_eq!(fixture.code_source.call_count(), 3);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while (restarted.count("shop", "wx1"), restarted.count("shop", "wx2")) != (2, 1) {
        assert!(tokio::time::Instant::now() < deadline, "{}", restarted.count("shop", "wx1"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_site_has_its_share_and_then_new_queues_get_the_codes_of_those_taken_away() {
    let limits = PermanentCodeLimits { per_site: 3, ..PermanentCodeLimits::default() };
    let fixture = Fixture { limits, ..Fixture::new() };
    let replica = fixture.start_replica();
    let queues = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let configured = queues(&["a", "b", "c", "d"]);
    let mut codes = Vec::new();
    for queue in ["a", "b", "c"] {
        codes.push(replica.get_or_create(&queue_key(queue), &configured).await.unwrap());
    }
    let refused = replica.get_or_create(&queue_key("d"), &configured).await;
    assert!(matches!(refused, Err(PermanentCodeError::LimitReached)), "{refused:?}");
    let elsewhere = PermanentCodeKey { site: "other".into(), ..queue_key("a") };
    assert!(replica.get_or_create(&elsewhere, &configured).await.is_ok(), "another site's share");

    // Queue b was taken away: whoever scans its old poster comes to the new queue.
    let configured = queues(&["a", "c", "d"]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let code = replica.get_or_create(&queue_key("d"), &configured).await.unwrap();
    assert_eq!((&code.scene, &code.qr_url, &*code.queue), (&codes[1].scene, &codes[1].qr_url, "d"));
    assert_eq!(fixture.code_source.call_count(), 4, "none of them was made again");
    let restarted = fixture.start_replica();
    let is_read = async || restarted.queue_of(&queue_key("b")) == "d";
    harness::wait_until("the log is read", Duration::from_secs(20), is_read).await;
    assert_eq!(restarted.queue_of(&queue_key("a")), "a");
    assert_eq!(restarted.cached(&queue_key("b")), None, "it is no longer b's");
    assert_eq!(restarted.count("shop", "wx1"), 4, "a code that goes over is none more");

    // The queue comes back, and there is no code for it but those in use.
    let configured = queues(&["a", "b", "c", "d"]);
    let refused = restarted.get_or_create(&queue_key("b"), &configured).await;
    assert!(matches!(refused, Err(PermanentCodeError::LimitReached)), "{refused:?}");
}

#[tokio::test]
async fn codes_stop_before_the_account_has_none_left() {
    let limits = PermanentCodeLimits { per_account: 2, ..PermanentCodeLimits::default() };
    let fixture = Fixture { limits, ..Fixture::new() };
    let replica = fixture.start_replica();
    for (site, is_made) in [("one", true), ("two", true), ("three", false)] {
        let key = PermanentCodeKey { site: site.into(), ..queue_key("a") };
        assert_eq!(replica.get_or_create(&key, &["a".into()]).await.is_ok(), is_made, "{site}");
        let made = fixture.code_source.call_count() as u64;
        let is_counted = async || replica.count("shop", "wx1") == made;
        harness::wait_until("the log is read", Duration::from_secs(20), is_counted).await;
    }
    assert_eq!(fixture.code_source.call_count(), 2);
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_not_written_over() {
    let fixture = Fixture::new();
    let subject = Subject::new(&["shop", "hall", "door", "a"]).unwrap();
    let newer = Entry::new(&br#"{"v":2,"wonders":[]}"#[..]);
    fixture.ledger.append(&SETTINGS, &subject, ExpectedPosition::Empty, newer).await.unwrap();
    let refused = fixture.start_replica().get_or_create(&queue_key("a"), &[]).await;
    assert!(matches!(refused, Err(PermanentCodeError::Unreadable)), "{refused:?}");
    assert_eq!(fixture.code_source.call_count(), 0);
}
