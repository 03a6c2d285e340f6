//! Quoted range of a wait: rounded outward, and steady.

use super::forecast::Forecast;
use crate::model::time::Timestamp;

/// Time after shortening in which the upper bound is not lengthened again: two minutes.
pub const MIN_LENGTHEN_DELAY_MS: i64 = 2 * 60_000;
/// Minutes above which a range is rounded to five minutes.
const MAX_FINE_MINUTES: u32 = 10;
/// Minutes up to which a range reads "less than".
const SHORT_WAIT_MINUTES: u32 = 5;
/// Minutes from which a range reads "more than".
const LONG_WAIT_MINUTES: u32 = 60;

/// Range of minutes. The upper bound is the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Lower bound, in whole minutes.
    pub low: u32,
    /// Upper bound, in whole minutes; never smaller than `low`.
    pub high: u32,
}

/// Wording of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EstimatePhrase {
    /// 不到 5 分钟.
    LessThan(u32),
    /// 15–25 分钟.
    Between(u32, u32),
    /// >60 分钟.
    MoreThan(u32),
}

impl Forecast {
    /// Range to quote: from the median to the 80 % bound, rounded outward to the minute, and above
    /// ten minutes to five minutes.
    pub fn to_estimate(&self) -> Estimate {
        let down = |minutes: u32| match minutes {
            0..=MAX_FINE_MINUTES => minutes,
            _ => minutes / 5 * 5,
        };
        let up = |minutes: u32| match minutes {
            0..=MAX_FINE_MINUTES => minutes,
            _ => minutes.div_ceil(5) * 5,
        };
        // Nobody reaches the counter in no time: the shortest promise covers the call itself.
        let high = if self.p80_s == 0 { SHORT_WAIT_MINUTES } else { up(self.p80_s.div_ceil(60)) };
        Estimate { low: down(self.median_s / 60), high }
    }
}

impl Estimate {
    /// Wording of the range. All waits of five minutes or less share one, and so do all above an
    /// hour.
    pub fn phrase(self) -> EstimatePhrase {
        match self {
            Estimate { high: 0..=SHORT_WAIT_MINUTES, .. } => {
                EstimatePhrase::LessThan(SHORT_WAIT_MINUTES)
            }
            Estimate { low: LONG_WAIT_MINUTES.., .. } => {
                EstimatePhrase::MoreThan(LONG_WAIT_MINUTES)
            }
            Estimate { low, high } => EstimatePhrase::Between(low, high),
        }
    }
}

/// Range that a holder sees now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisplayedRange {
    /// Displayed range.
    pub range: Estimate,
    /// Time at which its upper bound was last shortened.
    pub shortened_at: Option<Timestamp>,
}

impl DisplayedRange {
    /// First range displayed.
    pub fn new(range: Estimate) -> Self {
        DisplayedRange { range, shortened_at: None }
    }

    /// Range to display, given a fresh estimate. An upper bound that has just been shortened stays
    /// for two minutes rather than being lengthened again.
    #[must_use]
    pub fn updated(self, fresh: Estimate, at: Timestamp) -> DisplayedRange {
        let settled = |since: Timestamp| at.since_ms(since) >= MIN_LENGTHEN_DELAY_MS;
        if fresh.high < self.range.high {
            return DisplayedRange { range: fresh, shortened_at: Some(at) };
        }
        if fresh.high > self.range.high && !self.shortened_at.is_none_or(settled) {
            let high = self.range.high;
            return DisplayedRange { range: Estimate { low: fresh.low.min(high), high }, ..self };
        }
        DisplayedRange { range: fresh, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::forecast::{ClosingRisk, ForecastMethod};
    use super::*;
    use proptest::prelude::*;

    fn estimate_of(median_s: u32, p80_s: u32) -> Estimate {
        Forecast {
            predicted_s: median_s,
            median_s,
            p80_s,
            p90_s: p80_s,
            method: ForecastMethod::Formula,
            cold: false,
            closing: ClosingRisk::InTime,
        }
        .to_estimate()
    }

    #[test]
    fn ranges_are_rounded_outward() {
        for (median_s, p80_s, low, high) in [
            (0, 0, 0, 5),
            (59, 61, 0, 2),
            (540, 600, 9, 10),
            (630, 601, 10, 15),
            (2_400, 3_360, 40, 60),
            (2_399, 3_601, 35, 65),
        ] {
            assert_eq!(estimate_of(median_s, p80_s), Estimate { low, high }, "{median_s} {p80_s}");
        }
    }

    #[test]
    fn the_ends_of_the_scale_have_words_of_their_own() {
        assert_eq!(estimate_of(60, 300).phrase(), EstimatePhrase::LessThan(5));
        assert_eq!(estimate_of(60, 301).phrase(), EstimatePhrase::Between(1, 6));
        assert_eq!(estimate_of(3_500, 4_000).phrase(), EstimatePhrase::Between(55, 70));
        assert_eq!(estimate_of(3_600, 4_000).phrase(), EstimatePhrase::MoreThan(60));
    }

    #[test]
    fn a_shortened_promise_stays_for_two_minutes() {
        let range = |low, high| Estimate { low, high };
        let at = |s: i64| Timestamp(s * 1_000);
        let displayed = DisplayedRange::new(range(15, 25)).updated(range(15, 30), at(0));
        assert_eq!(displayed.range, range(15, 30), "a rise that follows no fall is shown at once");
        let shortened = displayed.updated(range(10, 15), at(10));
        assert_eq!(shortened.range, range(10, 15));
        let kept = shortened.updated(range(20, 30), at(129));
        assert_eq!(kept.range, range(15, 15), "nothing longer is shown yet");
        assert_eq!(kept.updated(range(20, 30), at(130)).range, range(20, 30));
    }

    proptest! {
        #[test]
        fn the_quoted_range_holds_the_bounds_and_little_more(median_s in 0..20_000u32, more in 1..20_000u32) {
            let p80_s = median_s + more;
            let Estimate { low, high } = estimate_of(median_s, p80_s);
            prop_assert!(low * 60 <= median_s && p80_s <= high * 60 && low <= high);
            prop_assert!(median_s < (low + 5) * 60 && (high - 5.min(high)) * 60 < p80_s);
            for minutes in [low, high] {
                prop_assert!(minutes <= 10 || minutes % 5 == 0);
            }
        }

        #[test]
        fn no_promise_is_shortened_and_then_lengthened_within_two_minutes(
            steps in prop::collection::vec((0..90_000i64, 0..12u32, 0..12u32), 1..60),
        ) {
            let mut displayed = DisplayedRange::new(Estimate { low: 10, high: 30 });
            let mut now = 0;
            let mut shortened = None;
            for (ms, low, more) in steps {
                now += ms;
                let fresh = Estimate { low: 5 * low, high: 5 * (low + more) };
                let next = displayed.updated(fresh, Timestamp(now));
                prop_assert!(next.range.low <= next.range.high);
                if next.range.high < displayed.range.high {
                    shortened = Some(now);
                }
                if next.range.high > displayed.range.high {
                    prop_assert!(shortened.is_none_or(|at| now - at >= MIN_LENGTHEN_DELAY_MS));
                }
                displayed = next;
            }
        }
    }
}
