//! Calibration of forecasts by the outcomes of earlier ones.

use super::forecast::AheadBand;
use super::recent::{RecentValues, quantile};
use std::collections::BTreeMap;

/// Number of latest outcomes kept in each band.
const MAX_RECENT_OUTCOMES: usize = 200;
/// Number of outcomes below which their quantiles are not used.
pub(super) const MIN_OUTCOMES: usize = 30;
/// The 50, 80 and 90 % multipliers, in thousandths, before there are enough outcomes.
const COLD_MULTIPLIERS: [u32; 3] = [1_000, 1_400, 1_800];
/// Largest outcome kept, in thousandths; larger ones are clamped.
const MAX_OUTCOME_RATIO: u32 = 100_000;

/// Seconds from which a simulated wait belongs to the next band.
const WAIT_BANDS_S: [u32; 5] = [2 * 60, 5 * 60, 10 * 60, 20 * 60, 40 * 60];

/// Latest outcomes of the forecasts of one method: actual ÷ predicted wait in thousandths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Calibration {
    /// By the kind of the forecast, then by the number ahead.
    outcomes: BTreeMap<u8, [RecentValues<MAX_RECENT_OUTCOMES>; AheadBand::ALL.len()]>,
}

/// Forecast as its calibration sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calibrated {
    kind: u8,
    ahead: AheadBand,
}

impl Calibrated {
    /// Forecast by the closed form: the number ahead tells how much can go otherwise.
    pub(super) fn formula(ahead: u32) -> Calibrated {
        Calibrated { kind: 0, ahead: AheadBand::for_ahead(ahead) }
    }

    /// Simulated forecast. The number ahead in the same queue tells little where others are called
    /// in between; the predicted wait tells more.
    pub(super) fn simulation(ahead: u32, predicted_s: u32) -> Calibrated {
        let kind = WAIT_BANDS_S.partition_point(|bound_s| *bound_s <= predicted_s) as u8;
        Calibrated { kind, ahead: AheadBand::for_ahead(ahead) }
    }
}

impl Calibration {
    /// Adds an outcome; `predicted_s` is not 0.
    pub(super) fn add(&mut self, forecast: Calibrated, predicted_s: u32, waited_s: u32) {
        let ratio = u64::from(waited_s) * 1_000 / u64::from(predicted_s);
        let ratio = u32::try_from(ratio).unwrap_or(MAX_OUTCOME_RATIO).min(MAX_OUTCOME_RATIO);
        self.outcomes.entry(forecast.kind).or_default()[forecast.ahead as usize].push(ratio);
    }

    /// Number of outcomes kept.
    pub(super) fn len(&self) -> usize {
        self.outcomes.values().flatten().map(RecentValues::len).sum()
    }

    /// Returns `true` while there are too few outcomes to learn from.
    pub(super) fn is_cold(&self) -> bool {
        self.len() < MIN_OUTCOMES
    }

    /// Multipliers of a prediction for the 50, 80 and 90 % bounds.
    pub(super) fn multipliers(&self, forecast: Calibrated) -> [f64; 3] {
        if self.is_cold() {
            return COLD_MULTIPLIERS.map(to_factor);
        }
        let of_kind = self.outcomes.get(&forecast.kind);
        if let Some(band) = of_kind.map(|bands| &bands[forecast.ahead as usize])
            && band.len() >= MIN_OUTCOMES
        {
            return quantiles(band.sorted());
        }
        // The band is new, the queue is not: the outcomes of other bands are better than a guess.
        let of_kind = merged(of_kind.into_iter().flatten());
        if of_kind.len() >= MIN_OUTCOMES {
            return quantiles(&of_kind);
        }
        quantiles(&merged(self.outcomes.values().flatten()))
    }

    /// Largest multiplier for the median, over all forecasts.
    pub(super) fn max_median_multiplier(&self) -> f64 {
        let kinds = 0..=WAIT_BANDS_S.len() as u8;
        let all = kinds.flat_map(|kind| AheadBand::ALL.map(|ahead| Calibrated { kind, ahead }));
        all.map(|forecast| self.multipliers(forecast)[0]).fold(0.0, f64::max)
    }
}

fn merged<'a>(bands: impl Iterator<Item = &'a RecentValues<MAX_RECENT_OUTCOMES>>) -> Vec<u32> {
    let mut all: Vec<u32> = bands.flat_map(RecentValues::sorted).copied().collect();
    all.sort_unstable();
    all
}

fn quantiles(sorted: &[u32]) -> [f64; 3] {
    [50, 80, 90].map(|percent| to_factor(quantile(sorted, percent).unwrap_or(1_000)))
}

fn to_factor(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calibration(outcomes: impl IntoIterator<Item = (u32, u32, u32)>) -> Calibration {
        let mut calibration = Calibration::default();
        for (ahead, predicted_s, waited_s) in outcomes {
            calibration.add(Calibrated::formula(ahead), predicted_s, waited_s);
        }
        calibration
    }

    #[test]
    fn thirty_outcomes_end_the_cold_start() {
        let cold = calibration([(1, 100, 200); 29]);
        assert!(cold.is_cold());
        assert_eq!(cold.multipliers(Calibrated::formula(1)), [1.0, 1.4, 1.8]);
        let warm = calibration([(1, 100, 200); 30]);
        assert!(!warm.is_cold());
        assert_eq!(warm.multipliers(Calibrated::formula(1)), [2.0; 3]);
    }

    #[test]
    fn each_band_learns_for_itself_and_a_new_one_borrows() {
        let few = (1..=99).map(|i| (0, 100, i));
        let long_waits = (1..=99).map(|i| (20, 100, 1_000 + i));
        let learned = calibration(few.chain(long_waits));
        assert_eq!(learned.multipliers(Calibrated::formula(2)), [0.5, 0.8, 0.9]);
        assert_eq!(learned.multipliers(Calibrated::formula(15)), [10.5, 10.8, 10.9]);
        assert_eq!(
            learned.multipliers(Calibrated::formula(5))[0],
            10.01,
            "the middle of all of them"
        );
    }

    #[test]
    fn simulated_waits_are_kept_by_wait_and_by_the_number_ahead() {
        let mut learned = Calibration::default();
        let short = Calibrated::simulation(1, 119);
        let long = Calibrated::simulation(1, 120);
        let behind = Calibrated::simulation(9, 120);
        for n in 0..40 {
            learned.add(short, 100, 100 + n);
            learned.add(long, 100, 200 + n);
        }
        assert_eq!(learned.multipliers(short)[0], 1.2);
        assert_eq!(learned.multipliers(long)[0], 2.2);
        assert_eq!(learned.multipliers(behind)[0], 2.2, "those of the same wait");
        assert_eq!(learned.multipliers(Calibrated::simulation(1, 9_000))[0], 2.0, "all of them");
        assert_eq!(learned.max_median_multiplier(), 2.2);
    }

    proptest! {
        #[test]
        fn multipliers_never_cross(
            outcomes in prop::collection::vec((0..40u32, 1..90_000u32, any::<u32>()), 0..300),
        ) {
            let learned = calibration(outcomes);
            for ahead in [0, 5, 10, 20] {
                prop_assert!(learned.multipliers(Calibrated::formula(ahead)).is_sorted());
            }
        }
    }
}
