//! `bench watchers`: thousands of screens that watch one gateway, boards and customers' phones: how
//! long after a call the last of them shows it, what each of them costs in memory, and what all of
//! them cost while nothing happens.
//!
//! In reading order: [`hall`] is the gateway and its sites; [`screens`] watch; [`rounds`] is the
//! whole course; [`figures`] is what was found and says it.

mod hall;
mod screens;

mod rounds;

mod figures;

use anyhow::ensure;
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::path::PathBuf;

/// File descriptors that are needed beside those of the streams.
const SPARE_FILE_DESCRIPTORS: u64 = 512;

/// How much to measure.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Open event streams: half of them boards, half of them customers with a ticket of their own.
    #[arg(long, default_value_t = 5_000)]
    streams: usize,
    /// Sites that they watch, evenly.
    #[arg(long, default_value_t = 50)]
    sites: usize,
    /// Calls, at the sites in turn.
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// Milliseconds from one call to the next.
    #[arg(long, default_value_t = 100)]
    every_ms: u64,
    /// Seconds for which nothing happens, to see what that costs.
    #[arg(long, default_value_t = 60.0)]
    rest: f64,
    /// Small numbers: shows that the bench works, not how fast anything is.
    #[arg(long)]
    short: bool,
    /// Write the figures here, too, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures, prints, and leaves nothing running.
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

/// Every stream is an open file, here and in the gateway, which inherits the limit.
fn raise_file_limit(wanted: u64) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let most = limit.maximum;
    ensure!(
        most.is_none_or(|most| most >= wanted),
        "{wanted} open files are needed and {most:?} allowed: raise it with `ulimit -Hn {wanted}`"
    );
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}
