//! One run: a world from a seed, busy for a while, then healed and checked.

use crate::checks::answers::Answers;
use crate::checks::findings::{Finding, FindingKind};
use crate::checks::line::Lines;
use crate::checks::{notices, replicas, visits};
use crate::deployment;
use crate::edge::Edge;
use crate::faults::{self, FaultKind, Faults};
use crate::fleet::Fleet;
use crate::mendings::Mending;
use crate::people::Society;
use crate::people::customer::{Customer, number_in};
use crate::people::owner::Owner;
use crate::people::staff::Staff;
use crate::people::stranger::{STRANGER, Stranger};
use crate::plan::Plan;
use crate::process::Outside;
use crate::stores::cache::CacheServer;
use crate::stores::ledger::Store;
use crate::trace::Trace;
use crate::wechat::platform::Platform;
use crate::wechat::pushes::{PersonAction, Pushes};
use crate::world::World;
use paihao_contracts::streams::{Consumer, LEDGER, NOTICES, PLANNER, VISIT_WRITER};
use paihao_notice_text::policy::account_policies;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Time in which everything has to come to rest, once every fault is over: WeChat's answers may be
/// waited for nine minutes.
const HEALING_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// Time after which the entries of the ledger are in snapshots.
const COVERED: Duration = Duration::from_secs(8 * 60);
/// Interval of the checks on the way.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Number of faults in a run whose kinds of faults are chosen.
const CHOSEN_FAULTS: u64 = 10;

/// Checks on the way after which the replicas are compared, which costs more than the others.
const AGREEMENT_CHECKS: u64 = 3;

/// Options of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Seed.
    pub seed: u64,
    /// Mending that is taken out, if any.
    pub without: Option<Mending>,
    /// Kinds of faults in place of those that the seed draws.
    pub faults: Vec<FaultKind>,
    /// True to print the trace.
    pub prints: bool,
}

/// Report of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Seed.
    pub seed: u64,
    /// Hash of the trace.
    pub hash: u64,
    /// Number of events in the trace.
    pub events: u64,
    /// Number of entries in the ledger.
    pub entries: u64,
    /// Number of notifications.
    pub notices: u64,
    /// Invariants that did not hold.
    pub findings: Vec<Finding>,
}

/// Runs the world of a seed in this thread.
pub fn run(options: &Options) -> Report {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime of one thread needs nothing");
    runtime.block_on(run_world(options))
}

async fn run_world(options: &Options) -> Report {
    let Options { seed, without, prints, .. } = *options;
    let mut plan = Plan::draw(seed);
    if !options.faults.is_empty() {
        plan.faults.clone_from(&options.faults);
        plan.fault_count = CHOSEN_FAULTS;
    }
    if let Some(without) = without {
        without.focus(&mut plan);
    }
    let world = Arc::new(World::new(seed, plan.start_ms, Trace::new(prints)));
    world.record(format_args!("{plan:?}"));
    let scene = Scene::new(&world, without, plan);
    scene.play().await;
    let outside = &scene.outside;
    Report {
        seed,
        hash: world.trace().hash(),
        events: world.trace().events(),
        entries: outside.store.decisions().len() as u64,
        notices: scene.notices().len() as u64,
        findings: world.findings(),
    }
}

/// Everything of one run.
struct Scene {
    /// Number of checks on the way so far.
    checks: AtomicU64,
    plan: Plan,
    outside: Outside,
    lines: Arc<Lines>,
    edge: Arc<Edge>,
    fleet: Arc<Fleet>,
    pushes: Arc<Pushes>,
}

impl Scene {
    fn new(world: &Arc<World>, without: Option<Mending>, plan: Plan) -> Scene {
        let lines = Arc::new(Lines::default());
        let (time, watched, checked) = (world.clone(), world.clone(), lines.clone());
        let store = Store::new(
            plan.partitions,
            Arc::new(move || time.now_ms()),
            Arc::new(move |log, stored| {
                let (name, position) = (log.name, stored.position.0);
                watched.record(format_args!("{name} {} at {position}", stored.subject));
                if log.family() == LEDGER.name {
                    checked.check(&watched, stored);
                }
            }),
        );
        deployment::set_documents(&store, &plan, plan.start_ms);
        let outside = Outside {
            world: world.clone(),
            store,
            cache: Arc::new(CacheServer::default()),
            platform: Arc::new(Platform::default()),
            without,
        };
        let edge = Arc::new(Edge::new(world.clone(), Mending::rewrite(without)));
        let fleet = Arc::new(Fleet::new(outside.clone(), edge.clone(), &plan));
        let platform = outside.platform.clone();
        let pushes = Arc::new(Pushes::new(world.clone(), platform, edge.clone()));
        Scene { checks: AtomicU64::new(0), plan, outside, lines, edge, fleet, pushes }
    }

    async fn play(&self) {
        self.fleet.start_all();
        self.be_busy().await;
        if let Some(closure) = self.plan.closure {
            self.close_for(closure).await;
        }
        let rested = self.come_to_rest().await;
        self.check_end(rested).await;
    }

