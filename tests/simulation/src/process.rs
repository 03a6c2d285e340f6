//! Processes of the product: a gateway, a notifier or a token service, each with its own clock and
//! its own links, started and killed like a process of the program.

use crate::clock::SkewedClock;
use crate::deployment;
use crate::link::{Link, Partition};
use crate::mendings::Mending;
use crate::stores::cache::{CacheServer, SimulatedCache};
use crate::stores::ledger::{SimulatedLedger, Store};
use crate::wechat::platform::Platform;
use crate::wechat::transport::SimulatedTransport;
use crate::world::World;
use async_trait::async_trait;
use axum::Router;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::checked_clock::{AskTime, CheckedClock, ClockReference};
use paihao_chassis::clock::Clock;
use paihao_gateway::Gateway;
use paihao_gateway::http::examinations::{Doctor, Finding};
use paihao_ledger::Ledger;
use paihao_ledger::conformance::next_release::Release;
use paihao_wechat::traffic::{CallLimiter, Limits};
use paihao_wechat::{AccountClient, Client, ClientOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time between two comparisons of a clock, as in the program.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// Largest difference of a good clock, the default of the configuration.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(10);

/// Doctor that nobody asks: a simulated deployment has no owner.
struct NoDoctor;

#[async_trait]
impl Doctor for NoDoctor {
    async fn examine(&self) -> Result<Vec<Finding>, String> {
        Err("a simulated deployment is not examined".into())
    }
}

/// Role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Gateway.
    Gateway,
    /// Notifier.
    Notifier,
    /// Token service.
    Token,
}

/// System that a process is linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The ledger.
    Ledger,
    /// The cache.
    Cache,
    /// WeChat.
    WeChat,
}

/// Everything outside the processes.
#[derive(Clone)]
pub struct Outside {
    /// World of the run.
    pub world: Arc<World>,
    /// Message store.
    pub store: Arc<Store>,
    /// Cache server.
    pub cache: Arc<CacheServer>,
    /// WeChat.
    pub platform: Arc<Platform>,
    /// Mending that is taken out, if any.
    pub without: Option<Mending>,
}

/// Gateway that runs.
pub struct GatewayProcess {
    /// Name of its process.
    pub name: String,
    /// The service.
    pub gateway: Gateway,
    pub(crate) routes: Router,
    /// Cancelled at its death.
    pub(crate) dead: CancellationToken,
}

impl GatewayProcess {
    /// Returns true while it takes connections.
    pub fn is_open(&self) -> bool {
        !self.dead.is_cancelled() && self.gateway.live_settings.caught_up()
    }
}

/// Process, which may be stopped at the moment.
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its clock.
    pub clock: Arc<SkewedClock>,
    /// Its release from its next start on.
    pub release: Release,
    ledger: Partition,
    cache: Partition,
    wechat: Partition,
    running: Option<RunningProcess>,
}

struct RunningProcess {
    tasks: Tasks,
    dead: CancellationToken,
    gateway: Option<Arc<GatewayProcess>>,
}

