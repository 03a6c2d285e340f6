//! Sweep over many seeds, each in a process of its own, so that nothing of one run is left in the
//! next.

use crate::checks::findings::{self, FindingKind};
use crate::faults::FaultKind;
use crate::mendings::Mending;
use crate::run::Report;
use anyhow::{Context, bail};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Variable of the environment that seeds the random numbers of the system.
pub const SEED_VARIABLE: &str = "PAIHAO_SIMULATION_SEED";

/// Sweep of a range of seeds.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// The program `simulation`.
    pub program: PathBuf,
    /// Seeds.
    pub seeds: Range<u64>,
    /// Mending that is taken out, if any.
    pub without: Option<Mending>,
    /// Kinds of faults in place of those that each seed draws.
    pub faults: Vec<FaultKind>,
    /// Runs at the same time.
    pub jobs: usize,
}

/// Result of a sweep.
#[derive(Debug, Default)]
pub struct SweepResult {
    /// Reports in the order of the seeds.
    pub reports: Vec<Report>,
}

impl Sweep {
    /// Runs every seed.
    pub fn run(&self) -> anyhow::Result<SweepResult> {
        let next = AtomicU64::new(self.seeds.start);
        let reports = Mutex::new(Vec::new());
        let worker = || -> anyhow::Result<()> {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= self.seeds.end {
                    return Ok(());
                }
                let report = self.run_seed(seed)?;
                reports.lock().expect("no worker panics").push(report);
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
        })?;
        let mut reports = reports.into_inner().expect("no worker panics");
        reports.sort_by_key(|report| report.seed);
        Ok(SweepResult { reports })
    }

    /// Runs one seed in a process of its own.
    pub fn run_seed(&self, seed: u64) -> anyhow::Result<Report> {
        let output = command(&self.program, seed, self.without, &self.faults)
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .context("cannot start a run")?;
        let report = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match serde_json::from_slice(report) {
            Ok(report) => Ok(report),
            Err(_) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                bail!("seed {seed} ended with {} and no report:\n{errors}", output.status)
            }
        }
    }
}

/// Command that runs one seed.
pub fn command(
    program: &Path,
    seed: u64,
    without: Option<Mending>,
    faults: &[FaultKind],
) -> Command {
    let mut command = Command::new(program);
    command.env(SEED_VARIABLE, seed.to_string()).args(["--seed", &seed.to_string()]);
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    if let Some(without) = without {
        command.args(["--without", &name(without.to_possible_value())]);
    }
    for fault in faults {
        command.args(["--fault", &name(fault.to_possible_value())]);
    }
    command
}

impl SweepResult {
    /// Seeds with a finding that is not known, with the first of them.
    pub fn unknown(&self) -> Vec<(u64, findings::Finding)> {
        let first = |report: &Report| findings::unknown(&report.findings).first().copied().cloned();
        self.reports.iter().filter_map(|report| Some((report.seed, first(report)?))).collect()
    }

    /// Seeds that found each kind.
    pub fn seeds_by_kind(&self) -> BTreeMap<FindingKind, Vec<u64>> {
        let mut seeds: BTreeMap<FindingKind, Vec<u64>> = BTreeMap::new();
        for report in &self.reports {
            for finding in &report.findings {
                let found = seeds.entry(finding.kind).or_default();
                if found.last() != Some(&report.seed) {
                    found.push(report.seed);
                }
            }
        }
        seeds
    }
}
