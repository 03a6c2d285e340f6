//! `bench estimate`: error of the estimated waits, compared with simpler estimators.
//!
//! In reading order: [`rng`] has the random numbers, [`settings`] the synthetic sites, [`day`]
//! simulates a day, [`observer`] estimates and scores, [`figures`] holds the results, [`gate`]
//! checks them and [`report`] formats them.

mod rng;

mod settings;

mod day;

mod observer;

mod figures;

mod gate;
mod report;

use anyhow::ensure;
use clap::Args;
use figures::{Figures, SettingFigures};
use gate::Baseline;
use observer::{EstimatorObserver, EstimatorScores};
use settings::Setting;
use std::path::PathBuf;

/// Days at the beginning that only train the estimators.
const TRAINING_DAYS: u32 = 60;
/// Seeds and days of the short form, which has its own recorded errors.
const SHORT_SEEDS_AND_DAYS: (u64, u32) = (5, 120);

/// Size of the simulation.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Seeds, from 1; each gives another history of the same sites.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Days of each history; the first 60 only train the estimators.
    #[arg(long, default_value_t = 260)]
    days: u32,
    /// Five seeds of 120 days, compared with the errors recorded for them. A test runs this.
    #[arg(long)]
    short: bool,
    /// File to which the figures are also written, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Simulates, prints, and fails if the estimator is worse than allowed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (seeds, days, against) = if options.short {
        (SHORT_SEEDS_AND_DAYS.0, SHORT_SEEDS_AND_DAYS.1, Baseline::Record)
    } else {
        (options.seeds, options.days, Baseline::Table)
    };
    ensure!(seeds > 0 && days > TRAINING_DAYS, "at least one seed and {} days", TRAINING_DAYS + 1);
    let figures = measure(seeds, days)?;
    println!("{}", report::text(&figures));
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    let faults = gate::regressions(&figures, against);
    ensure!(faults.is_empty(), "not good enough:\n{}", faults.join("\n"));
    Ok(())
}

fn measure(seeds: u64, days: u32) -> anyhow::Result<Figures> {
    let mut settings = Vec::new();
    for setting in Setting::all() {
        let scores: Vec<EstimatorScores> =
            (1..=seeds).map(|seed| simulate_history(&setting, seed, days)).collect();
        let measured = SettingFigures::from_seeds(&setting, &scores);
        settings.push(measured.ok_or_else(|| anyhow::anyhow!("nobody waited"))?);
    }
    Ok(Figures { seeds, days, discarded: TRAINING_DAYS, settings })
}

fn simulate_history(setting: &Setting, seed: u64, days: u32) -> EstimatorScores {
    let mut watch = EstimatorObserver::new(setting);
    for day in 0..days {
        watch.new_day(day >= TRAINING_DAYS);
        day::simulate_day(setting, seed, day, |happening| watch.on_event(happening));
    }
    watch.into_scores()
}
