//! Engines of one site over a shared ledger, and the commands that tests send to them.

use jiff::tz::TimeZone;
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::tasks::TaskFailure;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::partitions::Partitions;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, Outcome, Person,
    QueueId, QueueRules, Rules,
};
use paihao_gateway::engine::{CommandOutcome, DecisionObserver, Engine, SubmitError};
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::settings::calendar::Calendar;
use paihao_gateway::settings::{DeploymentSettings, SiteSettings};
use paihao_ledger::{Ledger, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// 10:00 in Shanghai on 20 November 2026.
pub const MORNING_MS: i64 = 1_795_140_000_000;

pub fn deployment_settings() -> DeploymentSettings {
    settings_with_queue(QueueRules::new("存取款", "A"))
}

/// Settings of the hall with these rules of its queue.
pub fn settings_with_queue(queue: QueueRules) -> DeploymentSettings {
    settings_of_sites(&["hall"], &rules_with_queue(queue))
}

/// Rules of a site with one queue.
pub fn rules_with_queue(queue: QueueRules) -> Rules {
    let counter = |name: &str| CounterRules::new(name, vec![QueueId::new("a")]);
    Rules {
        queues: [(QueueId::new("a"), queue)].into(),
        counters: [(CounterId::new("1"), counter("1号")), (CounterId::new("2"), counter("2号"))]
            .into(),
        several_counters: false,
    }
}

/// Settings of sites with these rules.
pub fn settings_of_sites(ids: &[&str], rules: &Rules) -> DeploymentSettings {
    let site = |id: &&str| {
        let facts = SiteFacts {
            account: "shop".into(),
            id: (*id).into(),
            name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        let calendar = Calendar::new(TimeZone::get("Asia/Shanghai").unwrap(), 4);
        let subject = Subject::new(&["shop", id]).unwrap();
        ((*id).to_owned(), Arc::new(SiteSettings::new(facts, subject, rules.clone(), calendar)))
    };
    DeploymentSettings { sites: ids.iter().map(site).collect(), ..DeploymentSettings::default() }
}

/// Opens an embedded ledger in a temporary folder.
pub fn open_ledger(clock: &ManualClock) -> (Arc<SqliteLedger>, TempDir) {
    open_divided_ledger(clock, Partitions::ONE)
}

/// Opens an embedded ledger whose entries age out in every partition.
pub fn open_divided_ledger(
    clock: &ManualClock,
    partitions: Partitions,
) -> (Arc<SqliteLedger>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let now = clock.clone();
    let mut options = SqliteOptions::new(Arc::new(move || now.now_ms()));
    options.retention_overrides = partitions.all().map(|partition| partition.ledger).collect();
    options.retention_interval = Duration::from_secs(600); // cheaper where days pass in a test
    (Arc::new(SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap()), folder)
}

/// Starts a replica and waits until it has caught up.
pub async fn start_engine(ledger: Arc<dyn Ledger>, clock: &ManualClock) -> Engine {
    start_engine_with(&deployment_settings(), ledger, clock).await
}

/// Starts a replica with other settings.
pub async fn start_engine_with(
    settings: &DeploymentSettings,
    ledger: Arc<dyn Ledger>,
    clock: &ManualClock,
) -> Engine {
    start_engine_on_clock(settings, ledger, Arc::new(clock.clone())).await
}

/// Starts a replica with these settings and any clock.
pub async fn start_engine_on_clock(
    settings: &DeploymentSettings,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
) -> Engine {
    let observer = Arc::new(|_: &Subject, _: &_| {});
    let running = RunningEngine::start(settings, ledger, clock, observer);
    running.engine.until_caught_up().await;
    running.engine
}

/// Replica that can be stopped.
pub struct RunningEngine {
    pub engine: Engine,
    tasks: Tasks,
    closed: CancellationToken,
}

impl RunningEngine {
    pub fn start(
        settings: &DeploymentSettings,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        observer: DecisionObserver,
    ) -> RunningEngine {
        let closed = CancellationToken::new();
        let tasks = Tasks::new();
        let visits = Arc::new(VisitProjection::start(ledger.clone(), closed.clone(), &tasks));
        let sites = &settings.sites;
        let engine = Engine::start(sites, ledger, clock, visits, observer, &closed, &tasks);
        RunningEngine { engine, tasks, closed }
    }

    /// Reason for which the process would stop.
    pub fn failure(&self) -> Option<TaskFailure> {
        self.tasks.failure()
    }

    /// Stops the replica softly.
    pub async fn stop(self) {
        self.closed.cancel();
        self.tasks.stop_and_wait().await;
    }

    /// Stops the replica as a power cut does.
    pub async fn kill(self) {
        self.tasks.abort();
        self.tasks.wait().await;
    }
}

pub fn command(id: &str, act: Act) -> Command {
    let hash = Sha256::digest(id);
    let actor = match &act {
        Act::Take { person: Some(person), .. } => Actor::Customer(person.clone()),
        _ => Actor::Manager("boss".into()),
    };
    let id = CommandId(hash[..16].try_into().unwrap());
    Command { id, fingerprint: 0, actor, act, day: None }
}

pub fn take_ticket(person: &str) -> Command {
    let act = Act::Take {
        queue: QueueId::new("a"),
        person: Some(Person::new(person)),
        scan_session: None,
        class: None,
        key: None,
    };
    command(&format!("take {person}"), act)
}

pub fn at_counter(counter: &str, act: fn(CounterId) -> Act, id: &str) -> Command {
    command(&format!("{counter} {id}"), act(CounterId::new(counter)))
}

pub fn finish(counter: CounterId) -> Act {
    Act::Finish(CounterTicket { counter, number: None })
}

/// Returns the number of the ticket that a command took or called.
pub fn ticket_number(result: Result<CommandOutcome, SubmitError>) -> String {
    match result.unwrap().outcome {
        Outcome::Holding { number, .. } | Outcome::Called { number, .. } => number.to_string(),
        other => panic!("no number: {other:?}"),
    }
}

/// Returns the digest of the hall once the replica has read to the end of the ledger.
pub async fn digest(engine: &Engine, ledger: &dyn Ledger) -> String {
    let head = ledger.head(&paihao_contracts::streams::LEDGER).await.unwrap();
    let mut snapshots = engine.watch("hall").unwrap();
    snapshots.wait_for(|snapshot| snapshot.position >= head).await.unwrap().digest()
}
