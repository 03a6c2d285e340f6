//! Tests of replicas whose clock is wrong: by how much, since when, and over which store.

use crate::support::engine::{
    MORNING_MS, RunningEngine, command, settings_with_queue, take_ticket, ticket_number,
};
use crate::support::wait_until;
use futures::{FutureExt, StreamExt};
use harness::NatsServer;
use paihao_chassis::checked_clock::{AskTime, CheckedClock, ClockReference, ReferenceTime};
use paihao_chassis::clock::{Clock, RuntimeClock, SystemClock};
use paihao_contracts::streams::LEDGER;
use paihao_domain::{Act, Day, QueueRules, Refusal};
use paihao_gateway::engine::{Engine, SubmitError};
use paihao_ledger::{Ledger, Position, StoreTime};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const BOUND: Duration = Duration::from_secs(10);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Ten minutes before the cut-over of the hall.
const START_MS: i64 = MORNING_MS + 17 * 60 * MINUTE_MS + 50 * MINUTE_MS;

/// Errors of a clock in milliseconds: within the bound and beyond it, past the cut-over, and days.
const ERRORS: [i64; 10] = [
    9_900,
    -9_900,
    10_300,
    -10_300,
    11 * MINUTE_MS,
    -11 * MINUTE_MS,
    DAY_MS,
    4 * DAY_MS,
    -4 * DAY_MS,
    400 * DAY_MS,
];

/// Store of the lines, and who tells the time there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// A server with a clock of its own.
    Server,
    /// A file, and WeChat.
    File,
    /// A file, while WeChat cannot be reached.
    FileAlone,
}

/// Begin of the error.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Begin {
    Start,
    Midway,
}

/// Clock that is wrong by what a test sets.
struct WrongClock {
    right: Arc<dyn Clock>,
    error_ms: AtomicI64,
}

impl Clock for WrongClock {
    fn now_ms(&self) -> i64 {
        self.right.now_ms() + self.error_ms.load(Ordering::Relaxed)
    }
}

/// Hall over one store, whose replica may have a wrong clock.
struct Hall {
    shape: Shape,
    right: Arc<dyn Clock>,
    local: Arc<WrongClock>,
    folder: TempDir,
}

/// Replica with its clock, and the ledger as it opened it.
struct Replica {
    running: RunningEngine,
    clock: Arc<CheckedClock>,
    ledger: Arc<SqliteLedger>,
    stop: CancellationToken,
}

fn ask_clock(right: Arc<dyn Clock>) -> AskTime {
    Arc::new(move || {
        let now_ms = right.now_ms();
        async move { Ok(Some(ReferenceTime::Now(now_ms))) }.boxed()
    })
}

fn ask_ledger(ledger: Arc<dyn Ledger>) -> AskTime {
    Arc::new(move || {
        let ledger = ledger.clone();
        async move {
            Ok(match ledger.time().await.map_err(|error| error.to_string())? {
                StoreTime::Now(now_ms) => Some(ReferenceTime::Now(now_ms)),
                StoreTime::AtLeast(at_ms) => Some(ReferenceTime::AtLeast(at_ms)),
            })
        }
        .boxed()
    })
}

impl Hall {
    fn new(shape: Shape) -> Hall {
        let right: Arc<dyn Clock> = Arc::new(RuntimeClock::starting_at(START_MS));
        let local = WrongClock { right: right.clone(), error_ms: AtomicI64::new(0) };
        Hall { shape, right, local: Arc::new(local), folder: tempfile::tempdir().unwrap() }
    }

    fn set_error(&self, error_ms: i64) {
        self.local.error_ms.store(error_ms, Ordering::Relaxed);
    }

    /// Starts the replica as the program does: the file is dated by the clock that is compared with
    /// it.
    async fn start(&self) -> Replica {
        let opened = Arc::new(std::sync::OnceLock::<Arc<dyn Ledger>>::new());
        let told = opened.clone();
        let ask_file: AskTime = Arc::new(move || {
            let ledger = told.get().cloned().expect("opened");
            ask_ledger(ledger)()
        });
        let reference = |name, ask| ClockReference { name, ask, interval: BOUND };
        let references = match self.shape {
            Shape::Server => vec![reference("ledger", ask_clock(self.right.clone()))],
            Shape::File => {
                let wechat = reference("wechat", ask_clock(self.right.clone()));
                vec![reference("ledger", ask_file), wechat]
            }
            Shape::FileAlone => vec![reference("ledger", ask_file)],
        };
        let clock = Arc::new(CheckedClock::new(self.local.clone(), BOUND, references));
        let (dates, ages) = (clock.clone(), clock.clone());
        let server = self.right.clone();
        let options = match self.shape {
            Shape::Server => SqliteOptions::new(Arc::new(move || server.now_ms())),
            Shape::File | Shape::FileAlone => SqliteOptions {
                age_clock: Arc::new(move || ages.confirmed_ms()),
                retention_interval: Duration::from_secs(20),
                ..SqliteOptions::new(Arc::new(move || dates.now_ms()))
            },
        };
        let file = self.folder.path().join("ledger.sqlite");
        let ledger = Arc::new(SqliteLedger::open(file, options).unwrap());
        opened.get_or_init(|| ledger.clone());
        clock.compare_all().await;
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "ends with the replica")]
        tokio::spawn(clock.clone().run(stop.clone()));
        let settings = settings_with_queue(QueueRules::new("存取款", "A"));
        let observer = Arc::new(|_: &_, _: &_| {});
        let running = RunningEngine::start(&settings, ledger.clone(), clock.clone(), observer);
        running.engine.until_caught_up().await;
        Replica { running, clock, ledger, stop }
    }
}

