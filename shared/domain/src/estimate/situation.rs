//! What a forecast is made for, and what it says.

use crate::model::ids::QueueId;

/// Where somebody stands who asks how long it will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastInput {
    /// The queue they stand in.
    pub queue: QueueId,
    /// The minutes that its owner configured for one customer.
    pub minutes: u32,
    /// Those who wait before them; nobody who is held or missed.
    pub ahead: u32,
    /// The open counters that can serve the queue.
    pub counters: Vec<LiveCounter>,
    /// Seconds that today's last called person of the queue had waited.
    pub last_wait_s: Option<u32>,
    /// Seconds until the site closes, `None` if it does not or nobody said when.
    pub closing_s: Option<u32>,
}

/// An open counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveCounter {
    /// Has called nobody.
    Free,
    /// Has called somebody and not finished with them.
    Busy {
        /// The queue they came from.
        queue: QueueId,
        /// The minutes configured for that queue.
        minutes: u32,
        /// Seconds since the call.
        spent_s: u32,
    },
}

/// How long it will take, in seconds from now. Whole numbers, fit to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Before calibration. An outcome is measured against this, so it is stored with what was told.
    pub predicted_s: u32,
    /// Half of those in this situation are called earlier.
    pub median_s: u32,
    /// Four of five are called earlier: the promise.
    pub p80_s: u32,
    /// Nine of ten are called earlier.
    pub p90_s: u32,
    /// How this was found.
    pub method: ForecastMethod,
    /// Too little was learned yet: the owner's minutes stand in, and it is told as 约.
    pub cold: bool,
    /// Whether the site may close first.
    pub closing: ClosingRisk,
}

/// How a forecast was found. The codes are stored: a method that gives other figures gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForecastMethod {
    /// A counter is free and nobody is ahead.
    Immediate,
    /// The closed form.
    Formula,
    /// The chooser, run forward.
    Simulation,
}

impl ForecastMethod {
    /// The version as it is stored with a ticket.
    pub fn code(self) -> u8 {
        match self {
            ForecastMethod::Immediate => 1,
            ForecastMethod::Formula => 2,
            ForecastMethod::Simulation => 3,
        }
    }

    /// The method of a stored version, `None` for one that this program does not know.
    pub fn from_code(code: u8) -> Option<ForecastMethod> {
        [ForecastMethod::Immediate, ForecastMethod::Formula, ForecastMethod::Simulation]
            .into_iter()
            .find(|m| m.code() == code)
    }
}

/// Whether somebody will be called before the site closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosingRisk {
    /// Even the promise is earlier.
    InTime,
    /// The promise is later.
    Doubtful,
    /// Even the median is later.
    TooLate,
}

impl ClosingRisk {
    pub(super) fn of(median_s: u32, promise_s: u32, closing_s: Option<u32>) -> ClosingRisk {
        match closing_s {
            Some(closing) if median_s > closing => ClosingRisk::TooLate,
            Some(closing) if promise_s > closing => ClosingRisk::Doubtful,
            _ => ClosingRisk::InTime,
        }
    }
}

/// How many were ahead, in the four groups in which outcomes are kept and scored.
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
    /// All of them, shortest line first.
    pub const ALL: [AheadBand; 4] =
        [AheadBand::Few, AheadBand::Some, AheadBand::Many, AheadBand::Crowd];

    /// The band of somebody with this many ahead.
    pub fn of(ahead: u32) -> AheadBand {
        match ahead {
            0..=2 => AheadBand::Few,
            3..=6 => AheadBand::Some,
            7..=14 => AheadBand::Many,
            15.. => AheadBand::Crowd,
        }
    }

    /// As labels and tables name it.
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
        let named: Vec<_> = [0, 2, 3, 6, 7, 14, 15, 9_999].map(|n| AheadBand::of(n).name()).into();
        assert_eq!(named, ["0-2", "0-2", "3-6", "3-6", "7-14", "7-14", "15+", "15+"]);
    }
}
