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
    /// Upper bound, in whole minutes; larger than `low`.
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
    /// ten minutes to five minutes. Where both are the same, the lower bound gives way.
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
        Estimate { low: down((self.median_s / 60).min(high - 1)), high }
    }
}

impl Estimate {
    /// Minutes that the wording promises, at most. `None` where it names no upper bound.
    pub fn promised_minutes(self) -> Option<u32> {
        match self.phrase() {
            EstimatePhrase::LessThan(high) | EstimatePhrase::Between(_, high) => Some(high),
            EstimatePhrase::MoreThan(_) => None,
        }
    }

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

/// Range that a holder was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisplayedRange {
    /// Displayed range.
    pub range: Estimate,
    /// Number of people who were ahead; `None` if a former program did not keep it.
    pub ahead: Option<u32>,
    /// Time at which its upper bound was last shortened.
    pub shortened_at: Option<Timestamp>,
}

impl DisplayedRange {
    /// First range displayed.
    pub fn new(range: Estimate, ahead: u32) -> Self {
        DisplayedRange { range, ahead: Some(ahead), shortened_at: None }
    }

    /// Range to tell, given a fresh estimate with so many ahead. An upper bound that has just been
    /// shortened stays for two minutes rather than being lengthened again, unless the line grew:
    /// that is no error of the forecast, and people see it.
    pub fn steadied(self, fresh: Estimate, ahead: u32, at: Timestamp) -> Estimate {
        let high = self.range.high;
        let is_recent =
            self.shortened_at.is_some_and(|since| !at.is_after(since, MIN_LENGTHEN_DELAY_MS));
        let grew = self.ahead.is_some_and(|before| ahead > before);
        if fresh.high <= high || grew || !is_recent {
            return fresh;
        }
        let low = if fresh.low < high { fresh.low } else { self.range.low };
        Estimate { low, high }
    }

    /// Range displayed after this one was told, with so many ahead.
    #[must_use]
    pub fn updated(self, told: Estimate, ahead: u32, at: Timestamp) -> DisplayedRange {
        let shortened_at = if told.high < self.range.high { Some(at) } else { self.shortened_at };
        DisplayedRange { range: told, ahead: Some(ahead), shortened_at }
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
    fn the_promise_is_what_the_words_say() {
        let promised = |low, high| Estimate { low, high }.promised_minutes();
        assert_eq!((promised(0, 1), promised(3, 5)), (Some(5), Some(5)), "less than five");
        assert_eq!((promised(1, 6), promised(55, 70)), (Some(6), Some(70)));
        assert_eq!(promised(60, 70), None, "more than an hour");
    }

    #[test]
    fn a_shortened_promise_stays_for_two_minutes_unless_the_line_grew() {
        let range = |low, high| Estimate { low, high };
        let at = |s: i64| Timestamp(s * 1_000);
        let displayed = DisplayedRange::new(range(15, 25), 5);
        assert_eq!(displayed.steadied(range(15, 30), 5, at(0)), range(15, 30), "no fall before");
        let shortened = displayed.updated(range(15, 20), 4, at(10));
        assert_eq!(shortened.steadied(range(25, 40), 4, at(129)), range(15, 20), "not yet");
        assert_eq!(shortened.steadied(range(18, 40), 3, at(129)), range(18, 20), "not yet");
        assert_eq!(shortened.steadied(range(25, 40), 4, at(130)), range(25, 40));
        assert_eq!(shortened.steadied(range(25, 40), 5, at(11)), range(25, 40), "somebody came");
        let former = DisplayedRange { ahead: None, ..shortened };
        assert_eq!(former.steadied(range(25, 40), 9, at(11)), range(15, 20), "the line is unknown");
    }

    proptest! {
        #[test]
        fn the_quoted_range_holds_the_bounds_and_little_more(
            median_s in 0..20_000u32,
            more in prop_oneof![Just(0), 0..20_000u32],
        ) {
            let p80_s = median_s + more;
            let Estimate { low, high } = estimate_of(median_s, p80_s);
            prop_assert!(low * 60 <= median_s && p80_s <= high * 60 && low < high);
            prop_assert!(median_s <= (low + 5) * 60 && (high - 5.min(high)) * 60 < p80_s.max(1));
            for minutes in [low, high] {
                prop_assert!(minutes <= 10 || minutes % 5 == 0);
            }
        }

        #[test]
        fn no_promise_is_shortened_and_then_lengthened_within_two_minutes_while_the_line_shrinks(
            steps in prop::collection::vec((0..90_000i64, 0..12u32, 1..12u32, 0..9u32), 1..60),
        ) {
            let mut displayed = DisplayedRange::new(Estimate { low: 10, high: 30 }, 4);
            let mut now = 0;
            let mut shortened = None;
            for (ms, low, more, ahead) in steps {
                now += ms;
                let fresh = Estimate { low: 5 * low, high: 5 * (low + more) };
                let told = displayed.steadied(fresh, ahead, Timestamp(now));
                prop_assert!(told.low < told.high);
                let grew = Some(ahead) > displayed.ahead;
                if told.high < displayed.range.high {
                    shortened = Some(now);
                }
                if told.high > displayed.range.high && !grew {
                    prop_assert!(shortened.is_none_or(|at| now - at >= MIN_LENGTHEN_DELAY_MS));
                }
                if grew {
                    prop_assert_eq!(told, fresh);
                }
                displayed = displayed.updated(told, ahead, Timestamp(now));
            }
        }
    }
}
