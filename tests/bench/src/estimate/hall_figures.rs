//! Figures of the halls, over all seeds.

use super::figures::{mean, standard_error};
use super::hall_observer::HallScores;
use super::hall_settings::Hall;
use paihao_domain::{Accuracy, AccuracyScore, AheadBand};
use serde::Serialize;

/// Fewest people of a cell whose coverage is judged: 1 in 40 of them moves it by 2.5 points.
pub const MIN_CELL_PEOPLE: u64 = 400;

/// Figures of one hall, in minutes. All except those of the cells are means over the seeds.
#[derive(Serialize)]
pub struct HallFigures {
    /// Letter of the setting.
    pub hall: char,
    /// Description of the setting.
    pub what: &'static str,
    /// False if the counters change by a plan that is not in the settings.
    pub knows_its_shifts: bool,
    /// Number of scored people.
    pub people: u64,
    /// Mean wait.
    pub wait: f64,
    /// Mean absolute error of what is told, and of the closed form.
    pub error: f64,
    pub closed_form_error: f64,
    /// Difference of the two on the same days, with its standard error.
    pub gain: (f64, f64),
    /// Median absolute error.
    pub median_error: f64,
    /// Mean by which the median estimate was too long.
    pub bias: f64,
    /// Share with an error within five minutes or a quarter of the wait.
    pub within: f64,
    /// Share that was called within the 80 % bound, and within that of the closed form.
    pub coverage: f64,
    pub closed_form_coverage: f64,
    /// Share that was called within the upper bound in the words that are told.
    pub told_coverage: f64,
    /// Figures by the number of people ahead, over all seeds together.
    pub bands: Vec<CellFigures>,
    /// Figures by the hour of joining.
    pub hours: Vec<CellFigures>,
}

/// Figures of the people of a band or an hour.
#[derive(Serialize)]
pub struct CellFigures {
    /// Range of people ahead, or hour.
    pub cell: String,
    /// Number of people.
    pub people: u64,
    /// Mean absolute error in minutes, and that of the closed form.
    pub error: f64,
    pub closed_form_error: f64,
    /// Share that was called within the 80 % bound, and within that of the closed form.
    pub coverage: f64,
    pub closed_form_coverage: f64,
}

impl HallFigures {
    /// Combines the scores of all seeds; `None` if nobody was scored.
    pub fn from_seeds(hall: &Hall, seeds: &[HallScores]) -> Option<HallFigures> {
        let totals = |accuracy: fn(&HallScores) -> &Accuracy| -> Vec<AccuracyScore> {
            seeds.iter().map(|scores| accuracy(scores).total()).collect()
        };
        let product = totals(|scores| &scores.product);
        let closed_form = totals(|scores| &scores.closed_form);
        let told = totals(|scores| &scores.told);
        let mean_of = |scores: &[AccuracyScore], figure: fn(&AccuracyScore) -> Option<f64>| {
            mean(scores.iter().map(figure))
        };
        let gains = product.iter().zip(&closed_form);
        let gains =
            gains.filter_map(|(ours, other)| Some(other.mean_error()? - ours.mean_error()?));
        let gains: Vec<f64> = gains.collect();
        let mut all = HallScores::default();
        for scores in seeds {
            all.product.merge(&scores.product);
            all.closed_form.merge(&scores.closed_form);
        }
        let cell = |cell: String, score: &dyn Fn(&Accuracy) -> AccuracyScore| {
            let (ours, other) = (score(&all.product), score(&all.closed_form));
            Some(CellFigures {
                cell,
                people: ours.count(),
                error: ours.mean_error()?,
                closed_form_error: other.mean_error()?,
                coverage: ours.coverage()?,
                closed_form_coverage: other.coverage()?,
            })
        };
        let bands = AheadBand::ALL.into_iter();
        Some(HallFigures {
            hall: hall.name,
            what: hall.description,
            knows_its_shifts: hall.has_plan || hall.counters.iter().all(|c| c.shifts.len() == 1),
            people: product.iter().map(AccuracyScore::count).sum(),
            wait: mean_of(&product, AccuracyScore::mean_wait)?,
            error: mean_of(&product, AccuracyScore::mean_error)?,
            closed_form_error: mean_of(&closed_form, AccuracyScore::mean_error)?,
            gain: (mean(gains.iter().copied().map(Some))?, standard_error(&gains)),
            median_error: mean_of(&product, AccuracyScore::median_error)?,
            bias: mean_of(&product, AccuracyScore::bias)?,
            within: mean_of(&product, AccuracyScore::close_share)?,
            coverage: mean_of(&product, AccuracyScore::coverage)?,
            closed_form_coverage: mean_of(&closed_form, AccuracyScore::coverage)?,
            told_coverage: mean_of(&told, AccuracyScore::coverage)?,
            bands: bands
                .filter_map(|band| cell(band.name().to_owned(), &|all| all.of_band(band)))
                .collect(),
            hours: (0..24)
                .filter_map(|hour| cell(hour.to_string(), &|all| all.of_hour(hour)))
                .collect(),
        })
    }

    /// Bands and hours with enough people.
    pub fn judged_cells(&self) -> impl Iterator<Item = &CellFigures> {
        let cells = self.bands.iter().chain(&self.hours);
        cells.filter(|cell| cell.people >= MIN_CELL_PEOPLE)
    }
}
