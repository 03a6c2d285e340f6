//! Running record of a visit, kept in its ticket until the visit ends.

use crate::estimate::{DisplayedRange, Estimate, Forecast};
use crate::model::position_changes::PositionChangeCause;
use crate::model::quoted_wait::QuotedWait;
use crate::model::time::Timestamp;

/// What a ticket remembers on its way, for the end and for what is told until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VisitProgress {
    /// When it was called first.
    pub called_at: Option<Timestamp>,
    /// When service began first.
    pub started_at: Option<Timestamp>,
    /// Whether the first call was before its turn.
    pub called_out_of_order: bool,
    /// Of the milliseconds of service before an interruption, how many passed between a call and
    /// the beginning.
    pub approach_ms: i64,
    /// Milliseconds that the last call without an answer kept a counter.
    pub missed_ms: Option<i64>,
    /// How often others went before, as far as that has been counted.
    pub overtaken: OvertakeCounts,
    /// How many of its line's overtakes are in that.
    pub(crate) overtakes_counted: u32,
    /// The range that its holder was told last.
    pub displayed: Option<DisplayedRange>,
}

impl VisitProgress {
    /// Takes in that the holder was told a range.
    pub(crate) fn record_quote(&mut self, told: &QuotedWait, at: Timestamp) {
        if let Some(range) = told.estimate {
            self.displayed = Some(
                self.displayed.map_or(DisplayedRange::new(range), |shown| shown.updated(range, at)),
            );
        }
    }

    /// The range to tell now that it would be this.
    pub(crate) fn steady_range(&self, fresh: Estimate, at: Timestamp) -> Estimate {
        self.displayed.map_or(fresh, |shown| shown.updated(fresh, at).range)
    }
}

/// What a told range rested on, kept to learn from what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForecastBasis {
    /// Seconds, before calibration.
    pub predicted_s: u32,
    /// The told median in seconds, not rounded.
    pub median_s: u32,
    /// The version of the method ([`ForecastMethod::code`]); it may be a later program's.
    pub method: u8,
}

impl ForecastBasis {
    /// What a forecast says of itself.
    pub(crate) fn from_forecast(forecast: Forecast) -> ForecastBasis {
        let Forecast { predicted_s, median_s, method, .. } = forecast;
        ForecastBasis { predicted_s, median_s, method: method.code() }
    }
}

/// How often somebody who waited was overtaken: another came to stand before them, or was called
/// from behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OvertakeCounts {
    /// By somebody of a better class.
    pub priority: u32,
    /// By somebody who was missed and came back.
    pub returned: u32,
    /// By somebody from another queue.
    pub transferred: u32,
    /// By somebody who had let others pass, or was held, and whose place it was.
    pub resumed: u32,
    /// By somebody whose call or end was taken back, and whose place it was.
    pub taken_back: u32,
    /// By somebody whom staff called before their turn.
    pub out_of_order: u32,
}

impl OvertakeCounts {
    /// All of them.
    pub fn total(&self) -> u32 {
        let OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order } =
            self;
        priority + returned + transferred + resumed + taken_back + out_of_order
    }

    pub(crate) fn increment(&mut self, cause: PositionChangeCause) {
        *match cause {
            // It is out of the way of others.
            PositionChangeCause::Hold => return,
            PositionChangeCause::Priority => &mut self.priority,
            PositionChangeCause::Return => &mut self.returned,
            PositionChangeCause::Transfer => &mut self.transferred,
            PositionChangeCause::Resume => &mut self.resumed,
            PositionChangeCause::TakenBack => &mut self.taken_back,
            PositionChangeCause::OutOfOrder => &mut self.out_of_order,
        } += 1;
    }
}
