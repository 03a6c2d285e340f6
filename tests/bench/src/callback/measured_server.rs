//! Turn of one server: the load on it, and the processor time that it caused.

use super::figures::{ClosedLoopFigures, CpuFigures, OpenLoopFigures, RateRatio, RoundSpread};
use super::load::{LoadResult, Target};
use crate::process::{machine_cpu_time, process_usage, processors};
use std::time::Duration;
use tokio::time::Instant;

/// Server with its turns.
pub struct MeasuredServer {
    pub name: &'static str,
    pub pids: Vec<u32>,
    pub target: Target,
    pub turns: Vec<ServerTurn>,
}

/// Result of one turn.
pub struct ServerTurn {
    pub tally: LoadResult,
    /// Processor time of the server, of NATS, and of this process.
    cpu: [Duration; 3],
    /// Share of the machine's processors that other processes used, 0 to 1.
    other_cpu_share: f64,
}

impl ServerTurn {
    /// Runs the load and measures processor time.
    pub fn run(
        server: &[u32],
        nats: &[u32],
        load: impl FnOnce() -> anyhow::Result<LoadResult>,
    ) -> anyhow::Result<ServerTurn> {
        let own = [std::process::id()];
        let cpu_times = || -> anyhow::Result<_> {
            let mut cpu = [Duration::ZERO; 3];
            for (cpu, pids) in cpu.iter_mut().zip([server, nats, &own]) {
                for pid in pids {
                    *cpu += process_usage(*pid)?.cpu;
                }
            }
            Ok((cpu, machine_cpu_time()?))
        };
        let started = Instant::now();
        let (cpu_before, machine_before) = cpu_times()?;
        let tally = load()?;
        let (cpu_after, machine_after) = cpu_times()?;
        let available_cpu = started.elapsed().as_secs_f64() * processors() as f64;
        let cpu: [Duration; 3] =
            std::array::from_fn(|i| cpu_after[i].saturating_sub(cpu_before[i]));
        let busy = machine_after.saturating_sub(machine_before);
        let other_share = busy.saturating_sub(cpu.iter().sum()).as_secs_f64() / available_cpu;
        Ok(ServerTurn { tally, cpu, other_cpu_share: other_share })
    }

    fn merge(turns: Vec<ServerTurn>) -> ServerTurn {
        let count = turns.len() as f64;
        let merged = turns.into_iter().reduce(|mut all, server_turn| {
            let time = all.tally.time + server_turn.tally.time;
            all.tally.merge(server_turn.tally);
            all.tally.time = time;
            all.other_cpu_share += server_turn.other_cpu_share;
            all
        });
        let mut merged = merged.expect("a server has had a turn");
        merged.other_cpu_share /= count;
        merged
    }

    /// Combines turns of an open loop into their figures.
    pub fn open_loop_figures(
        server: &'static str,
        per_second: f64,
        turns: Vec<ServerTurn>,
    ) -> OpenLoopFigures {
        let seconds = turns.iter().flat_map(|turn| turn.tally.slowest_by_second.iter());
        let slowest_by_second_ms = seconds.map(|nanos| *nanos as f64 / 1e6).collect();
        let merged = ServerTurn::merge(turns);
        OpenLoopFigures {
            server,
            per_second,
            requests: merged.tally.recorded,
            latency: (&merged.tally.latency).into(),
            late: (&merged.tally.lateness).into(),
            slowest_by_second_ms,
            other_cpu_share: merged.other_cpu_share,
        }
    }
}

impl MeasuredServer {
    pub fn new(name: &'static str, pids: Vec<u32>, target: Target) -> MeasuredServer {
        MeasuredServer { name, pids, target, turns: Vec::new() }
    }

    fn rates(&self) -> impl Iterator<Item = f64> {
        self.turns.iter().map(|server_turn| server_turn.tally.rate())
    }

    /// Median of the rates of all turns.
    pub fn median_rate(&self) -> f64 {
        RoundSpread::from_values(self.rates()).median
    }

    /// Rate divided by that of another server, round by round.
    pub fn rate_ratio(&self, other: &MeasuredServer) -> RateRatio {
        let ratios = self.rates().zip(other.rates()).map(|(own, other)| own / other);
        let by_cpu = other.cpu_us().total() / self.cpu_us().total();
        RateRatio { to: other.name, spread: RoundSpread::from_values(ratios), by_cpu }
    }

    /// Processor time per request over all turns.
    fn cpu_us(&self) -> CpuFigures {
        let answered: u64 = self.turns.iter().map(|server_turn| server_turn.tally.answered).sum();
        let per_request = |process: usize| {
            let cpu: Duration = self.turns.iter().map(|server_turn| server_turn.cpu[process]).sum();
            cpu.as_secs_f64() * 1e6 / answered.max(1) as f64
        };
        CpuFigures {
            server: per_request(0),
            nats_server: per_request(1),
            generator: per_request(2),
        }
    }

    /// Combines the turns of a closed loop into their figures.
    pub fn closed_loop_figures(self) -> ClosedLoopFigures {
        let per_second = RoundSpread::from_values(self.rates());
        let cpu_us = self.cpu_us();
        let merged = ServerTurn::merge(self.turns);
        ClosedLoopFigures {
            server: self.name,
            requests: merged.tally.recorded,
            per_second,
            latency: (&merged.tally.latency).into(),
            cpu_us,
            other_cpu_share: merged.other_cpu_share,
        }
    }
}
