//! Record of a visit that has ended: times, quoted wait and overtakings.
//!
//! It names no person. It is written into the event that ends the ticket, so that the history needs
//! no more than that event.

use crate::estimate::{ForecastMethod, Observation, ObservationEnd};
use crate::model::ids::{CounterId, QueueId};
use crate::model::quoted_wait::QuotedWait;
use crate::model::ticket::{CloseReason, TicketCounts};
use crate::model::time::{Day, Timestamp};
use crate::model::visit_progress::{ForecastBasis, OvertakeCounts};

/// Visit that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRecord {
    /// Business day on which it ended.
    pub day: Day,
    /// Queue at the end.
    pub queue: QueueId,
    /// Counter at which it ended, if any.
    pub counter: Option<CounterId>,
    /// Time at which the number was taken.
    pub taken_at: Timestamp,
    /// Time of the first call.
    pub called_at: Option<Timestamp>,
    /// Time at which service first began.
    pub started_at: Option<Timestamp>,
    /// Time of the end.
    pub ended_at: Timestamp,
    /// Milliseconds for which it kept counters busy; for a final miss, those of the last call.
    pub slot_ms: Option<i64>,
    /// Milliseconds of service from its beginning, or from the call if nobody said that it began,
    /// without interruptions.
    pub serving_ms: Option<i64>,
    /// `true` if the slot is too long to be plausible.
    pub implausible: bool,
    /// Counts of the ticket's steps.
    pub counts: TicketCounts,
    /// `true` if the first call was out of order.
    pub called_out_of_order: bool,
    /// Wait quoted when the number was taken.
    pub quoted: QuotedWait,
    /// Forecast behind that quote.
    pub basis: Option<ForecastBasis>,
    /// Number of times that it was overtaken.
    pub overtaken: OvertakeCounts,
    /// Outcome of the visit.
    pub end: VisitOutcome,
}

/// Outcome of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitOutcome {
    /// Served.
    Served,
    /// Closed, for this reason.
    Closed(CloseReason),
}

impl VisitRecord {
    /// Milliseconds from taking the number to the first call.
    pub fn waited_ms(&self) -> Option<i64> {
        Some(self.called_at?.since_ms(self.taken_at).max(0))
    }

    /// Milliseconds of service. A former program recorded 0 if nobody said that it began.
    pub fn service_ms(&self) -> Option<i64> {
        let began_at_its_end = self.started_at == Some(self.ended_at);
        if began_at_its_end { self.slot_ms } else { self.serving_ms }
    }

    /// Wait in seconds, if it is comparable with the quote: the visit had a predicted wait and was
    /// not held, transferred or called out of order.
    pub fn comparable_wait_s(&self) -> Option<u32> {
        let TicketCounts { holds, transfers, .. } = self.counts;
        let has_prediction = self.basis.is_some_and(|basis| basis.predicted_s > 0);
        let is_comparable = holds == 0 && transfers == 0 && !self.called_out_of_order;
        (has_prediction && is_comparable).then(|| self.waited_ms().map(ms_to_seconds)).flatten()
    }

    /// Observation for the forecast model; `None` if the visit was voided before a call.
    pub fn observation(&self) -> Option<Observation> {
        let ahead = self.quoted.ahead;
        let end = match (self.waited_ms(), self.end) {
            (Some(waited_ms), _) => ObservationEnd::Called {
                waited_s: ms_to_seconds(waited_ms),
                slot_s: self.slot_ms.map_or(0, ms_to_seconds),
                implausible: self.implausible || self.slot_ms.is_none(),
            },
            (None, VisitOutcome::Closed(CloseReason::ByCustomer | CloseReason::ByStaff)) => {
                ObservationEnd::Cancelled
            }
            (None, _) => return None,
        };
        // The prediction of an unknown method cannot be compared.
        let basis = self.comparable_wait_s().and(self.basis);
        let predicted = basis
            .and_then(|basis| Some((ForecastMethod::from_code(basis.method)?, basis.predicted_s)));
        Some(Observation { ahead, predicted, end })
    }
}

fn ms_to_seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}
