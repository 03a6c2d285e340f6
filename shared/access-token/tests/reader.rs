//! Tests of the reader in paused time: frequency of reads, behaviour without a cache, reports.

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use futures::stream::BoxStream;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_cache::{Cache, CasOutcome, Lease, MemoryCache, Unavailable};
use paihao_chassis::clock::{Clock, RuntimeClock};
use paihao_contracts::envelope;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{self, Consumer, Log, WorkQueue};
use paihao_contracts::token::{RefusedToken, TokenRecord};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    StoredEntry, Subject,
};
use paihao_wechat::{AccessToken, TokenSource};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3600);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

struct TestEnv {
    cache: Arc<CountingCache>,
    ledger: Arc<RecordingLedger>,
    clock: Arc<RuntimeClock>,
    reader: TokenReader,
}

impl TestEnv {
    fn new() -> TestEnv {
        let cache = Arc::<CountingCache>::default();
        let ledger = Arc::<RecordingLedger>::default();
        let clock = Arc::new(RuntimeClock::starting_at(1_700_000_000_000));
        let options = TokenReaderOptions::default();
        let reader = TokenReader::new(cache.clone(), ledger.clone(), clock.clone(), options);
        TestEnv { cache, ledger, clock, reader }
    }

    async fn store(&self, token: &str, lifetime: Duration) {
        let now = self.clock.now_ms();
        let record = TokenRecord {
            v: 1,
            token: token.into(),
            fetched_at_ms: now,
            expires_at_ms: now + lifetime.as_millis() as i64,
            fence: 1,
            forced_at_ms: Vec::new(),
        };
        let key = streams::access_token_key("hall");
        self.cache.inner.put(&key, record.encode().into(), lifetime).await.unwrap();
    }

    async fn current(&self) -> Result<String, String> {
        let token = self.reader.current("hall").await;
        token.map(|token| token.expose().to_owned()).map_err(|error| error.to_string())
    }

    async fn after_refusal(&self, token: &str) -> Result<String, String> {
        let token = self.reader.replace_refused("hall", &AccessToken::new(token)).await;
        token.map(|token| token.expose().to_owned()).map_err(|error| error.to_string())
    }

