//! Command line of the fuzzer: `cargo run --release -p fuzz -- callback --executions 10000000`.

use clap::Parser;
use fuzz::run::run;
use fuzz::targets::TARGETS;
use std::time::Instant;

/// Runs mutated input through the callback codec.
#[derive(Parser)]
struct Options {
    /// Target: query, xml, crypt, seal or callback; all of them, one after the other, if left out.
    target: Option<String>,
    /// Number of inputs for each target.
    #[arg(long, default_value_t = 1_000_000)]
    executions: u64,
    /// Seed of the mutations; the same seed repeats a run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[expect(clippy::disallowed_methods, reason = "it tells how long it took")]
fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let target_name = options.target.as_deref();
    let is_known = TARGETS.iter().any(|target| target_name.is_none_or(|name| name == target.name));
    anyhow::ensure!(
        is_known,
        "there is no such target; there are query, xml, crypt, seal, callback"
    );
    for target in TARGETS.iter().filter(|target| target_name.is_none_or(|name| name == target.name))
    {
        let started = Instant::now();
        let summary = run(target, options.executions, options.seed)?;
        println!(
            "{}: {} executions in {:.0} s, {} different answers, at most {} bytes held",
            target.name,
            summary.executions,
            started.elapsed().as_secs_f64(),
            summary.distinct_outcomes.len(),
            summary.peak_bytes,
        );
    }
    Ok(())
}
