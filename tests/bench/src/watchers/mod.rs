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
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;
use figures::Figures;

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
    #[command(flatten)]
    run: RunOptions,
}

impl Options {
    /// The screens of one site alone, as many as each site has, and a tenth of the calls.
    fn one_site(&self) -> Options {
        Options {
            streams: self.streams / self.sites,
            sites: 1,
            calls: self.calls.div_ceil(10),
            rest: self.rest / 10.0,
            ..self.clone()
        }
    }
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("watchers", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.streams, options.sites, options.calls) = (60, 3, 9);
        (options.every_ms, options.rest) = (50, 1.0);
    }
    ensure!(options.sites > 0 && options.streams >= options.sites, "a stream a site at least");
    ensure!(options.calls > 0 && options.rest > 0.0, "nothing to measure");
    raise_file_limit(options.streams as u64 + SPARE_FILE_DESCRIPTORS)?;
    let one_site = options.one_site();
    let runs = vec![rounds::measure(&one_site)?, rounds::measure(&options)?];
    let figures = Figures { runs };
    let report = Report::new(figures.text(), &figures)?;
    let missed: usize = figures.runs.iter().map(|run| run.missed).sum();
    Ok(report.hold(missed == 0, || format!("{missed} screens missed a call")))
}
