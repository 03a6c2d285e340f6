//! `bench token`: number of token fetches and of failed calls, in every kind of trouble with
//! tokens.
//!
//! In reading order: [`strategies`] are the product's way to a token and two others; [`callers`]
//! is a process that calls in one of them; [`deployment`] starts the servers; [`scenarios`] are the
//! kinds of trouble; [`report`] formats the results.

mod strategies;

mod callers;
mod deployment;

mod scenarios;

mod report;

pub use callers::{CallerProcessOptions, serve};

use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;
use report::ScenarioResult;
use scenarios::Scenario;
use strategies::TokenStrategy;
use tokio::runtime::Builder;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Callers in all, divided among three processes.
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Only this scenario.
    #[arg(long, value_enum)]
    scene: Option<Scenario>,
    #[command(flatten)]
    run: RunOptions,
}

/// Measures, prints, and fails if the product exceeds a bound.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("token", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    ensure!(options.callers >= 3, "three processes need a caller each");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = Vec::new();
    for scene in Scenario::ALL {
        if options.scene.is_some_and(|only| only != scene) {
            continue;
        }
        for way in TokenStrategy::ALL {
            if way == TokenStrategy::Product || scene.applies_to_all() {
                eprintln!("{} · {}", scene.description(), way.description());
                rows.push(runtime.block_on(scenarios::run_scenario(scene, way, options))?);
            }
        }
    }
    let report = Report::new(report::text(&rows), &rows)?;
    let missed = rows.iter().filter(|row: &&ScenarioResult| row.held == Some(false)).count();
    Ok(report.hold(missed == 0, || format!("{missed} rows miss their figure: see the table")))
}
