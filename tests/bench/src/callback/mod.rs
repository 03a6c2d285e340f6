//! `bench callback`: time from WeChat's callback to a durable number, compared with simpler servers
//! that bound it, and with those that users of public SDKs would write.
//!
//! In reading order: [`scans`] generates scans, [`wire`] and [`load`] send them to a server and
//! measure; [`deployment`] starts the product, [`servers`] has the baselines and [`peers`] those of
//! SDKs; [`measured_server`] measures one server under load and [`rounds`] is the course of a run;
//! [`figures`] holds the results and [`report`] formats them.

pub mod scans;

pub mod wire;

pub mod load;

pub mod deployment;
pub mod servers;

mod peers;

mod measured_server;

mod rounds;

pub mod figures;
mod report;

pub use servers::{ServeOptions, serve};

use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;
use std::path::PathBuf;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Seconds of each server in a round.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Rounds of the closed loop.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections of the load.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Sites at which people scan.
    #[arg(long, default_value_t = 1000)]
    sites: usize,
    /// Servers of NATS, and copies of each stream on them.
    #[arg(long, default_value_t = 1)]
    servers: usize,
    /// Seconds of each of the three rounds of the open loop.
    #[arg(long, default_value_t = 10.0)]
    open_seconds: f64,
    /// Callbacks per second of the open loop; half of the gateway's closed-loop rate unless given.
    #[arg(long)]
    rate: Option<f64>,
    /// Milliseconds after which the simulator answers the tutorial's gateway.
    #[arg(long, default_value_t = 80)]
    wechat_ms: u64,
    /// Total of callbacks, after which memory is measured again.
    #[arg(long, default_value_t = 150_000)]
    callbacks: u64,
    /// The same as --callbacks 1000000.
    #[arg(long)]
    million: bool,
    /// Folder `node_modules` with koa and co-wechat; co-wechat is left out without one.
    #[arg(long, value_name = "FOLDER")]
    node_modules: Option<PathBuf>,
    /// Program of the package in tests/bench/peers/wechat-oa-sdk; left out without one.
    #[arg(long, value_name = "PROGRAM")]
    wechat_oa_sdk: Option<PathBuf>,
    #[command(flatten)]
    run: RunOptions,
}

impl Options {
    fn with_defaults(&self) -> Options {
        let mut options = self.clone();
        if self.run.short {
            options.seconds = 0.5;
            options.rounds = 1;
            options.connections = 8;
            options.sites = 50;
            options.open_seconds = 0.5;
            options.callbacks = 2_000;
        }
        if self.million {
            options.callbacks = 1_000_000;
        }
        options
    }
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("callback", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let options = options.with_defaults();
    ensure!(options.rounds > 0 && options.connections > 0, "nothing to measure");
    ensure!((1..=100_000).contains(&options.sites), "1 to 100000 sites");
    ensure!(options.seconds > 0.0 && options.open_seconds > 0.0, "no time to measure in");
    let figures = rounds::measure(&options)?;
    let report = Report::new(report::text(&figures), &figures)?;
    Ok(report.hold(figures.validity.is_valid(), || {
        "the figures are not to be trusted: see the report's last lines".to_owned()
    }))
}
