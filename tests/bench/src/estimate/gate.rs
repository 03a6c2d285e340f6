//! Release gate of the estimator: figures that must not get worse.

use super::figures::{Figures, SettingFigures};
use super::hall_figures::HallFigures;

/// Range of the share that is called within the 80 % bound.
const COVERAGE_BOUNDS: std::ops::RangeInclusive<f64> = 0.75..=0.85;
/// The same for the people of one hour or band of a hall, of whom there are few.
const CELL_COVERAGE_BOUNDS: std::ops::RangeInclusive<f64> = 0.72..=0.88;
/// Tolerance of the errors relative to the specification's table.
const TABLE_TOLERANCE: f64 = 1.05;
/// Tolerance relative to the errors recorded below, for the same seeds, days and people.
const RECORD_TOLERANCE: f64 = 1.03;

/// Mean absolute errors of the short form, in minutes, as it prints them. They are replaced when
/// the estimator improves.
const RECORDED_ERRORS: [(char, f64); 5] =
    [('A', 4.759), ('B', 3.331), ('C', 10.556), ('D', 6.628), ('E', 2.830)];

/// Baseline of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The specification's table, for the full form.
    Table,
    /// The errors recorded here, for the short form.
    Record,
}

/// Returns a line for each figure that is out of bounds.
pub fn regressions(figures: &Figures, against: Baseline) -> Vec<String> {
    let mut faults = Vec::new();
    for measured in &figures.settings {
        let SettingFigures { setting, error, coverage, .. } = measured;
        let limit = match against {
            Baseline::Table => error.table * TABLE_TOLERANCE,
            Baseline::Record => recorded_error(*setting) * RECORD_TOLERANCE,
        };
        if error.seen > limit {
            faults
                .push(format!("{setting}: an error of {:.3} min, at most {limit:.3}", error.seen));
        }
        if !COVERAGE_BOUNDS.contains(coverage) {
            let percent = coverage * 100.0;
            faults.push(format!("{setting}: {percent:.1} % within the 80 % bound"));
        }
    }
    for hall in &figures.halls {
        let HallFigures { hall: name, error, closed_form_error, coverage, .. } = hall;
        if error > closed_form_error {
            faults
                .push(format!("{name}: an error of {error:.3} min, {closed_form_error:.3} before"));
        }
        let percent = |coverage: f64| format!("{:.1} % within the 80 % bound", coverage * 100.0);
        if !COVERAGE_BOUNDS.contains(coverage) {
            faults.push(format!("{name}: {}", percent(*coverage)));
        }
        // The short form has too few people in a cell, and the last hall a plan that nobody knows.
        let is_judged = against == Baseline::Table && hall.knows_its_shifts;
        for cell in hall.judged_cells().filter(|_| is_judged) {
            if !CELL_COVERAGE_BOUNDS.contains(&cell.coverage) {
                faults.push(format!("{name}, {}: {}", cell.cell, percent(cell.coverage)));
            }
        }
    }
    faults
}

fn recorded_error(setting: char) -> f64 {
    RECORDED_ERRORS.iter().find(|(name, _)| *name == setting).map_or(0.0, |(_, error)| *error)
}
