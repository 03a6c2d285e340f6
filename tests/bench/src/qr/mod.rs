//! `bench qr`: time from a browser's request to its code, with and without ready codes, compared
//! with the tutorial's way.
//!
//! In reading order: [`load`] sends requests and measures; [`rounds`] is the course of a run;
//! [`figures`] holds and formats the results.

mod load;

mod rounds;

mod figures;

use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;

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
    #[command(flatten)]
    run: RunOptions,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("qr", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.seconds, options.rounds, options.connections) = (1.0, 1, 16);
        (options.rate, options.pool) = (10.0, 32);
    }
    ensure!(options.rounds > 0 && options.connections > 0, "nothing to measure");
    ensure!(options.seconds > 0.0 && options.rate > 0.0, "no time to measure in");
    ensure!((1..=1000).contains(&options.pool), "a pool of 1 to 1000");
    let figures = rounds::measure(&options)?;
    let report = Report::new(figures.text(), &figures)?;
    let twice = figures.shown_twice;
    Ok(report
        .hold(figures.bad_answers == 0, || {
            format!("answers without a code: {:?}", figures.first_bad)
        })
        .hold(twice == 0, || format!("{twice} codes were shown twice")))
}
