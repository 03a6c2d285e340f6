//! Accuracy of quoted waits against the waits that followed.

use super::forecast::AheadBand;
use std::collections::BTreeMap;

/// Error in seconds that still counts as close.
const CLOSE_ERROR_S: u32 = 5 * 60;
/// Width in seconds of a bucket of the error histogram, from which the median error is read.
const ERROR_BUCKET_S: u32 = 15;

/// Score of forecasts with a known outcome. The scores of parts add up to the score of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccuracyScore {
    count: u64,
    promised: u64,
    within_bound: u64,
    close_to_median: u64,
    error_s: u64,
    bias_s: i64,
    waited_s: u64,
    error_histogram: BTreeMap<u32, u64>,
}

impl AccuracyScore {
    /// Adds a wait with its quoted median and upper bound, all in seconds; `None` if no bound was
    /// promised.
    pub fn add(&mut self, median_s: u32, promise_s: Option<u32>, waited_s: u32) {
        let error = median_s.abs_diff(waited_s);
        self.count += 1;
        self.promised += u64::from(promise_s.is_some());
        self.within_bound += u64::from(promise_s.is_some_and(|promise_s| waited_s <= promise_s));
        self.close_to_median += u64::from(error <= CLOSE_ERROR_S.max(waited_s / 4));
        self.error_s += u64::from(error);
        self.bias_s += i64::from(median_s) - i64::from(waited_s);
        self.waited_s += u64::from(waited_s);
        *self.error_histogram.entry(error / ERROR_BUCKET_S).or_default() += 1;
    }

    /// Adds another score.
    pub fn merge(&mut self, other: &AccuracyScore) {
        self.count += other.count;
        self.promised += other.promised;
        self.within_bound += other.within_bound;
        self.close_to_median += other.close_to_median;
        self.error_s += other.error_s;
        self.bias_s += other.bias_s;
        self.waited_s += other.waited_s;
        for (size, count) in &other.error_histogram {
            *self.error_histogram.entry(*size).or_default() += count;
        }
    }

    /// Number of waits scored.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Share of waits within the upper bound, of those with one; `None` without such waits.
    pub fn coverage(&self) -> Option<f64> {
        (self.promised > 0).then(|| self.within_bound as f64 / self.promised as f64)
    }

    /// Share of waits whose median was within five minutes, or within a quarter of the wait.
    pub fn close_share(&self) -> Option<f64> {
        self.mean(self.close_to_median as f64)
    }

    /// Mean absolute error of the median, in minutes.
    pub fn mean_error(&self) -> Option<f64> {
        self.mean(self.error_s as f64 / 60.0)
    }

    /// Median absolute error of the median, in minutes, rounded up to a quarter.
    pub fn median_error(&self) -> Option<f64> {
        let mut cumulative = 0;
        let middle = self.error_histogram.iter().find(|(_, count)| {
            cumulative += **count;
            2 * cumulative >= self.count
        });
        middle.map(|(size, _)| f64::from((size + 1) * ERROR_BUCKET_S) / 60.0)
    }

    /// Mean error of the median, in minutes: positive if it was too long.
    pub fn bias(&self) -> Option<f64> {
        self.mean(self.bias_s as f64 / 60.0)
    }

    /// Mean wait, in minutes.
    pub fn mean_wait(&self) -> Option<f64> {
        self.mean(self.waited_s as f64 / 60.0)
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.count > 0).then(|| sum / self.count as f64)
    }
}

/// Scores by number ahead and by the hour of joining, in the site's time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accuracy {
    cells: BTreeMap<(AheadBand, u8), AccuracyScore>,
}

impl Accuracy {
    /// Adds a wait that began in this hour with this many ahead; see [`AccuracyScore::add`].
    pub fn add(
        &mut self,
        ahead: u32,
        hour: u8,
        median_s: u32,
        promise_s: Option<u32>,
        waited_s: u32,
    ) {
        let cell = self.cells.entry((AheadBand::for_ahead(ahead), hour)).or_default();
        cell.add(median_s, promise_s, waited_s);
    }

    /// Adds the scores of another site or day.
    pub fn merge(&mut self, other: &Accuracy) {
        for (cell, score) in &other.cells {
            self.cells.entry(*cell).or_default().merge(score);
        }
    }

    /// Score of all waits.
    pub fn total(&self) -> AccuracyScore {
        self.sum_where(|_, _| true)
    }

    /// Score of the waits in a band.
    pub fn of_band(&self, band: AheadBand) -> AccuracyScore {
        self.sum_where(|b, _| b == band)
    }

    /// Score of the waits that began in this hour.
    pub fn of_hour(&self, hour: u8) -> AccuracyScore {
        self.sum_where(|_, h| h == hour)
    }

    /// Cells with at least one wait, for metrics and reports.
    pub fn cells(&self) -> impl Iterator<Item = (AheadBand, u8, &AccuracyScore)> {
        self.cells.iter().map(|((band, hour), score)| (*band, *hour, score))
    }

    fn sum_where(&self, counts: impl Fn(AheadBand, u8) -> bool) -> AccuracyScore {
        let mut sum = AccuracyScore::default();
        for (band, hour, score) in self.cells() {
            if counts(band, hour) {
                sum.merge(score);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nobody_has_no_score() {
        let empty = AccuracyScore::default();
        assert_eq!((empty.coverage(), empty.mean_error(), empty.bias()), (None, None, None));
        assert_eq!((empty.median_error(), empty.close_share()), (None, None));
    }

    #[test]
    fn each_figure_is_what_it_says() {
        let mut score = AccuracyScore::default();
        // Quoted 10 to 15 minutes; the waits were 10, 16, 18 and 4.
        for waited in [10, 16, 18, 4] {
            score.add(600, Some(900), waited * 60);
        }
        assert_eq!((score.count(), score.coverage()), (4, Some(0.5)));
        assert_eq!(score.mean_error(), Some(5.0));
        assert_eq!(score.median_error(), Some(6.25));
        assert_eq!(score.bias(), Some(-2.0));
        assert_eq!(score.mean_wait(), Some(12.0));
        assert_eq!(score.close_share(), Some(0.25));
        // A quarter of a long wait is close, too, and no bound was promised.
        score.add(60 * 60, None, 80 * 60);
        assert_eq!(
            (score.count(), score.close_share(), score.coverage()),
            (5, Some(0.4), Some(0.5))
        );
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            waits in prop::collection::vec(
                (0..30u32, 0..24u8, 0..9_000u32, prop::option::of(0..9_000u32), 0..9_000u32),
                0..60,
            ),
            cut in 0..60usize,
        ) {
            let accuracy_of = |waits: &[(u32, u8, u32, Option<u32>, u32)]| {
                let mut all = Accuracy::default();
                waits.iter().for_each(|t| all.add(t.0, t.1, t.2, t.3, t.4));
                all
            };
            let cut = cut.min(waits.len());
            let mut parts = accuracy_of(&waits[cut..]);
            parts.merge(&accuracy_of(&waits[..cut]));
            prop_assert_eq!(&parts, &accuracy_of(&waits));
            let mut sum = AccuracyScore::default();
            AheadBand::ALL.iter().for_each(|band| sum.merge(&parts.of_band(*band)));
            prop_assert_eq!(&sum, &parts.total());
            let mut sum = AccuracyScore::default();
            (0..24).for_each(|hour| sum.merge(&parts.of_hour(hour)));
            prop_assert_eq!(&sum, &parts.total());
        }
    }
}
