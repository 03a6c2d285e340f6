//! One server's turn: the load on it, and what that cost whom.

use super::figures::{Closed, Cpu, Open, Ratio, Spread};
use super::load::{Tally, Target};
use crate::process::{machine, processors, usage};
use std::time::Duration;
use tokio::time::Instant;

/// A server and the turns it has had.
pub struct Server {
    pub name: &'static str,
    pub pid: u32,
    pub target: Target,
    pub turns: Vec<Turn>,
}

/// What came of one turn.
pub struct Turn {
    pub tally: Tally,
    /// Processor time of the server, of NATS, and of this process.
    cpu: [Duration; 3],
    /// Share of all processors that went to anybody else.
    others: f64,
}

impl Turn {
    /// Lets the load run and watches who works.
    pub fn take(
        server: u32,
        nats: u32,
        load: impl FnOnce() -> anyhow::Result<Tally>,
    ) -> anyhow::Result<Turn> {
        let pids = [server, nats, std::process::id()];
        let spent = || -> anyhow::Result<_> {
            let mut cpu = [Duration::ZERO; 3];
            for (cpu, pid) in cpu.iter_mut().zip(pids) {
                *cpu = usage(pid)?.cpu;
            }
            Ok((cpu, machine()?))
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
        Ok(Turn { tally, cpu, others })
    }

    fn merged(turns: Vec<Turn>) -> Turn {
        let count = turns.len() as f64;
        let whole = turns.into_iter().reduce(|mut all, turn| {
            let time = all.tally.time + turn.tally.time;
            all.tally.add(turn.tally);
            all.tally.time = time;
            all.others += turn.others;
            all
        });
        let mut whole = whole.expect("a server has had a turn");
        whole.others /= count;
        whole
    }

    /// The figure of turns under a fixed rate.
    pub fn open_figure(server: &'static str, per_second: f64, turns: Vec<Turn>) -> Open {
        let whole = Turn::merged(turns);
        Open {
            server,
            per_second,
            requests: whole.tally.recorded,
            latency: (&whole.tally.latency).into(),
            late: (&whole.tally.late).into(),
            others: whole.others,
        }
    }
}

impl Server {
    pub fn new(name: &'static str, pid: u32, target: Target) -> Server {
        Server { name, pid, target, turns: Vec::new() }
    }

    fn rates(&self) -> impl Iterator<Item = f64> {
        self.turns.iter().map(|turn| turn.tally.rate())
    }

    /// Its median rate.
    pub fn rate(&self) -> f64 {
        Spread::of(self.rates()).median
    }

    /// Its rate divided by another's, round by round.
    pub fn ratio(&self, other: &Server) -> Ratio {
        let ratios = self.rates().zip(other.rates()).map(|(own, other)| own / other);
        let by_cpu = other.cpu_us().whole() / self.cpu_us().whole();
        Ratio { to: other.name, spread: Spread::of(ratios), by_cpu }
    }

    /// Processor time per request over all turns.
    fn cpu_us(&self) -> Cpu {
        let made: u64 = self.turns.iter().map(|turn| turn.tally.made).sum();
        let per_request = |process: usize| {
            let spent: Duration = self.turns.iter().map(|turn| turn.cpu[process]).sum();
            spent.as_secs_f64() * 1e6 / made.max(1) as f64
        };
        Cpu { server: per_request(0), nats_server: per_request(1), generator: per_request(2) }
    }

    /// The figure of its turns under a closed loop.
    pub fn figure(self) -> Closed {
        let (per_second, cpu_us) = (Spread::of(self.rates()), self.cpu_us());
        let whole = Turn::merged(self.turns);
        Closed {
            server: self.name,
            requests: whole.tally.recorded,
            per_second,
            latency: (&whole.tally.latency).into(),
            cpu_us,
            others: whole.others,
        }
    }
}
