//! `bench siege`: callbacks at a steady rate while strangers hold sockets and streams open, send
//! bodies byte by byte and ask for codes without end, beside the same callbacks in peace.
//!
//! In reading order: [`besiegers`] are the strangers; [`rounds`] is the course of a run;
//! [`figures`] holds and formats the results.

mod besiegers;

mod rounds;

mod figures;

use crate::process::raise_file_limit;
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;

/// File descriptors that are needed in addition to those of the siege.
const SPARE_FILE_DESCRIPTORS: usize = 1024;

/// Size of the siege.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Sockets on which nothing is sent, half of them from one address.
    #[arg(long, default_value_t = 2_000)]
    idle: usize,
    /// Open event streams, half of them from one address and half of them never read.
    #[arg(long, default_value_t = 2_000)]
    streams: usize,
    /// Requests whose bodies come a byte a second, half of them from one address.
    #[arg(long, default_value_t = 200)]
    slow_bodies: usize,
    /// Requests for codes a second, half of them from one address.
    #[arg(long, default_value_t = 500)]
    flood: u32,
    /// Other addresses, among which the other halves are divided.
    #[arg(long, default_value_t = 200)]
    addresses: usize,
    /// Callbacks a second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Seconds of each turn: in peace, under siege, and in peace again.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Sites at which people scan.
    #[arg(long, default_value_t = 100)]
    sites: usize,
    #[command(flatten)]
    run: RunOptions,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("siege", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.idle, options.streams, options.slow_bodies) = (100, 60, 10);
        (options.flood, options.addresses) = (50, 10);
        (options.rate, options.seconds, options.sites) = (25.0, 3.0, 10);
    }
    ensure!((1..=16_000).contains(&options.addresses), "1 to 16000 addresses");
    ensure!(options.flood > 0 && options.rate > 0.0 && options.seconds > 0.0, "nothing to measure");
    ensure!((1..=100_000).contains(&options.sites), "1 to 100000 sites");
    let sockets = options.idle + options.streams + options.slow_bodies;
    raise_file_limit((sockets + SPARE_FILE_DESCRIPTORS) as u64)?;
    let figures = rounds::measure(&options)?;
    let report = Report::new(figures.text(), &figures)?;
    Ok(report.hold(figures.validity.is_valid(), || {
        format!("callbacks were lost: {:?}", figures.first_bad)
    }))
}
