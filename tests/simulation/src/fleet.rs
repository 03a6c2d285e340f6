//! Fleet of all processes of a run.

use crate::clock::SkewedClock;
use crate::edge::Edge;
use crate::plan::Plan;
use crate::process::{GatewayProcess, Outside, Process, Role, System};
use crate::random::Random;
use paihao_ledger::conformance::next_release::Release;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Largest difference of a good clock from the true time, in milliseconds.
pub const MAX_GOOD_SKEW_MS: i64 = 200;
/// Longest soft stop.
const SOFT_STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Fleet of processes, by number.
pub struct Fleet {
    outside: Outside,
    edge: Arc<Edge>,
    processes: Mutex<Vec<Process>>,
    deaths_ms: Mutex<Vec<i64>>,
}

impl Fleet {
    /// Creates the processes of a plan. None runs yet.
    pub fn new(outside: Outside, edge: Arc<Edge>, plan: &Plan) -> Fleet {
        let mut random = Random::new(outside.world.seed, "clocks");
        let mut processes = Vec::new();
        let roles =
            [(Role::Gateway, "gateway"), (Role::Notifier, "notifier"), (Role::Token, "token")];
        for ((role, name), count) in roles.into_iter().zip(plan.processes) {
            for n in 1..=count {
                let skew =
                    random.between(0..=2 * MAX_GOOD_SKEW_MS as u64) as i64 - MAX_GOOD_SKEW_MS;
                let clock = Arc::new(SkewedClock::new(outside.world.clone(), skew));
                let release = *random.pick(&plan.releases);
                processes.push(Process::new(format!("{name}-{n}"), role, clock, release));
            }
        }
        Fleet { outside, edge, processes: Mutex::new(processes), deaths_ms: Mutex::default() }
    }

    /// Number of processes.
    pub fn len(&self) -> usize {
        self.processes.lock().len()
    }

    /// True if there is no process.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts every process that does not run.
    pub fn start_all(&self) {
        for process in self.processes.lock().iter_mut().filter(|process| !process.is_running()) {
            process.start(&self.outside);
        }
        self.publish();
    }

    /// Kills a process.
    pub fn crash(&self, number: usize) {
        self.note_death();
        self.processes.lock()[number].crash(&self.outside.world);
        self.publish();
    }

    fn note_death(&self) {
        self.deaths_ms.lock().push(self.outside.world.now_ms());
    }

    /// Returns the times at which processes died, or were stopped for taking too long.
    pub fn deaths_ms(&self) -> Vec<i64> {
        self.deaths_ms.lock().clone()
    }

    /// Kills every process.
    pub fn crash_all(&self) {
        (0..self.len()).for_each(|number| self.crash(number));
    }

    /// Stops a process softly and waits for its end.
    pub async fn stop(&self, number: usize) {
        let stopping = self.processes.lock()[number].stop(&self.outside.world);
        self.publish();
        if let Some((tasks, dead)) = stopping {
            if tokio::time::timeout(SOFT_STOP_TIMEOUT, tasks.wait()).await.is_err() {
                self.note_death();
            }
            dead.cancel();
            tasks.abort();
        }
    }

    /// Restarts a process softly with another release.
    pub async fn install(&self, number: usize, release: Release) {
        self.stop(number).await;
        self.processes.lock()[number].release = release;
        self.start(number);
    }

    /// Returns the release of a process.
    pub fn release(&self, number: usize) -> Release {
        self.processes.lock()[number].release
    }

    /// Starts a process, unless it runs.
    pub fn start(&self, number: usize) {
        {
            let process = &mut self.processes.lock()[number];
            if !process.is_running() {
                process.start(&self.outside);
            }
        }
        self.publish();
    }

    /// Cuts or heals the link between a process and a system.
    pub fn set_cut(&self, number: usize, system: System, cut: bool) {
        self.processes.lock()[number].partition(system).set(cut);
    }

    /// Sets a clock.
    pub fn set_clock(&self, number: usize, offset_ms: i64) {
        self.processes.lock()[number].clock.set_offset(offset_ms);
    }

    /// Returns the name of a process.
    pub fn name(&self, number: usize) -> String {
        self.processes.lock()[number].name.clone()
    }

    /// Returns the failures of essential tasks.
    pub fn failures(&self) -> Vec<String> {
        let named = |process: &Process| Some(format!("{}: {}", process.name, process.failure()?));
        self.processes.lock().iter().filter_map(named).collect()
    }

    /// Returns the gateways that run.
    pub fn gateways(&self) -> Vec<Arc<GatewayProcess>> {
        self.processes.lock().iter().filter_map(Process::gateway).collect()
    }

    /// Hands the running gateways to the balancer.
    pub fn publish(&self) {
        self.edge.set_gateways(self.gateways());
    }
}
