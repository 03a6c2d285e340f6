//! Faults of a run: bad weather, partitions, deaths, wrong clocks, lost caches, WeChat's moods.

use crate::fleet::{Fleet, MAX_GOOD_SKEW_MS};
use crate::process::{Outside, System};
use crate::random::Random;
use crate::world::{Weather, World};
use paihao_ledger::conformance::next_release::Release;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum FaultKind {
    /// Every message takes long, some requests and answers are lost, and followers are behind.
    Storm,
    /// Requests take effect and their answers are lost.
    LostAnswers,
    /// One process does not reach one system.
    Partition,
    /// Nobody reaches one system.
    Outage,
    /// A process dies and is started again.
    Crash,
    /// A process is stopped softly and started again.
    Restart,
    /// A clock is minutes behind.
    SlowClock,
    /// A clock is hours or days ahead.
    WrongClock,
    /// The cache loses everything.
    LostCache,
    /// The account's templates are deleted and come back.
    DeletedTemplates,
    /// WeChat refuses every message for a while.
    BusyWeChat,
    /// WeChat ends the access token before its time.
    EndedTokens,
    /// Every process gets the next release, one after the other, which then writes its own forms.
    Upgrade,
    /// Every process gets the present release again, whatever the next one has written.
    RollBack,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [FaultKind; 14] = [
        FaultKind::Storm,
        FaultKind::LostAnswers,
        FaultKind::Partition,
        FaultKind::Outage,
        FaultKind::Crash,
        FaultKind::Restart,
        FaultKind::SlowClock,
        FaultKind::WrongClock,
        FaultKind::LostCache,
        FaultKind::DeletedTemplates,
        FaultKind::BusyWeChat,
        FaultKind::EndedTokens,
        FaultKind::Upgrade,
        FaultKind::RollBack,
    ];

    /// Percentage of the runs in which it may happen.
    pub(crate) fn share(self) -> u64 {
        match self {
            FaultKind::WrongClock | FaultKind::SlowClock => 5,
            FaultKind::LostCache | FaultKind::DeletedTemplates | FaultKind::RollBack => 15,
            FaultKind::BusyWeChat | FaultKind::EndedTokens | FaultKind::Upgrade => 20,
            _ => 35,
        }
    }
}

/// Injector of the faults of a run.
pub struct Faults {
    /// Fleet that they hit.
    pub fleet: Arc<Fleet>,
    /// Systems that they hit.
    pub outside: Outside,
}

impl Faults {
    /// Lets a fault happen now, and end after a while.
    pub async fn inject(&self, kind: FaultKind, random: &mut Random) {
        let Outside { world, platform, cache, .. } = &self.outside;
        let process = random.between(0..=self.fleet.len() as u64 - 1) as usize;
        match kind {
            FaultKind::Storm => {
                let weather = Weather {
                    max_delay_ms: random.between(50..=1500),
                    lost_requests: random.between(0..=20),
                    lost_answers: random.between(0..=20),
                    max_lag_ms: random.between(0..=3000),
                };
                self.weather(weather, random.seconds(5..=60)).await;
            }
            FaultKind::LostAnswers => {
                let lost_answers = random.between(10..=60);
                let weather = Weather { lost_answers, ..Weather::CALM };
                self.weather(weather, random.seconds(5..=60)).await;
            }
            FaultKind::Partition => {
                let system = *random.pick(&[System::Ledger, System::Cache, System::WeChat]);
                let name = self.fleet.name(process);
                world.record(format_args!("fault: {name} is cut from {system:?}"));
                self.cut(&[process], system, random.seconds(3..=60)).await;
            }
            FaultKind::Outage => {
                let system = *random.pick(&[System::Ledger, System::Cache, System::WeChat]);
                world.record(format_args!("fault: {system:?} is away"));
                let all: Vec<_> = (0..self.fleet.len()).collect();
                self.cut(&all, system, random.seconds(3..=40)).await;
            }
            FaultKind::Crash => {
                self.fleet.crash(process);
                sleep(random.seconds(0..=30)).await;
                self.fleet.start(process);
            }
            FaultKind::Restart => {
                self.fleet.stop(process).await;
                sleep(random.seconds(0..=10)).await;
                self.fleet.start(process);
            }
            FaultKind::SlowClock => {
                let behind_ms = random.between(1_000..=600_000) as i64;
                self.clock(process, -behind_ms, random.seconds(10..=120)).await;
            }
            FaultKind::WrongClock => {
                let ahead_ms = random.between(600..=200_000) as i64 * 1000;
                self.clock(process, ahead_ms, random.seconds(5..=60)).await;
            }
            FaultKind::LostCache => {
                world.record(format_args!("fault: the cache is lost"));
                cache.lose_everything();
            }
            FaultKind::DeletedTemplates => {
                world.record(format_args!("fault: the templates are deleted"));
                platform.set_without_templates(true);
                sleep(random.seconds(10..=120)).await;
                platform.set_without_templates(false);
            }
            FaultKind::BusyWeChat => {
                world.record(format_args!("fault: WeChat is busy"));
                platform.set_busy(true);
                sleep(random.seconds(5..=90)).await;
                platform.set_busy(false);
            }
            FaultKind::EndedTokens => {
                world.record(format_args!("fault: the access token ends"));
                platform.end_tokens();
            }
            FaultKind::Upgrade => {
                self.install_everywhere(Release::Next { writes: false }, random).await;
                self.install_everywhere(Release::NEWEST, random).await;
            }
            FaultKind::RollBack => self.install_everywhere(Release::Present, random).await,
        }
    }

