//! Command that runs simulations: `cargo run -p simulation --release -- --seeds 10000`.

use anyhow::Context;
use clap::Parser;
use simulation::checks::findings;
use simulation::faults::FaultKind;
use simulation::mendings::Mending;
use simulation::run::{self, Options, Report};
use simulation::sweep::{self, SEED_VARIABLE, Sweep};
use std::process::ExitCode;
use std::thread::available_parallelism;
use tokio::time::Instant;

/// Runs the whole system in one thread on simulated time, with faults, from one seed.
#[derive(Parser)]
struct Arguments {
    /// Number of seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The only seed to run.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the trace of the seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Print the log of the product at this level, such as `info`.
    #[arg(long, requires = "seed")]
    log: Option<String>,
    /// Print the report of the seed as JSON.
    #[arg(long, requires = "seed")]
    json: bool,
    /// Mending to take out.
    #[arg(long)]
    without: Option<Mending>,
    /// Kinds of faults, in place of those that each seed draws.
    #[arg(long = "fault")]
    faults: Vec<FaultKind>,
    /// Runs at the same time.
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) if is_seeded(seed) => Ok(run_here(&arguments, seed)),
        Some(seed) => run_seeded(&arguments, seed),
        None => sweep(&arguments),
    }
}

/// Returns true if the random numbers of this process come from the seed.
fn is_seeded(seed: u64) -> bool {
    std::env::var(SEED_VARIABLE).is_ok_and(|value| value == seed.to_string())
}

/// Runs the seed in another process, which is seeded from its beginning.
fn run_seeded(arguments: &Arguments, seed: u64) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("this program has no path")?;
    let mut command = sweep::command(&program, seed, arguments.without, &arguments.faults);
    command.args(arguments.trace.then_some("--trace"));
    command.args(arguments.json.then_some("--json"));
    command.args(arguments.log.iter().flat_map(|level| ["--log", level]));
    let status = command.status().context("cannot start a run")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_here(arguments: &Arguments, seed: u64) -> ExitCode {
    if let Some(level) = &arguments.log {
        tracing_subscriber::fmt().with_env_filter(level).without_time().with_ansi(false).init();
    }
    let Arguments { without, faults, trace, .. } = arguments;
    let options = Options { seed, without: *without, faults: faults.clone(), prints: *trace };
    let report = run::run(&options);
    if arguments.json {
        println!("{}", serde_json::to_string(&report).expect("a report has a JSON form"));
    } else {
        print_report(&report);
    }
    if findings::unknown(&report.findings).is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_report(report: &Report) {
    let Report { seed, hash, events, entries, notices, findings } = report;
    println!(
        "seed {seed}: hash {hash:016x}, {events} events, {entries} entries, {notices} notices"
    );
    for finding in findings {
        let known = if finding.kind.known().is_some() { " (known)" } else { "" };
        println!("  {}{known}: {}", finding.kind.name(), finding.text);
    }
}

fn sweep(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { seeds, from, without, faults, jobs, .. } = arguments;
    let sweep = Sweep {
        program: std::env::current_exe().context("this program has no path")?,
        seeds: *from..from + seeds,
        without: *without,
        faults: faults.clone(),
        jobs: jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
    };
    let begun = Instant::now();
    let result = sweep.run()?;
    let seconds = begun.elapsed().as_secs_f64();
    let sum = |of: fn(&Report) -> u64| result.reports.iter().map(of).sum::<u64>();
    println!(
        "{seeds} seeds in {seconds:.1} s, {:.0} an hour: {} entries, {} notices, {} events",
        *seeds as f64 / seconds * 3600.0,
        sum(|report| report.entries),
        sum(|report| report.notices),
        sum(|report| report.events),
    );
    for (kind, found) in result.seeds_by_kind() {
        let known = kind.known().map_or("", |known| known.fault);
        let first: Vec<_> = found.iter().take(8).collect();
        println!("  {} in {} seeds, first {first:?} {known}", kind.name(), found.len());
    }
    let unknown = result.unknown();
    for (seed, finding) in unknown.iter().take(20) {
        println!("seed {seed}: {}: {}", finding.kind.name(), finding.text);
    }
    println!("{} seeds with something new", unknown.len());
    Ok(if unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
