//! `bench start`: time from the start of a gateway process until it is ready, over a ledger with a
//! million events behind snapshots and a tail; and a replay of the whole ledger without snapshots,
//! compared with reading it and dropping the entries.
//!
//! In reading order: [`template`] is the history of one site, decided by an engine; [`fill`] writes
//! it for every site; [`deployment`] is the gateway; [`rounds`] is the course of a run; [`figures`]
//! holds and formats the results.

mod template;

mod fill;

mod deployment;

mod rounds;

mod figures;

use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;

/// Size of the ledger.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Sites.
    #[arg(long, default_value_t = 1_000)]
    sites: usize,
    /// Events in all, divided evenly among the sites.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Entries of each site behind its snapshot.
    #[arg(long, default_value_t = 20)]
    tail: usize,
    /// Starts of each kind, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Leave out the replay of the whole ledger.
    #[arg(long)]
    without_replay: bool,
    #[command(flatten)]
    run: RunOptions,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("start", Kind::Timed, &options.run, || {
        let mut options = options.clone();
        if options.run.short {
            (options.sites, options.events, options.tail) = (8, 800, 5);
            options.rounds = 2;
        }
        ensure!(options.sites > 0 && options.rounds > 0, "nothing to measure");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let figures = runtime.block_on(rounds::measure(&options))?;
        Report::new(figures.text(), &figures)
    })
}
