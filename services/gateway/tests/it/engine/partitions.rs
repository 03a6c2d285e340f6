//! Tests of engines over a ledger in partitions: each holds for one, three and eight.

use crate::support::engine::{
    MORNING_MS, RunningEngine, at_counter, finish, open_divided_ledger, rules_with_queue,
    settings_of_sites, take_ticket, ticket_number,
};
use crate::support::shop::{COVERED, DAY};
use async_trait::async_trait;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::BoxStream;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::partitions::{Partition, Partitions};
use paihao_contracts::streams::Log;
use paihao_domain::{Act, QueueRules};
use paihao_gateway::engine::Engine;
use paihao_gateway::settings::DeploymentSettings;
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
    Unavailable,
};
use paihao_ledger_sqlite::SqliteLedger;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const NUMBERS: [usize; 3] = [1, 3, 8];

/// Sites of every partition, several of some.
const SITES: [&str; 24] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x",
];

/// Embedded ledger in partitions. A partition that is away answers nothing.
struct Divided {
    inner: Arc<SqliteLedger>,
    partitions: Partitions,
    away: Mutex<Option<Partition>>,
    /// Positions after which each log was followed.
    followed: Mutex<Vec<(&'static str, Position)>>,
}

impl Divided {
    fn check(&self, log: &Log) -> Result<(), Unavailable> {
        let is_away = self.away.lock().is_some_and(|away| away.ledger == *log);
        if is_away { Err(Unavailable("its leader is away".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl LedgerLayer for Divided {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    fn partitions(&self) -> Partitions {
        self.partitions
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        self.check(log)?;
        self.inner.append(log, subject, expect, entry).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        self.check(log)?;
        self.inner.last(log, subject).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        self.check(log)?;
        self.inner.head(log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        self.check(log)?;
        self.followed.lock().push((log.name, after));
        self.inner.follow(log, after).await
    }
}

/// Halls over an embedded ledger.
struct Halls {
    clock: ManualClock,
    ledger: Arc<Divided>,
    settings: DeploymentSettings,
    _folder: TempDir,
}

impl Halls {
    fn new(partitions: usize) -> Halls {
        let clock = ManualClock::at(MORNING_MS);
        let partitions = Partitions::new(partitions).unwrap();
        let (inner, folder) = open_divided_ledger(&clock, partitions);
        let queue = QueueRules { carry_over: true, ..QueueRules::new("存取款", "A") };
        let ledger = Arc::new(Divided {
            inner,
            partitions,
            away: Mutex::default(),
            followed: Mutex::default(),
        });
        let settings = settings_of_sites(&SITES, &rules_with_queue(queue));
        Halls { clock, ledger, settings, _folder: folder }
    }

    fn begin(&self) -> RunningEngine {
        let observer = Arc::new(|_: &Subject, _: &_| {});
        let clock = Arc::new(self.clock.clone());
        RunningEngine::start(&self.settings, self.ledger.clone(), clock, observer)
    }

    async fn start(&self) -> RunningEngine {
        let running = self.begin();
        running.engine.until_caught_up().await;
        running
    }

    fn partition_of(&self, site: &str) -> Partition {
        self.ledger.partition_of(&subject(site))
    }

    /// Digests of all sites once a replica has read everything.
    async fn digests(&self, engine: &Engine) -> Vec<String> {
        engine.until_current().await.unwrap();
        SITES.map(|site| engine.snapshot(site).unwrap().digest()).to_vec()
    }
}

fn subject(site: &str) -> Subject {
    Subject::new(&["shop", site]).unwrap()
}

/// Lets some people take numbers at every site, and calls the first of them.
async fn be_busy(engine: &Engine, round: usize) {
    join_all(SITES.map(|site| async move {
        for i in 0..4 {
            let person = format!("{site} {round} {i}");
            engine.submit(site, take_ticket(&person)).await.unwrap();
        }
        let id = |step: &str| format!("{site} {step} {round}");
        let _ = engine.submit(site, at_counter("1", Act::OpenCounter, &id("open"))).await;
        engine.submit(site, at_counter("1", Act::CallNext, &id("call"))).await.unwrap();
        engine.submit(site, at_counter("1", finish, &id("done"))).await.unwrap();
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn replicas_agree_at_every_site_in_any_number_of_partitions() {
    let mut states = BTreeSet::new();
    for partitions in NUMBERS {
        let halls = Halls::new(partitions);
        let (left, right) = (halls.start().await, halls.start().await);
        let submit = |site: &'static str, i: usize| {
            let (left, right) = (&left.engine, &right.engine);
            let person = format!("{site} {i}");
            async move {
                let (one, other) = tokio::join!(
                    left.submit(site, take_ticket(&person)),
                    right.submit(site, take_ticket(&person))
                );
                assert_eq!(one, other, "one number and one reply");
                (site, ticket_number(one))
            }
        };
        let scans = SITES.iter().flat_map(|site| (0..10).map(move |i| (*site, i)));
        let numbers = join_all(scans.map(|(site, i)| submit(site, i))).await;
        let mut of_sites: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (site, number) in numbers {
            of_sites.entry(site).or_default().insert(number);
        }
        let expected: BTreeSet<_> = (1..=10).map(|n| format!("A{n:03}")).collect();
        assert!(of_sites.values().all(|numbers| *numbers == expected), "{of_sites:?}");
        be_busy(&left.engine, 0).await;
        let late = halls.start().await;
        let digests = halls.digests(&left.engine).await;
        assert_eq!(digests, halls.digests(&right.engine).await);
        assert_eq!(digests, halls.digests(&late.engine).await);
        for site in SITES {
            let latest = late.engine.latest_snapshot(site).await.unwrap();
            assert_eq!(latest.site.tickets().count(), 14);
        }
        for partition in halls.ledger.partitions.all() {
            let own = SITES.iter().filter(|site| halls.partition_of(site) == partition).count();
            assert!(own > 0, "every partition has sites");
            let ledger: &dyn Ledger = &*halls.ledger;
            let mut entries = ledger.follow(&partition.ledger, Position::START).await.unwrap();
            let head = ledger.head(&partition.ledger).await.unwrap();
            while let Some(LogItem::Entry(stored)) = entries.next().await {
                let site = stored.subject.parts().nth(1).unwrap().to_owned();
                assert_eq!(halls.partition_of(&site), partition);
                if stored.position >= head {
                    break;
                }
            }
        }
        // Scans of one site land in an order of their own, and numbers do not tell it.
        states.insert(SITES.map(|site| left.engine.snapshot(site).unwrap().site.tickets().count()));
    }
    assert_eq!(states.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_commands_give_the_same_sites_in_any_number_of_partitions() {
    let mut of_numbers = Vec::new();
    for partitions in NUMBERS {
        let halls = Halls::new(partitions);
        let running = halls.start().await;
        for round in 0..3 {
            be_busy(&running.engine, round).await;
        }
        of_numbers.push(halls.digests(&running.engine).await);
    }
    assert!(of_numbers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn each_partition_restarts_from_its_snapshots_and_its_floor() {
    for partitions in NUMBERS {
        let halls = Halls::new(partitions);
        let running = halls.start().await;
        be_busy(&running.engine, 0).await;
        tokio::time::sleep(COVERED).await;
        be_busy(&running.engine, 1).await;
        let digests = halls.digests(&running.engine).await;
        // What was covered is left out of the restart, in each partition by its own floor.
        halls.ledger.followed.lock().clear();
        let killed = halls.start().await;
        assert_eq!(halls.digests(&killed.engine).await, digests);
        let followed = halls.ledger.followed.lock().clone();
        for partition in halls.ledger.partitions.all() {
            let first = followed.iter().find(|(log, _)| *log == partition.ledger.name);
            assert!(first.unwrap().1 > Position::START, "{partitions}: {followed:?}");
        }
        killed.kill().await;
        running.stop().await;

        // All entries have aged out, and every line stands as it stood.
        halls.clock.advance(14 * DAY);
        halls.ledger.inner.remove_expired(halls.clock.now_ms()).await.unwrap();
        for partition in halls.ledger.partitions.all() {
            let head = halls.ledger.inner.head(&partition.ledger).await.unwrap();
            assert_eq!(head, Position::START);
        }
        let reopened = halls.start().await;
        assert_eq!(halls.digests(&reopened.engine).await, digests);
        let next = join_all(SITES.map(|site| async {
            ticket_number(reopened.engine.submit(site, take_ticket("newcomer")).await)
        }));
        let next: BTreeSet<_> = next.await.into_iter().collect();
        assert_eq!(next.len(), 1, "the same at every site: {next:?}");
        reopened.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_away_stops_its_own_sites_alone() {
    for partitions in [3, 8] {
        let halls = Halls::new(partitions);
        let running = halls.start().await;
        be_busy(&running.engine, 0).await;
        for away in halls.ledger.partitions.all() {
            *halls.ledger.away.lock() = Some(away);
            // Also at a replica that starts meanwhile.
            let starting = halls.begin();
            let replicas = [&running.engine, &starting.engine];
            for (replica, engine) in replicas.into_iter().enumerate() {
                let takes = SITES.map(|site| async move {
                    let person = format!("{} {replica}", away.index);
                    (site, engine.submit(site, take_ticket(&person)).await)
                });
                for (site, taken) in join_all(takes).await {
                    let is_away = halls.partition_of(site) == away;
                    assert_eq!(taken.is_err(), is_away, "{site}: {taken:?}");
                }
            }
            assert!(!starting.engine.caught_up(), "one partition is not read");
            assert!(running.engine.until_current().await.is_err(), "nobody knows what it has");
            *halls.ledger.away.lock() = None;
            starting.engine.until_caught_up().await;
            assert_eq!(halls.digests(&starting.engine).await, halls.digests(&running.engine).await);
            starting.kill().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        be_busy(&running.engine, 1).await;
    }
}
