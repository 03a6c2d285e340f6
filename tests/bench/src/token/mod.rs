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

use anyhow::ensure;
use clap::Args;
use report::ScenarioResult;
use scenarios::Scenario;
use std::path::PathBuf;
use strategies::TokenStrategy;
use tokio::runtime::Builder;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Callers in all, divided among three processes.
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Shorter stretches, which show that the benchmark works. The bounds are the same.
    #[arg(long)]
    short: bool,
    /// Only this scenario.
    #[arg(long, value_enum)]
    scene: Option<Scenario>,
    /// File to which the figures are also written, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures, prints, and fails if the product exceeds a bound.
pub fn run(options: &Options) -> anyhow::Result<()> {
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
    println!("{}", report::text(&rows));
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&rows)?)?;
    }
    let missed: Vec<&ScenarioResult> = rows.iter().filter(|row| row.held == Some(false)).collect();
    ensure!(missed.is_empty(), "{} rows miss their figure: see the table", missed.len());
    Ok(())
}
