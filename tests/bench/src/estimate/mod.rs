//! `bench estimate`: error of the estimated waits, compared with simpler estimators.
//!
//! In reading order: [`rng`] has the random numbers, [`settings`] the synthetic sites of one queue,
//! [`day`] simulates a day, [`observer`] estimates and scores, [`figures`] holds the results.
//! [`hall_settings`], [`hall_day`], [`hall_observer`] and [`hall_figures`] are the same for halls
//! of several queues, by the rules of the product. [`gate`] checks all figures, and [`report`] and
//! [`hall_report`] format them.

mod rng;

mod settings;

mod day;

mod observer;

mod figures;

mod hall_settings;

mod hall_day;

mod hall_observer;

mod hall_figures;

mod gate;
mod hall_report;
mod report;

use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;
use figures::{Figures, SettingFigures};
use gate::Baseline;
use hall_figures::HallFigures;
use hall_observer::{HallScorer, HallScores};
use hall_settings::Hall;
use observer::{EstimatorObserver, EstimatorScores};
use settings::Setting;

/// Days at the beginning that only train the estimators.
const TRAINING_DAYS: u32 = 60;
/// Days at the beginning of a hall that only train the estimators. All bands are full by then.
const HALL_TRAINING_DAYS: u32 = 20;
/// Seeds of the halls in the short form, and scored days.
const SHORT_HALL_SEEDS_AND_DAYS: (u64, u32) = (2, 20);
/// Seeds and days of the short form, which has its own recorded errors.
const SHORT_SEEDS_AND_DAYS: (u64, u32) = (5, 120);

/// Size of the simulation.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Seeds, from 1; each gives another history of the same sites.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Days of each history; the first 60 only train the estimators. Halls have 40 fewer, of which
    /// the first 20 train.
    #[arg(long, default_value_t = 260)]
    days: u32,
    #[command(flatten)]
    run: RunOptions,
}

/// Simulates, prints, and fails if the estimator is worse than allowed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("estimate", Kind::Counted, &options.run, || simulate_all(options))
}

fn simulate_all(options: &Options) -> anyhow::Result<Report> {
    let (seeds, days, against) = if options.run.short {
        (SHORT_SEEDS_AND_DAYS.0, SHORT_SEEDS_AND_DAYS.1, Baseline::Record)
    } else {
        (options.seeds, options.days, Baseline::Table)
    };
    ensure!(seeds > 0 && days > TRAINING_DAYS, "at least one seed and {} days", TRAINING_DAYS + 1);
    let settings = measure(seeds, days)?;
    let (hall_seeds, hall_scored) =
        if options.run.short { SHORT_HALL_SEEDS_AND_DAYS } else { (seeds, days - TRAINING_DAYS) };
    let halls = measure_halls(hall_seeds, hall_scored)?;
    let figures = Figures { seeds, days, discarded: TRAINING_DAYS, settings, halls };
    let text = format!("{}\n{}", report::text(&figures), hall_report::text(&figures));
    let faults = gate::regressions(&figures, against);
    let report = Report::new(text, &figures)?;
    Ok(report.hold(faults.is_empty(), || format!("not good enough:\n{}", faults.join("\n"))))
}

fn measure(seeds: u64, days: u32) -> anyhow::Result<Vec<SettingFigures>> {
    let mut settings = Vec::new();
    for setting in Setting::all() {
        let scores: Vec<EstimatorScores> =
            (1..=seeds).map(|seed| simulate_history(&setting, seed, days)).collect();
        let measured = SettingFigures::from_seeds(&setting, &scores);
        settings.push(measured.ok_or_else(|| anyhow::anyhow!("nobody waited"))?);
    }
    Ok(settings)
}

fn measure_halls(seeds: u64, scored_days: u32) -> anyhow::Result<Vec<HallFigures>> {
    let mut halls = Vec::new();
    for hall in Hall::all() {
        let scores: Vec<HallScores> =
            (1..=seeds).map(|seed| simulate_hall(&hall, seed, scored_days)).collect();
        let measured = HallFigures::from_seeds(&hall, &scores);
        halls.push(measured.ok_or_else(|| anyhow::anyhow!("nobody waited"))?);
    }
    Ok(halls)
}

fn simulate_hall(hall: &Hall, seed: u64, scored_days: u32) -> HallScores {
    let rules = hall.rules();
    let mut scorer = HallScorer::default();
    for day in 0..HALL_TRAINING_DAYS + scored_days {
        scorer.new_day(day >= HALL_TRAINING_DAYS);
        hall_day::simulate_hall_day(hall, &rules, seed, day, &mut scorer);
    }
    scorer.into_scores()
}

fn simulate_history(setting: &Setting, seed: u64, days: u32) -> EstimatorScores {
    let mut watch = EstimatorObserver::new(setting);
    for day in 0..days {
        watch.new_day(day >= TRAINING_DAYS);
        day::simulate_day(setting, seed, day, |happening| watch.on_event(happening));
    }
    watch.into_scores()
}