    /// Gives every process a release, one after the other.
    async fn install_everywhere(&self, release: Release, random: &mut Random) {
        self.outside.world.record(format_args!("fault: every process gets {release:?}"));
        for process in 0..self.fleet.len() {
            self.fleet.install(process, release).await;
            sleep(random.seconds(0..=10)).await;
        }
    }

    async fn weather(&self, weather: Weather, duration: Duration) {
        let world = &self.outside.world;
        world.record(format_args!("fault: {weather:?}"));
        world.set_weather(weather);
        sleep(duration).await;
        world.set_weather(Weather::CALM);
    }

    async fn cut(&self, processes: &[usize], system: System, duration: Duration) {
        for process in processes {
            self.fleet.set_cut(*process, system, true);
        }
        sleep(duration).await;
        for process in processes {
            self.fleet.set_cut(*process, system, false);
        }
    }

    async fn clock(&self, process: usize, offset_ms: i64, duration: Duration) {
        let name = self.fleet.name(process);
        self.outside.world.record(format_args!("fault: the clock of {name} is {offset_ms} ms off"));
        self.fleet.set_clock(process, offset_ms);
        sleep(duration).await;
        self.fleet.set_clock(process, offset_ms.signum() * MAX_GOOD_SKEW_MS);
    }

    /// Ends every fault that may be left, and gives every process the newest release.
    pub async fn heal(&self) {
        let Outside { world, platform, .. } = &self.outside;
        world.record(format_args!("every fault ends"));
        world.set_weather(Weather::CALM);
        platform.set_busy(false);
        platform.set_without_templates(false);
        for process in 0..self.fleet.len() {
            for system in [System::Ledger, System::Cache, System::WeChat] {
                self.fleet.set_cut(process, system, false);
            }
        }
        for process in 0..self.fleet.len() {
            if self.fleet.release(process) != Release::NEWEST {
                self.fleet.install(process, Release::NEWEST).await;
            }
        }
        self.fleet.start_all();
    }
}

/// Schedules the faults of a run as tasks of its world.
pub fn schedule(
    faults: &Arc<Faults>,
    world: &Arc<World>,
    kinds: &[FaultKind],
    count: u64,
    within: Duration,
) {
    let mut random = Random::new(world.seed, "faults");
    for _ in 0..count {
        let kind = *random.pick(kinds);
        let begin = random.millis(0..=within.as_millis() as u64);
        let mut own = Random::new(random.between(0..=u64::MAX - 1), "one fault");
        let faults = faults.clone();
        world.tasks.spawn("fault", async move {
            sleep(begin).await;
            faults.inject(kind, &mut own).await;
        });
    }
}