impl Replica {
    fn engine(&self) -> &Engine {
        &self.running.engine
    }

    fn day(&self) -> Day {
        self.engine().snapshot("hall").unwrap().site.day().unwrap()
    }

    async fn take(&self, person: &str) -> Result<String, SubmitError> {
        let taken = self.engine().submit("hall", take_ticket(person)).await;
        taken.map(|taken| ticket_number(Ok(taken)))
    }

    /// Number of the entries that the ledger still has.
    async fn entries(&self) -> usize {
        let head = self.ledger.head(&LEDGER).await.unwrap();
        let mut entries = self.ledger.follow(&LEDGER, Position::START).await.unwrap();
        let mut count = 0;
        if head == Position::START {
            return count;
        }
        loop {
            let item = entries.next().await.unwrap();
            count += 1;
            if matches!(item, paihao_ledger::LogItem::Entry(stored) if stored.position >= head) {
                return count;
            }
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.stop().await;
        self.ledger.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_closes_no_day_deletes_nothing_and_takes_no_number_away() {
    for shape in [Shape::Server, Shape::File, Shape::FileAlone] {
        for begin in [Begin::Start, Begin::Midway] {
            for error_ms in ERRORS {
                check_wrong_clock(shape, begin, error_ms).await;
            }
        }
    }
}

async fn check_wrong_clock(shape: Shape, begin: Begin, error_ms: i64) {
    let case = format!("{shape:?} {begin:?} {error_ms}");
    let hall = Hall::new(shape);
    let mut replica = hall.start().await;
    assert_eq!(replica.take("ann").await.unwrap(), "A001", "{case}");
    assert_eq!(replica.take("ben").await.unwrap(), "A002");
    let (day, entries) = (replica.day(), replica.entries().await);
    match begin {
        Begin::Midway => hall.set_error(error_ms),
        Begin::Start => {
            replica.stop().await;
            hall.set_error(error_ms);
            replica = hall.start().await;
        }
    }
    // The timers, the comparisons and the retention run several times.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let is_off = error_ms.abs() > BOUND.as_millis() as i64;
    // A file knows no later time than that of its newest entry.
    let is_unknown = shape == Shape::FileAlone && begin == Begin::Start && error_ms > 0;
    assert!(replica.entries().await >= entries, "{case}: entries were deleted");
    if is_unknown {
        let days_ahead = error_ms / DAY_MS;
        match replica.take("cid").await {
            Ok(_) => assert!(replica.day().0 - day.0 <= 1 && days_ahead <= 1, "{case}"),
            Err(error) => {
                assert_eq!(error, SubmitError::Refused(Refusal::DayUnconfirmed), "{case}");
                assert!(days_ahead > 1 && replica.day() == day, "{case}");
            }
        }
        assert!(replica.entries().await >= entries, "{case}: entries were deleted");
        return replica.stop().await;
    }
    assert_eq!(replica.clock.check().is_err(), is_off, "{case}: readiness");
    assert_eq!(replica.day(), day, "{case}: a day was closed");
    // People are served by the time of the reference.
    assert_eq!(replica.take("cid").await.unwrap(), "A003", "{case}");
    assert_eq!(replica.day(), day, "{case}: a day was closed");

    hall.set_error(0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(replica.clock.check().is_ok(), "{case}: it steps back in");
    assert_eq!(replica.take("dan").await.unwrap(), "A004", "{case}");
    assert_eq!(replica.day(), day, "{case}");
    // The day ends when it is over.
    tokio::time::sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(replica.day(), Day(day.0 + 1), "{case}");
    assert!(replica.entries().await > entries, "{case}");
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_closure_of_two_weeks_is_confirmed_by_another_clock_or_by_a_manager() {
    for shape in [Shape::Server, Shape::File, Shape::FileAlone] {
        let hall = Hall::new(shape);
        let replica = hall.start().await;
        replica.take("ann").await.unwrap();
        let day = replica.day();
        replica.stop().await;
        tokio::time::sleep(Duration::from_secs(14 * 24 * 3600)).await;
        let replica = hall.start().await;
        if shape == Shape::FileAlone {
            tokio::time::sleep(Duration::from_secs(120)).await;
            assert_eq!(replica.day(), day);
            let refused = replica.take("ben").await;
            assert_eq!(refused, Err(SubmitError::Refused(Refusal::DayUnconfirmed)));
            let vouched = command("vouched", Act::ResetDay { force: true });
            replica.engine().submit("hall", vouched).await.unwrap();
        }
        assert_eq!(replica.take("ben").await.unwrap(), "A001", "{shape:?}");
        assert_eq!(replica.day(), Day(day.0 + 14), "{shape:?}");
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn before_any_comparison_nothing_is_decided() {
    let hall = Hall::new(Shape::Server);
    let replica = hall.start().await;
    replica.take("ann").await.unwrap();
    let day = replica.day();
    replica.stop().await;
    hall.set_error(DAY_MS);
    let away: AskTime = Arc::new(|| async { Err("away".to_owned()) }.boxed());
    let reference = ClockReference { name: "ledger", ask: away, interval: BOUND };
    let clock = Arc::new(CheckedClock::new(hall.local.clone(), BOUND, vec![reference]));
    let options = SqliteOptions::new(Arc::new(|| START_MS));
    let file = hall.folder.path().join("ledger.sqlite");
    let ledger = Arc::new(SqliteLedger::open(file, options).unwrap());
    let settings = settings_with_queue(QueueRules::new("存取款", "A"));
    let observer = Arc::new(|_: &_, _: &_| {});
    let running = RunningEngine::start(&settings, ledger, clock.clone(), observer);
    running.engine.until_caught_up().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let refused = running.engine.submit("hall", take_ticket("ben")).await;
    assert_eq!(refused, Err(SubmitError::Unavailable));
    assert_eq!(running.engine.snapshot("hall").unwrap().site.day(), Some(day));
    assert!(clock.check().is_err());
    running.stop().await;
}

#[tokio::test]
async fn a_replica_with_a_wrong_clock_on_jetstream_closes_no_day() {
    let server = NatsServer::start();
    let options = NatsOptions { url: server.url().to_owned(), ..NatsOptions::default() };
    let ledger: Arc<dyn Ledger> = Arc::new(NatsLedger::connect(options).await.unwrap());
    let settings = settings_with_queue(QueueRules::new("存取款", "A"));
    let right: Arc<dyn Clock> = Arc::new(SystemClock);
    let observer = || Arc::new(|_: &_, _: &_| {});
    let other = RunningEngine::start(&settings, ledger.clone(), right.clone(), observer());
    other.engine.until_caught_up().await;
    let taken = other.engine.submit("hall", take_ticket("somebody")).await;
    assert_eq!(ticket_number(taken), "A001");
    let day = other.engine.snapshot("hall").unwrap().site.day().unwrap();
    for (n, error_ms) in ERRORS.into_iter().enumerate() {
        let local = Arc::new(WrongClock { right: right.clone(), error_ms: AtomicI64::new(0) });
        let reference =
            ClockReference { name: "ledger", ask: ask_ledger(ledger.clone()), interval: BOUND };
        let clock = Arc::new(CheckedClock::new(local.clone(), BOUND, vec![reference]));
        clock.compare_all().await;
        assert!(clock.check().is_ok(), "the server tells its time");
        let replica = RunningEngine::start(&settings, ledger.clone(), clock.clone(), observer());
        replica.engine.until_caught_up().await;
        local.error_ms.store(error_ms, Ordering::Relaxed);
        let taken = replica.engine.submit("hall", take_ticket(&format!("person {n}"))).await;
        assert_eq!(ticket_number(taken), format!("A{:03}", n + 2), "{error_ms}");
        let found = replica.engine.snapshot("hall").unwrap().site.day().unwrap();
        assert!(found == day || SystemClock.now_ms() / DAY_MS > i64::from(day.0), "{error_ms}");
        assert_eq!(clock.check().is_err(), error_ms.abs() > 10_000, "{error_ms}");
        local.error_ms.store(0, Ordering::Relaxed);
        assert!(clock.check().is_ok(), "{error_ms}");
        replica.stop().await;
    }
    wait_until("the other replica sees all", async || {
        other.engine.snapshot("hall").unwrap().site.tickets().count() == ERRORS.len() + 1
    })
    .await;
    other.stop().await;
}
