//! `bench estimate`: how far off the told waits are, beside what simpler estimators say.
//!
//! In reading order: [`chance`] is the same for the same seed, [`settings`] are the places, [`day`]
//! lives through a day, [`watch`] estimates and scores, [`figures`] is what was found, [`gate`]
//! what must not get worse and [`report`] says it.

mod chance;

mod settings;

mod day;

mod watch;

mod figures;

mod gate;
mod report;

use anyhow::ensure;
use clap::Args;
use figures::{Figures, SettingFigures};
use gate::Baseline;
use settings::Setting;
use std::path::PathBuf;
use watch::{EstimatorObserver, EstimatorScores};

/// Days that are only learned from.
const TRAINING_DAYS: u32 = 60;
/// The short form has so many seeds and days, and its own record.
const SHORT_SEEDS_AND_DAYS: (u64, u32) = (5, 120);

/// How much to live through.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Seeds, from 1: each is another history of the same places.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Days of each history; the first 60 are only learned from.
    #[arg(long, default_value_t = 260)]
    days: u32,
    /// Five seeds of 120 days, held against the figures recorded for them. A test runs this.
    #[arg(long)]
    short: bool,
    /// Write the figures here, too, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Estimates, prints, and fails if it is worse than it must be.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (seeds, days, against) = match options.short {
        true => (SHORT_SEEDS_AND_DAYS.0, SHORT_SEEDS_AND_DAYS.1, Baseline::Record),
        false => (options.seeds, options.days, Baseline::Table),
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
        let found: Vec<EstimatorScores> =
            (1..=seeds).map(|seed| simulate_history(&setting, seed, days)).collect();
        let measured = SettingFigures::from_seeds(&setting, &found);
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
