//! Wait that the holder of a ticket is quoted.

use crate::estimate::{Estimate, Forecast};

/// Wait quoted to a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotedWait {
    /// Number of people ahead in the same queue.
    pub ahead: u32,
    /// Estimated range; `None` while no counter is open.
    pub estimate: Option<Estimate>,
    /// `true` if the estimate is rough, because too little was learned yet.
    pub cold: bool,
}

impl QuotedWait {
    /// Quote of a forecast.
    pub(crate) fn from_forecast(ahead: u32, forecast: Option<Forecast>) -> QuotedWait {
        let estimate = forecast.map(|forecast| forecast.to_estimate());
        let cold = forecast.is_some_and(|forecast| forecast.cold);
        QuotedWait { ahead, estimate, cold }
    }

    /// Quote without an estimate.
    pub(crate) fn without_estimate(ahead: u32) -> QuotedWait {
        QuotedWait { ahead, estimate: None, cold: false }
    }
}
