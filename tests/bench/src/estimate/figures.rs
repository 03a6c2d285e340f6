//! Figures of a run, over all seeds.

use super::hall_figures::HallFigures;
use super::observer::{EstimatorScores, SIMPLE_ESTIMATORS};
use super::settings::Setting;
use paihao_domain::{AccuracyScore, AheadBand};
use serde::Serialize;

/// All figures of `bench estimate`.
#[derive(Serialize)]
pub struct Figures {
    /// Number of seeds.
    pub seeds: u64,
    /// Days of each seed.
    pub days: u32,
    /// Days at the beginning that only train the estimators.
    pub discarded: u32,
    /// Figures by setting.
    pub settings: Vec<SettingFigures>,
    /// Figures by hall.
    pub halls: Vec<HallFigures>,
}

/// Figures of one setting, in minutes. All except the bands' are means over the seeds.
#[derive(Serialize)]
pub struct SettingFigures {
    /// Letter of the setting.
    pub setting: char,
    /// Description of the setting.
    pub what: &'static str,
    /// Number of scored people.
    pub people: u64,
    /// Mean wait.
    pub wait: Comparison,
    /// Mean absolute errors of the simple estimators, in the order of the table.
    pub simple: Vec<(&'static str, Comparison)>,
    /// Mean absolute error of the product's estimator.
    pub error: Comparison,
    /// Standard error of that mean, over the seeds.
    pub error_spread: f64,
    /// Difference of the product's error to that of the last simple estimator, on the same days,
    /// with its standard error.
    pub gain: (f64, f64),
    /// Median absolute error.
    pub median_error: f64,
    /// Mean by which the median estimate was too long.
    pub bias: f64,
    /// Share with an error within five minutes or a quarter of the wait.
    pub within: f64,
    /// Share that was called within the 80 % bound.
    pub coverage: f64,
    /// Share that was called within the upper bound as it is shown, rounded outward.
    pub told_coverage: f64,
    /// Figures by the number of people ahead.
    pub bands: Vec<BandFigures>,
}

/// Figure with the one of the specification's table.
#[derive(Serialize, Clone, Copy)]
pub struct Comparison {
    /// Measured figure.
    pub seen: f64,
    /// Figure of the table.
    pub table: f64,
}

/// Figures for a range of people ahead, over all seeds together.
#[derive(Serialize)]
pub struct BandFigures {
    /// Range of people ahead.
    pub ahead: &'static str,
    /// Number of people.
    pub people: u64,
    /// Mean absolute error in minutes.
    pub error: f64,
    /// Share that was called within the 80 % bound.
    pub coverage: f64,
}

impl SettingFigures {
    /// Combines the scores of all seeds; `None` if nobody was scored.
    pub fn from_seeds(setting: &Setting, seeds: &[EstimatorScores]) -> Option<SettingFigures> {
        let totals: Vec<AccuracyScore> =
            seeds.iter().map(|scores| scores.product.total()).collect();
        let mean_of =
            |figure: &dyn Fn(&AccuracyScore) -> Option<f64>| mean(totals.iter().map(figure));
        let mut simple = Vec::new();
        for (row, (name, table)) in
            SIMPLE_ESTIMATORS.into_iter().zip(setting.reference.simple).enumerate()
        {
            let seen = mean(seeds.iter().map(|scores| scores.simple[row].mean_error()))?;
            simple.push((name, Comparison { seen, table }));
        }
        let errors: Vec<f64> = totals.iter().filter_map(AccuracyScore::mean_error).collect();
        let gains: Vec<f64> = seeds
            .iter()
            .zip(&errors)
            .filter_map(|(scores, error)| Some(scores.simple[3].mean_error()? - error))
            .collect();
        let mut all = paihao_domain::Accuracy::default();
        seeds.iter().for_each(|scores| all.merge(&scores.product));
        Some(SettingFigures {
            setting: setting.name,
            what: setting.description,
            people: totals.iter().map(AccuracyScore::count).sum(),
            wait: Comparison {
                seen: mean_of(&AccuracyScore::mean_wait)?,
                table: setting.reference.wait,
            },
            simple,
            error: Comparison {
                seen: mean_of(&AccuracyScore::mean_error)?,
                table: setting.reference.target,
            },
            error_spread: standard_error(&errors),
            gain: (mean(gains.iter().copied().map(Some))?, standard_error(&gains)),
            median_error: mean_of(&AccuracyScore::median_error)?,
            bias: mean_of(&AccuracyScore::bias)?,
            within: mean_of(&AccuracyScore::close_share)?,
            coverage: mean_of(&AccuracyScore::coverage)?,
            told_coverage: mean(seeds.iter().map(|scores| scores.quoted.coverage()))?,
            bands: AheadBand::ALL
                .into_iter()
                .filter_map(|band| BandFigures::from_accuracy(band, &all))
                .collect(),
        })
    }
}

impl BandFigures {
    fn from_accuracy(band: AheadBand, all: &paihao_domain::Accuracy) -> Option<BandFigures> {
        let score = all.of_band(band);
        let error = score.mean_error()?;
        let coverage = score.coverage()?;
        Some(BandFigures { ahead: band.name(), people: score.count(), error, coverage })
    }
}

/// Mean of some figures; `None` without any, or if one is missing.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard error of a mean; 0 for a single value.
pub fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { 0.0 } else { (squares / (count - 1.0) / count).sqrt() }
}
