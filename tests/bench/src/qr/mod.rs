//! `bench qr`: time from a browser's request to its code, with and without ready codes, compared
//! with the tutorial's way.
//!
//! In reading order: [`load`] sends requests and measures; [`rounds`] is the course of a run;
//! [`figures`] holds and formats the results.

mod load;

mod rounds;

mod figures;

use anyhow::ensure;
use clap::Args;
use std::path::PathBuf;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Seconds of each way in a round.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requested codes a second, independent of the answers to earlier requests.
    #[arg(long, default_value_t = 25.0)]
    rate: f64,
    /// Connections of the load.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Milliseconds after which the simulator answers.
    #[arg(long, default_value_t = 80)]
    wechat_ms: u64,
    /// Codes in the pool.
    #[arg(long, default_value_t = 64)]
    pool: usize,
    /// Small numbers, which show that the benchmark works and not how fast anything is.
    #[arg(long)]
    short: bool,
    /// File to which the figures are also written, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut options = options.clone();
    if options.short {
        (options.seconds, options.rounds, options.connections) = (1.0, 1, 16);
        (options.rate, options.pool) = (10.0, 32);
    }
    ensure!(options.rounds > 0 && options.connections > 0, "nothing to measure");
    ensure!(options.seconds > 0.0 && options.rate > 0.0, "no time to measure in");
    ensure!((1..=1000).contains(&options.pool), "a pool of 1 to 1000");
    let figures = rounds::measure(&options)?;
    println!("{}", figures.text());
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    ensure!(figures.bad_answers == 0, "answers without a code: {:?}", figures.first_bad);
    ensure!(figures.shown_twice == 0, "{} codes were shown twice", figures.shown_twice);
    Ok(())
}