    /// Lets people and faults happen, until all of them are over.
    async fn be_busy(&self) {
        let Scene { plan, outside, fleet, .. } = self;
        let world = &outside.world;
        let faults = Arc::new(Faults { fleet: fleet.clone(), outside: outside.clone() });
        faults::schedule(&faults, world, &plan.faults, plan.fault_count, plan.busy);
        let society = self.society(Instant::now() + plan.busy);
        for number in 1..=plan.customers {
            let customer = Customer::new(world.seed, number);
            world.tasks.spawn("customer", customer.live(society.clone(), plan.sites.clone()));
        }
        for site in plan.sites.clone() {
            for counter in deployment::COUNTERS {
                let staff = Staff::new(world.seed, site, counter);
                world.tasks.spawn("staff", staff.work(society.clone()));
            }
        }
        let owner = Owner::new(world.seed, plan.clone());
        world.tasks.spawn("owner", owner.manage(society.clone()));
        let stranger = Stranger::new(world.seed);
        world.tasks.spawn("stranger", stranger.intrude(society.clone(), plan.sites.clone()));
        while Instant::now() < society.until {
            sleep_until(society.until.min(Instant::now() + CHECK_INTERVAL)).await;
            self.check_on_the_way().await;
        }
        // Faults that began late, and people who are in the middle of something.
        let _ = timeout(Duration::from_secs(300), world.tasks.wait()).await;
        faults.heal().await;
    }

    fn society(&self, until: Instant) -> Society {
        Society {
            world: self.outside.world.clone(),
            edge: self.edge.clone(),
            pushes: self.pushes.clone(),
            answers: Arc::new(Answers::new(self.lines.clone())),
            until,
        }
    }

    async fn check_on_the_way(&self) {
        let world = &self.outside.world;
        let checks = self.checks.fetch_add(1, Ordering::Relaxed);
        if checks.is_multiple_of(AGREEMENT_CHECKS) {
            replicas::check_agreement(world, &self.fleet.gateways(), &self.plan.sites);
        }
        for failure in self.fleet.failures() {
            world.report(FindingKind::TaskFailed, format_args!("{failure}"));
        }
        let pushes = self.pushes.clone();
        world.tasks.spawn("receipts", async move { pushes.push_receipts().await });
    }

    /// Turns every process off, as a shop does for a long weekend, and on again.
    async fn close_for(&self, closure: Duration) {
        sleep(COVERED).await;
        self.fleet.crash_all();
        sleep(closure).await;
        self.fleet.start_all();
        sleep(Duration::from_secs(5)).await;
        let society = self.society(Instant::now() + Duration::from_secs(60));
        let world = &self.outside.world;
        for number in 1..=3 {
            let customer = Customer::new(world.seed, self.plan.customers + number);
            world.tasks.spawn("customer", customer.live(society.clone(), self.plan.sites.clone()));
        }
        sleep_until(society.until).await;
    }

    /// Waits until nothing is left to do. Returns whether that came.
    async fn come_to_rest(&self) -> bool {
        let deadline = Instant::now() + HEALING_TIMEOUT;
        while Instant::now() < deadline {
            sleep(CHECK_INTERVAL).await;
            self.check_on_the_way().await;
            if self.is_at_rest() {
                return true;
            }
        }
        false
    }

    /// Entries of all partitions that a consumer has not done.
    fn backlog(&self, consumer: &Consumer) -> usize {
        let store = &self.outside.store;
        let partitions = store.partitions().all();
        partitions.map(|partition| store.backlog(&partition.ledger, consumer)).sum()
    }

    fn is_at_rest(&self) -> bool {
        let store = &self.outside.store;
        self.backlog(&PLANNER) == 0
            && self.backlog(&VISIT_WRITER) == 0
            && store.queue_len(&NOTICES) == 0
            && notices::all_have_ended(&self.notices())
    }

    fn notices(&self) -> Vec<notices::ExpectedNotice> {
        let policies = account_policies(&deployment::account_setup(&self.plan));
        notices::expected_notices(&self.outside, &policies)
    }

    async fn check_end(&self, rested: bool) {
        let Scene { plan, outside, fleet, .. } = self;
        let world = &outside.world;
        if !rested {
            let store = &outside.store;
            let left =
                [self.backlog(&PLANNER), self.backlog(&VISIT_WRITER), store.queue_len(&NOTICES)];
            if left != [0; 3] {
                world.report(
                    FindingKind::Backlog,
                    format_args!("planner, visit writer and notices have {left:?} left"),
                );
            }
        }
        notices::check(outside, &self.notices(), &fleet.deaths_ms());
        visits::check(outside);
        for person in self.lines.persons(STRANGER) {
            world.report(FindingKind::ForgedPush, format_args!("{person} has a ticket"));
        }
        self.check_service().await;
        replicas::check_replay(outside, &fleet.gateways(), &plan.sites).await;
    }

    /// Checks that a person gets a number, now that every fault is over.
    async fn check_service(&self) {
        let world = &self.outside.world;
        for site in &self.plan.sites {
            let scan = PersonAction::Scan { site: (*site).to_owned(), queue: "a".to_owned() };
            let reply = self.pushes.push("oProbe", &scan).await;
            if reply.as_deref().and_then(number_in).is_none() {
                world.report(
                    FindingKind::NotServing,
                    format_args!("{site} gives no number: {reply:?}"),
                );
            }
        }
    }
}
