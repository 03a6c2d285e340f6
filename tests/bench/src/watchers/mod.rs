//! `bench watchers`: thousands of boards and customers' phones on one gateway. It measures the time
//! from a call to the last screen, the memory of each stream, and the processor time of all streams
//! while nothing happens.
//!
//! In reading order: [`deployment`] is the gateway with its sites; [`clients`] watch; [`rounds`] is
//! the course of a run; [`figures`] holds and formats the results.

mod clients;
mod deployment;

mod rounds;

mod figures;

use crate::process::raise_file_limit;
use anyhow::ensure;
use clap::Args;
use std::path::PathBuf;

/// File descriptors that are needed in addition to those of the streams.
const SPARE_FILE_DESCRIPTORS: u64 = 512;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Open event streams: half of them boards, half of them customers with their own tickets.
    #[arg(long, default_value_t = 5_000)]
    streams: usize,
    /// Sites, among which the streams are divided evenly.
    #[arg(long, default_value_t = 50)]
    sites: usize,
    /// Calls, at the sites in turn.
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// Milliseconds from one call to the next.
    #[arg(long, default_value_t = 100)]
    every_ms: u64,
    /// Seconds without calls, in which the cost at rest is measured.
    #[arg(long, default_value_t = 60.0)]
    rest: f64,
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
        (options.streams, options.sites, options.calls) = (60, 3, 9);
        (options.every_ms, options.rest) = (50, 1.0);
    }
    ensure!(options.sites > 0 && options.streams >= options.sites, "a stream a site at least");
    ensure!(options.calls > 0 && options.rest > 0.0, "nothing to measure");
    raise_file_limit(options.streams as u64 + SPARE_FILE_DESCRIPTORS)?;
    let figures = rounds::measure(&options)?;
    println!("{}", figures.text());
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    ensure!(figures.missed == 0, "{} screens missed a call", figures.missed);
    Ok(())
}
