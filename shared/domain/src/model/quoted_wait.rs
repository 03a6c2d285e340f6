//! Wait that the holder of a ticket is quoted.

use crate::estimate::{Estimate, Forecast};

/// What a holder was told of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotedWait {
    /// People ahead in the same queue.
    pub ahead: u32,
    /// How long, or `None` when no counter is open and nobody can say.
    pub estimate: Option<Estimate>,
    /// Whether that is rough: too little was learned yet.
    pub cold: bool,
}

impl QuotedWait {
    /// What is told of a forecast.
    pub(crate) fn from_forecast(ahead: u32, forecast: Option<Forecast>) -> QuotedWait {
        let (estimate, cold) =
            (forecast.map(|f| f.to_estimate()), forecast.is_some_and(|f| f.cold));
        QuotedWait { ahead, estimate, cold }
    }

    /// What is told where nobody can say how long it takes.
    pub(crate) fn without_estimate(ahead: u32) -> QuotedWait {
        QuotedWait { ahead, estimate: None, cold: false }
    }
}
