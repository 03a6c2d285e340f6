//! Input and result of a forecast.

use crate::model::ids::QueueId;

/// Input of a forecast: a ticket's queue, the tickets ahead and the counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastInput {
    /// Queue of the ticket.
    pub queue: QueueId,
    /// Minutes configured for one customer of that queue.
    pub minutes: u32,
    /// Number of tickets that wait ahead, without held and missed ones.
    pub ahead: u32,
    /// Open counters that can serve the queue.
    pub counters: Vec<LiveCounter>,
    /// Wait in seconds of the person of the queue who was called last today.
    pub last_wait_s: Option<u32>,
    /// Seconds until the site closes; `None` if it does not close, or if the time is unknown.
    pub closing_s: Option<u32>,
}

/// Open counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveCounter {
    /// Without a ticket.
    Free,
    /// With a ticket that it has called and not finished with.
    Busy {
        /// Queue of that ticket.
        queue: QueueId,
        /// Minutes configured for that queue.
        minutes: u32,
        /// Seconds since the call.
        spent_s: u32,
    },
}

/// Forecast of a wait, in seconds from now. All values are whole numbers, fit to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Predicted wait before calibration. Outcomes are measured against it, so it is stored with
    /// the quote.
    pub predicted_s: u32,
    /// Half of the tickets in this situation are called earlier.
    pub median_s: u32,
    /// Four of five are called earlier: the promise.
    pub p80_s: u32,
    /// Nine of ten are called earlier.
    pub p90_s: u32,
    /// Method of the forecast.
    pub method: ForecastMethod,
    /// `true` if too little was learned yet: the owner's minutes are used, and the quote reads 约.
    pub cold: bool,
    /// Risk that the site closes first.
    pub closing: ClosingRisk,
}

/// Method of a forecast. The codes are stored: a method that gives other figures gets another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForecastMethod {
    /// A counter is free and nobody is ahead.
    Immediate,
    /// The closed form.
    Formula,
    /// Simulation of the order of calls.
    Simulation,
}

impl ForecastMethod {
    /// Code that is stored with a ticket.
    pub fn code(self) -> u8 {
        match self {
            ForecastMethod::Immediate => 1,
            ForecastMethod::Formula => 2,
            ForecastMethod::Simulation => 3,
        }
    }

    /// Method of a stored code; `None` for a code that this program does not know.
    pub fn from_code(code: u8) -> Option<ForecastMethod> {
        [ForecastMethod::Immediate, ForecastMethod::Formula, ForecastMethod::Simulation]
            .into_iter()
            .find(|m| m.code() == code)
    }
}

/// Risk that the site closes before a ticket is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosingRisk {
    /// Even the promise is before closing.
    InTime,
    /// The promise is after closing.
    Doubtful,
    /// Even the median is after closing.
    TooLate,
}

impl ClosingRisk {
    pub(super) fn from_bounds(
        median_s: u32,
        promise_s: u32,
        closing_s: Option<u32>,
    ) -> ClosingRisk {
        match closing_s {
            Some(closing) if median_s > closing => ClosingRisk::TooLate,
            Some(closing) if promise_s > closing => ClosingRisk::Doubtful,
            _ => ClosingRisk::InTime,
        }
    }
}

/// Band of the number ahead. Outcomes are kept and scored in these four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AheadBand {
    /// 0 to 2.
    Few,
    /// 3 to 6.
    Some,
    /// 7 to 14.
    Many,
    /// 15 and more.
    Crowd,
}

impl AheadBand {
    /// All bands, shortest line first.
    pub const ALL: [AheadBand; 4] =
        [AheadBand::Few, AheadBand::Some, AheadBand::Many, AheadBand::Crowd];

    /// Band of a number ahead.
    pub fn for_ahead(ahead: u32) -> AheadBand {
        match ahead {
            0..=2 => AheadBand::Few,
            3..=6 => AheadBand::Some,
            7..=14 => AheadBand::Many,
            15.. => AheadBand::Crowd,
        }
    }

    /// Name of the band in labels and tables.
    pub fn name(self) -> &'static str {
        match self {
            AheadBand::Few => "0-2",
            AheadBand::Some => "3-6",
            AheadBand::Many => "7-14",
            AheadBand::Crowd => "15+",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_stored_by_codes_that_stay() {
        for (method, code) in [
            (ForecastMethod::Immediate, 1),
            (ForecastMethod::Formula, 2),
            (ForecastMethod::Simulation, 3),
        ] {
            assert_eq!((method.code(), ForecastMethod::from_code(code)), (code, Some(method)));
        }
        assert_eq!(ForecastMethod::from_code(4), None);
    }

    #[test]
    fn bands_meet_without_a_gap() {
        let named: Vec<_> =
            [0, 2, 3, 6, 7, 14, 15, 9_999].map(|n| AheadBand::for_ahead(n).name()).into();
        assert_eq!(named, ["0-2", "0-2", "3-6", "3-6", "7-14", "7-14", "15+", "15+"]);
    }
}