    fn cache_reads(&self) -> usize {
        self.cache.gets.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_cached_and_read_again_every_half_minute() {
    let world = TestEnv::new();
    world.store("1_token", HOUR * 2).await;
    for _ in 0..600 {
        assert_eq!(world.current().await.unwrap(), "1_token");
        sleep(Duration::from_millis(100)).await;
    }
    assert!((2..=3).contains(&world.cache_reads()), "{}", world.cache_reads());
    world.store("2_token", HOUR * 2).await;
    sleep(secs(31)).await;
    assert_eq!(world.current().await.unwrap(), "2_token");
}

#[tokio::test(start_paused = true)]
async fn a_replacement_shortly_before_the_end_is_seen_within_a_second() {
    let world = TestEnv::new();
    world.store("1_token", secs(55)).await;
    world.current().await.unwrap();
    world.store("2_token", HOUR).await;
    sleep(secs(2)).await;
    assert_eq!(world.current().await.unwrap(), "2_token");
}

#[tokio::test(start_paused = true)]
async fn without_the_cache_it_goes_on_until_the_tokens_end() {
    let world = TestEnv::new();
    world.store("1_token", HOUR).await;
    world.current().await.unwrap();
    world.cache.unavailable.store(true, Ordering::SeqCst);
    let started = Instant::now();
    let mut calls = 0;
    while started.elapsed() < HOUR - secs(2) {
        assert_eq!(world.current().await.unwrap(), "1_token");
        calls += 1;
        sleep(secs(1)).await;
    }
    assert!(world.cache_reads() < calls / 2, "it does not hammer a cache that is away");
    sleep(secs(3)).await;
    let problem = world.current().await.unwrap_err();
    assert!(problem.contains("cache is unavailable"), "{problem}");
    world.cache.unavailable.store(false, Ordering::SeqCst);
    world.store("2_token", HOUR).await;
    assert_eq!(world.current().await.unwrap(), "2_token");
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_lost_the_record_does_not_take_the_token_away() {
    let world = TestEnv::new();
    world.store("1_token", HOUR).await;
    world.current().await.unwrap();
    world.cache.inner.remove(&streams::access_token_key("hall")).await.unwrap();
    sleep(secs(60)).await;
    assert_eq!(world.current().await.unwrap(), "1_token");
}

#[tokio::test(start_paused = true)]
async fn callers_without_a_record_share_one_wait() {
    let world = TestEnv::new();
    let started = Instant::now();
    let answers = join_all((0..64).map(|_| world.current())).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap_err().contains("token service")));
    assert!(started.elapsed() <= secs(3), "{:?}", started.elapsed());
    assert!(world.cache_reads() < 30, "one of them polls, {} looks", world.cache_reads());

    let delayed_store = async {
        sleep(secs(1)).await;
        world.store("1_token", HOUR).await;
    };
    let (answers, ()) = tokio::join!(join_all((0..64).map(|_| world.current())), delayed_store);
    assert!(answers.iter().all(|answer| answer.as_deref() == Ok("1_token")));
}

#[tokio::test(start_paused = true)]
async fn a_record_of_an_unknown_form_counts_as_none() {
    let world = TestEnv::new();
    let key = streams::access_token_key("hall");
    let other = Bytes::from_static(br#"{"v":2,"secret":"x"}"#);
    world.cache.inner.put(&key, other, HOUR).await.unwrap();
    assert!(world.current().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_reported_once_and_another_waited_for() {
    let world = TestEnv::new();
    world.store("1_token", HOUR).await;
    world.current().await.unwrap();
    let served = async {
        sleep(secs(1)).await;
        world.store("2_token", HOUR).await;
    };
    let (answers, ()) =
        tokio::join!(join_all((0..64).map(|_| world.after_refusal("1_token"))), served);
    assert!(answers.iter().all(|answer| answer.as_deref() == Ok("2_token")), "{answers:?}");
    let reports = world.ledger.reports.lock().unwrap().clone();
    assert_eq!(reports.len(), 1);
    let (key, report) = &reports[0];
    assert_eq!((key, report.account.as_str()), (&report.fingerprint, "hall"));
    assert_eq!(report.fingerprint, AccessToken::new("1_token").fingerprint());
    assert_eq!(world.current().await.unwrap(), "2_token", "and remembered at once");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_that_is_no_longer_stored_needs_no_report() {
    let world = TestEnv::new();
    world.store("1_token", HOUR).await;
    world.current().await.unwrap();
    world.store("2_token", HOUR).await;
    let started = Instant::now();
    assert_eq!(world.after_refusal("1_token").await.unwrap(), "2_token");
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(world.ledger.reports.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_another_token_the_wait_times_out_and_the_next_caller_reads_again() {
    let world = TestEnv::new();
    world.store("1_token", HOUR).await;
    let started = Instant::now();
    let problem = world.after_refusal("1_token").await.unwrap_err();
    assert!(problem.contains("refused") && !problem.contains("1_token"), "{problem}");
    assert!(started.elapsed() <= secs(3), "{:?}", started.elapsed());
    world.store("2_token", HOUR).await;
    assert_eq!(world.current().await.unwrap(), "2_token");
}

#[tokio::test(start_paused = true)]
async fn a_failed_report_is_retried() {
    let world = TestEnv::new();
    world.store("1_token", HOUR).await;
    world.ledger.failures_left.store(2, Ordering::SeqCst);
    world.after_refusal("1_token").await.unwrap_err();
    assert_eq!(world.ledger.reports.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_take_the_wait_with_it() {
    let world = TestEnv::new();
    let impatient = tokio::time::timeout(Duration::from_millis(30), world.current());
    let patient = async {
        sleep(Duration::from_millis(10)).await;
        world.current().await
    };
    let served = async {
        sleep(secs(1)).await;
        world.store("1_token", HOUR).await;
    };
    let (impatient, patient, ()) = tokio::join!(impatient, patient, served);
    assert!(impatient.is_err());
    assert_eq!(patient.unwrap(), "1_token");
}

/// A cache that counts the reads and can be down.
#[derive(Default)]
struct CountingCache {
    inner: MemoryCache,
    gets: AtomicUsize,
    unavailable: AtomicBool,
}

#[async_trait]
impl Cache for CountingCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        if self.unavailable.load(Ordering::SeqCst) {
            return Err(Unavailable("down".into()));
        }
        self.inner.get(key).await
    }
    async fn put(&self, _: &str, _: Bytes, _: Duration) -> Result<(), Unavailable> {
        unreachable!("a reader writes nothing")
    }
    async fn put_if_absent(&self, _: &str, _: Bytes, _: Duration) -> Result<bool, Unavailable> {
        unreachable!()
    }
    async fn compare_and_set(
        &self,
        _: &str,
        _: Option<&[u8]>,
        _: Bytes,
        _: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        unreachable!()
    }
    async fn remove(&self, _: &str) -> Result<(), Unavailable> {
        unreachable!()
    }
    async fn acquire(&self, _: &str, _: &str, _: Duration) -> Result<Option<Lease>, Unavailable> {
        unreachable!()
    }
    async fn renew(&self, _: &Lease, _: Duration) -> Result<bool, Unavailable> {
        unreachable!()
    }
    async fn release(&self, _: &Lease) -> Result<(), Unavailable> {
        unreachable!()
    }
    async fn check(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

/// A ledger that records the reports and can fail.
#[derive(Default)]
struct RecordingLedger {
    reports: Mutex<Vec<(String, RefusedToken)>>,
    failures_left: AtomicUsize,
}

type LedgerResult<T> = Result<T, paihao_ledger::Unavailable>;

#[async_trait]
impl Ledger for RecordingLedger {
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        _: Duration,
    ) -> LedgerResult<EnqueueOutcome> {
        assert_eq!(*queue, streams::REFUSED_TOKENS);
        let fails = &self.failures_left;
        if fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(paihao_ledger::Unavailable("down".into()));
        }
        let report = envelope::decode::<RefusedToken>(&entry.payload).unwrap();
        self.reports.lock().unwrap().push((key.to_owned(), report));
        Ok(EnqueueOutcome::New)
    }
    async fn append(
        &self,
        _: &Log,
        _: &Subject,
        _: ExpectedPosition,
        _: Entry,
    ) -> Result<Position, AppendError> {
        unreachable!("a reader appends nothing")
    }
    async fn last(&self, _: &Log, _: &Subject) -> LedgerResult<Option<StoredEntry>> {
        unreachable!()
    }
    async fn head(&self, _: &Log) -> LedgerResult<Position> {
        unreachable!()
    }
    async fn follow(&self, _: &Log, _: Position) -> LedgerResult<BoxStream<'static, LogItem>> {
        unreachable!()
    }
    async fn consume(&self, _: &Log, _: &Consumer, _: usize) -> LedgerResult<Deliveries> {
        unreachable!()
    }
    async fn consume_queue(&self, _: &WorkQueue, _: usize) -> LedgerResult<Deliveries> {
        unreachable!()
    }
    async fn check(&self) -> LedgerResult<()> {
        Ok(())
    }
}
