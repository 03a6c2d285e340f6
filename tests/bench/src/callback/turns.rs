//! Turn of one server: the load on it, and the processor time that it caused.

use super::figures::{ClosedLoopFigures, CpuFigures, OpenLoopFigures, RateRatio, RoundSpread};
use super::load::{LoadResult, Target};
use crate::process::{machine_cpu_time, process_usage, processors};
use std::time::Duration;
use tokio::time::Instant;

/// Server with its turns.
pub struct MeasuredServer {
    pub name: &'static str,
    pub pid: u32,
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
        server: u32,
        nats: u32,
        load: impl FnOnce() -> anyhow::Result<LoadResult>,
    ) -> anyhow::Result<ServerTurn> {
        let pids = [server, nats, std::process::id()];
        let spent = || -> anyhow::Result<_> {
            let mut cpu = [Duration::ZERO; 3];
            for (cpu, pid) in cpu.iter_mut().zip(pids) {
                *cpu = process_usage(pid)?.cpu;
            }
            Ok((cpu, machine_cpu_time()?))
        };
        let begun = Instant::now();
        let (cpu_before, machine_before) = spent()?;
        let tally = load()?;
        let (cpu_after, machine_after) = spent()?;
        let there_was = begun.elapsed().as_secs_f64() * processors() as f64;
        let cpu: [Duration; 3] =
            std::array::from_fn(|i| cpu_after[i].saturating_sub(cpu_before[i]));
        let busy = machine_after.saturating_sub(machine_before);
        let others = busy.saturating_sub(cpu.iter().sum()).as_secs_f64() / there_was;
        Ok(ServerTurn { tally, cpu, other_cpu_share: others })
    }

    fn merge(turns: Vec<ServerTurn>) -> ServerTurn {
        let count = turns.len() as f64;
        let whole = turns.into_iter().reduce(|mut all, turn| {
            let time = all.tally.time + turn.tally.time;
            all.tally.merge(turn.tally);
            all.tally.time = time;
            all.other_cpu_share += turn.other_cpu_share;
            all
        });
        let mut whole = whole.expect("a server has had a turn");
        whole.other_cpu_share /= count;
        whole
    }

    /// Combines turns of an open loop into their figures.
    pub fn open_loop_figures(
        server: &'static str,
        per_second: f64,
        turns: Vec<ServerTurn>,
    ) -> OpenLoopFigures {
        let whole = ServerTurn::merge(turns);
        OpenLoopFigures {
            server,
            per_second,
            requests: whole.tally.recorded,
            latency: (&whole.tally.latency).into(),
            late: (&whole.tally.late).into(),
            others: whole.other_cpu_share,
        }
    }
}

impl MeasuredServer {
    pub fn new(name: &'static str, pid: u32, target: Target) -> MeasuredServer {
        MeasuredServer { name, pid, target, turns: Vec::new() }
    }

    fn rates(&self) -> impl Iterator<Item = f64> {
        self.turns.iter().map(|turn| turn.tally.rate())
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
        let made: u64 = self.turns.iter().map(|turn| turn.tally.answered).sum();
        let per_request = |process: usize| {
            let spent: Duration = self.turns.iter().map(|turn| turn.cpu[process]).sum();
            spent.as_secs_f64() * 1e6 / made.max(1) as f64
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
        let whole = ServerTurn::merge(self.turns);
        ClosedLoopFigures {
            server: self.name,
            requests: whole.tally.recorded,
            per_second,
            latency: (&whole.tally.latency).into(),
            cpu_us,
            others: whole.other_cpu_share,
        }
    }
}
