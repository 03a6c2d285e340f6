//! Running record of a visit, kept in its ticket until the visit ends.

use crate::estimate::Forecast;
use crate::model::position_changes::PositionChangeCause;
use crate::model::rare::{HasUsual, Rare};
use crate::model::time::Timestamp;

/// Running record of a visit, for its end and for the quotes until then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisitProgress {
    /// Steps beside waiting.
    pub steps: Rare<VisitSteps>,
    /// Number of the line's overtakings that are included in the steps.
    pub overtakes_counted: u32,
}

/// Steps of a visit, and the overtakings until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitSteps {
    /// Time of the first call.
    pub called_at: Option<Timestamp>,
    /// Time at which service first began.
    pub started_at: Option<Timestamp>,
    /// `true` if the first call was out of order.
    pub called_out_of_order: bool,
    /// Milliseconds between calls and beginnings of service, out of the service before an
    /// interruption.
    pub approach_ms: i64,
    /// Milliseconds for which the last call without an answer kept a counter.
    pub missed_ms: Option<i64>,
    /// Overtakings counted so far.
    pub overtaken: OvertakeCounts,
}

impl HasUsual for VisitSteps {
    const USUAL: &'static VisitSteps = &VisitSteps {
        called_at: None,
        started_at: None,
        called_out_of_order: false,
        approach_ms: 0,
        missed_ms: None,
        overtaken: OvertakeCounts {
            priority: 0,
            returned: 0,
            transferred: 0,
            resumed: 0,
            taken_back: 0,
            out_of_order: 0,
        },
    };
}

/// Forecast behind a quoted range, kept to learn from its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForecastBasis {
    /// Predicted wait in seconds, before calibration.
    pub predicted_s: u32,
    /// Quoted median in seconds, not rounded.
    pub median_s: u32,
    /// Version of the method ([`ForecastMethod::code`](crate::ForecastMethod::code)); may come from
    /// a later program.
    pub method: u8,
}

impl ForecastBasis {
    /// Basis of a quote that rests on this forecast.
    pub(crate) fn from_forecast(forecast: Forecast) -> ForecastBasis {
        let Forecast { predicted_s, median_s, method, .. } = forecast;
        ForecastBasis { predicted_s, median_s, method: method.code() }
    }
}

/// Number of times that a waiting ticket was overtaken: another was placed before it, or was called
/// from behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OvertakeCounts {
    /// By a ticket of a better class.
    pub priority: u32,
    /// By a ticket that returned after a miss.
    pub returned: u32,
    /// By a ticket from another queue.
    pub transferred: u32,
    /// By a ticket that had let others pass or was held, and took its own place again.
    pub resumed: u32,
    /// By a ticket whose call or end was taken back, and took its own place again.
    pub taken_back: u32,
    /// By a ticket that staff called out of order.
    pub out_of_order: u32,
}

impl OvertakeCounts {
    /// Sum over all causes.
    pub fn total(&self) -> u32 {
        let OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order } =
            self;
        priority + returned + transferred + resumed + taken_back + out_of_order
    }

    pub(crate) fn increment(&mut self, cause: PositionChangeCause) {
        *match cause {
            // A held ticket overtakes nobody.
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