struct ProcessPorts {
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Process {
    /// Creates a process that does not run yet.
    pub fn new(name: String, role: Role, clock: Arc<SkewedClock>, release: Release) -> Process {
        let [ledger, cache, wechat] = Default::default();
        Process { name, role, clock, release, ledger, cache, wechat, running: None }
    }

    /// Returns true while it runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Returns its gateway, if it is one and runs.
    pub fn gateway(&self) -> Option<Arc<GatewayProcess>> {
        self.running.as_ref()?.gateway.clone()
    }

    /// Returns the failure of an essential task, if there was one.
    pub fn failure(&self) -> Option<String> {
        Some(self.running.as_ref()?.tasks.failure()?.to_string())
    }

    /// Returns the partition between it and a system.
    pub fn partition(&self, system: System) -> &Partition {
        match system {
            System::Ledger => &self.ledger,
            System::Cache => &self.cache,
            System::WeChat => &self.wechat,
        }
    }

    /// Starts it, without anything that it knew before.
    pub fn start(&mut self, outside: &Outside) {
        let dead = CancellationToken::new();
        let tasks = Tasks::new();
        let ports = self.ports(outside, &dead, &tasks);
        outside.world.record(format_args!("{} starts as {:?}", self.name, self.release));
        let gateway = match self.role {
            Role::Gateway => {
                Some(Arc::new(start_gateway(&self.name, outside, ports, dead.clone(), &tasks)))
            }
            Role::Notifier => {
                start_notifier(outside, ports, &tasks);
                None
            }
            Role::Token => {
                let ProcessPorts { ledger, cache, client, clock } = ports;
                let ports = paihao_token::Ports {
                    ledger,
                    cache,
                    clock,
                    issuer: Arc::new(client),
                    keyring: Some(deployment::keyring()),
                };
                let accounts = vec![deployment::token_account()];
                paihao_token::start(deployment::token_settings(), accounts, ports, &tasks);
                None
            }
        };
        self.running = Some(RunningProcess { tasks, dead, gateway });
    }

    fn ports(&self, outside: &Outside, dead: &CancellationToken, tasks: &Tasks) -> ProcessPorts {
        let Outside { world, store, cache, platform, without } = outside.clone();
        let link =
            |partition: &Partition| Link::new(world.clone(), partition.clone(), dead.clone());
        let transport = SimulatedTransport::new(world.clone(), platform, link(&self.wechat));
        let ledger = Arc::new(SimulatedLedger::new(store, link(&self.ledger)));
        let ledger = self.release.ledger(ledger);
        let clock: Arc<dyn Clock> = if without == Some(Mending::ComparedClocks) {
            self.clock.clone()
        } else {
            start_clock(self.clock.clone(), ledger.clone(), tasks)
        };
        ProcessPorts {
            ledger,
            cache: Arc::new(SimulatedCache::new(cache, link(&self.cache))),
            client: Client::over(Arc::new(transport), ClientOptions::default()),
            clock,
        }
    }

    /// Kills it: all that it knew and was doing is gone.
    pub fn crash(&mut self, world: &World) {
        if let Some(RunningProcess { tasks, dead, .. }) = self.running.take() {
            world.record(format_args!("{} crashes", self.name));
            dead.cancel();
            tasks.abort();
        }
    }

    /// Begins its soft stop. Returns the tasks to wait for and to abort.
    pub fn stop(&mut self, world: &World) -> Option<(Tasks, CancellationToken)> {
        let RunningProcess { tasks, dead, .. } = self.running.take()?;
        world.record(format_args!("{} stops", self.name));
        tasks.stop().cancel();
        Some((tasks, dead))
    }
}

/// Starts to compare a clock with that of the ledger, as the program does.
fn start_clock(
    clock: Arc<SkewedClock>,
    ledger: Arc<dyn Ledger>,
    tasks: &Tasks,
) -> Arc<CheckedClock> {
    let ask: AskTime = Arc::new(move || {
        let ledger = ledger.clone();
        Box::pin(async move {
            let time = ledger.time().await.map_err(|error| error.to_string())?;
            Ok(Some(time.into()))
        })
    });
    let reference = ClockReference { name: "ledger", ask, interval: CLOCK_INTERVAL };
    let clock = Arc::new(CheckedClock::new(clock, MAX_CLOCK_SKEW, vec![reference]));
    tasks.spawn("clock", clock.clone().run(tasks.stop().clone()));
    clock
}

fn account_client(
    ledger: &Arc<dyn Ledger>,
    cache: &Arc<dyn Cache>,
    clock: &Arc<dyn Clock>,
    client: Client,
) -> AccountClient {
    let options = TokenReaderOptions::default();
    let reader = TokenReader::new(cache.clone(), ledger.clone(), clock.clone(), options);
    let time = clock.clone();
    let limiter = CallLimiter::new(Limits::default(), Arc::new(move || time.now_ms()));
    AccountClient::new(client, Arc::new(reader)).with_limiter(limiter)
}

fn start_gateway(
    name: &str,
    outside: &Outside,
    ports: ProcessPorts,
    dead: CancellationToken,
    tasks: &Tasks,
) -> GatewayProcess {
    let ProcessPorts { ledger, cache, client, clock } = ports;
    let wechat = account_client(&ledger, &cache, &clock, client);
    let ledger = Mending::gateway_ledger(outside.without, ledger);
    let (gateway, routes) = paihao_gateway::start_in_process(
        deployment::gateway_settings(),
        Arc::new(deployment::deployment_settings()),
        paihao_gateway::Ports {
            ledger,
            cache,
            wechat,
            clock,
            doctor: Arc::new(NoDoctor),
            rehearsals: None,
            keyring: Some(deployment::keyring()),
        },
        tasks,
    );
    GatewayProcess { name: name.to_owned(), gateway, routes, dead }
}

fn start_notifier(outside: &Outside, ports: ProcessPorts, tasks: &Tasks) {
    let ProcessPorts { ledger, cache, client, clock } = ports;
    let wechat = account_client(&ledger, &cache, &clock, client);
    let ledger = Mending::notifier_ledger(outside.without, ledger);
    let ports = paihao_notifier::Ports { ledger, cache, wechat, clock };
    paihao_notifier::start(deployment::notifier_settings(), ports, tasks);
}
