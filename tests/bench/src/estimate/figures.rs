//! What was found, over all seeds.

use super::settings::Setting;
use super::watch::{EstimatorScores, SIMPLE_ESTIMATORS};
use paihao_domain::{AccuracyScore, AheadBand};
use serde::Serialize;

/// Everything that `bench estimate` found.
#[derive(Serialize)]
pub struct Figures {
    /// How many seeds.
    pub seeds: u64,
    /// How many days of each.
    pub days: u32,
    /// How many of these were only learned from.
    pub discarded: u32,
    /// Setting by setting.
    pub settings: Vec<SettingFigures>,
}

/// One setting. Times are minutes; every figure but the band's is a mean over the seeds.
#[derive(Serialize)]
pub struct SettingFigures {
    /// Its letter.
    pub setting: char,
    /// What it is.
    pub what: &'static str,
    /// How many people were scored in all.
    pub people: u64,
    /// Their mean wait.
    pub wait: Comparison,
    /// The mean absolute errors of the simple estimators, in the order of the table.
    pub simple: Vec<(&'static str, Comparison)>,
    /// The mean absolute error of the product's.
    pub error: Comparison,
    /// The standard error of that mean, from seed to seed.
    pub error_spread: f64,
    /// By how much the product's error is less than that of the last simple one, on the same days,
    /// and the standard error of that.
    pub gain: (f64, f64),
    /// The median absolute error.
    pub median_error: f64,
    /// By how much the median was too long.
    pub bias: f64,
    /// The share within five minutes or a quarter.
    pub within: f64,
    /// The share called within the 80 % bound.
    pub coverage: f64,
    /// The share called within the upper bound as it is told, rounded outward.
    pub told_coverage: f64,
    /// By how many were ahead.
    pub bands: Vec<BandFigures>,
}

/// A figure beside what stands in the specification's table.
#[derive(Serialize, Clone, Copy)]
pub struct Comparison {
    /// Seen here.
    pub seen: f64,
    /// In the table.
    pub table: f64,
}

/// Those with so many ahead, of all seeds together.
#[derive(Serialize)]
pub struct BandFigures {
    /// How many ahead.
    pub ahead: &'static str,
    /// How many people.
    pub people: u64,
    /// The mean absolute error in minutes.
    pub error: f64,
    /// The share called within the 80 % bound.
    pub coverage: f64,
}

impl SettingFigures {
    /// Of what each seed gave.
    pub fn from_seeds(setting: &Setting, seeds: &[EstimatorScores]) -> Option<SettingFigures> {
        let totals: Vec<AccuracyScore> = seeds.iter().map(|found| found.product.total()).collect();
        let over = |figure: &dyn Fn(&AccuracyScore) -> Option<f64>| mean(totals.iter().map(figure));
        let mut simple = Vec::new();
        for (row, (name, table)) in
            SIMPLE_ESTIMATORS.into_iter().zip(setting.reference.simple).enumerate()
        {
            let seen = mean(seeds.iter().map(|found| found.simple[row].mean_error()))?;
            simple.push((name, Comparison { seen, table }));
        }
        let errors: Vec<f64> = totals.iter().filter_map(AccuracyScore::mean_error).collect();
        let gains: Vec<f64> = seeds
            .iter()
            .zip(&errors)
            .filter_map(|(found, error)| Some(found.simple[3].mean_error()? - error))
            .collect();
        let mut all = paihao_domain::Accuracy::default();
        seeds.iter().for_each(|found| all.merge(&found.product));
        Some(SettingFigures {
            setting: setting.name,
            what: setting.description,
            people: totals.iter().map(AccuracyScore::count).sum(),
            wait: Comparison {
                seen: over(&AccuracyScore::mean_wait)?,
                table: setting.reference.wait,
            },
            simple,
            error: Comparison {
                seen: over(&AccuracyScore::mean_error)?,
                table: setting.reference.target,
            },
            error_spread: standard_error(&errors),
            gain: (mean(gains.iter().copied().map(Some))?, standard_error(&gains)),
            median_error: over(&AccuracyScore::median_error)?,
            bias: over(&AccuracyScore::bias)?,
            within: over(&AccuracyScore::close_share)?,
            coverage: over(&AccuracyScore::coverage)?,
            told_coverage: mean(seeds.iter().map(|found| found.quoted.coverage()))?,
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
        let (error, coverage) = (score.mean_error()?, score.coverage()?);
        Some(BandFigures { ahead: band.name(), people: score.count(), error, coverage })
    }
}

fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of a mean; 0 of one value.
fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { 0.0 } else { (squares / (count - 1.0) / count).sqrt() }
}
