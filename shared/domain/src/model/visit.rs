//! What is left of a visit when it has ended: when what happened, what was told, and how often
//! others went before. It names nobody, and is written beside the event that ends the ticket, so
//! that whoever keeps the history needs nothing but that event.

use crate::estimate::{ForecastMethod, Observation, ObservationEnd};
use crate::model::ids::{CounterId, QueueId};
use crate::model::quoted_wait::QuotedWait;
use crate::model::ticket::{CloseReason, TicketCounts};
use crate::model::time::{Day, Timestamp};
use crate::model::visit_progress::{ForecastBasis, OvertakeCounts};

/// A visit that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRecord {
    /// The business day on which it ended.
    pub day: Day,
    /// The queue it was in at the end.
    pub queue: QueueId,
    /// The counter it ended at, if it ended at one.
    pub counter: Option<CounterId>,
    /// When the number was taken.
    pub taken_at: Timestamp,
    /// When it was called first.
    pub called_at: Option<Timestamp>,
    /// When service began first.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Milliseconds that it kept counters busy; of somebody who was missed for good, the last call.
    pub slot_ms: Option<i64>,
    /// Milliseconds of service, from its beginning, without interruptions.
    pub serving_ms: Option<i64>,
    /// Whether the slot is too long to be true.
    pub implausible: bool,
    /// How often what happened to it.
    pub counts: TicketCounts,
    /// Whether it was called before its turn.
    pub called_out_of_order: bool,
    /// What was told when the number was taken.
    pub quoted: QuotedWait,
    /// What that rested on.
    pub basis: Option<ForecastBasis>,
    /// How often others went before.
    pub overtaken: OvertakeCounts,
    /// How it ended.
    pub end: VisitOutcome,
}

/// How a visit ended.
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

    /// The wait in seconds, where it can be held against what was told: not if the visit was held,
    /// transferred or called before its turn, nor if nobody had to wait.
    pub fn comparable_wait_s(&self) -> Option<u32> {
        let TicketCounts { holds, hops, .. } = self.counts;
        let foretold = self.basis.is_some_and(|basis| basis.predicted_s > 0);
        let plain = holds == 0 && hops == 0 && !self.called_out_of_order;
        (foretold && plain).then(|| self.waited_ms().map(ms_to_seconds)).flatten()
    }

    /// As the model learns from it; `None` if it teaches nothing, having been voided before a call.
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
        // Of another method it cannot be said what its prediction was.
        let own = self.basis.filter(|basis| ForecastMethod::from_code(basis.method).is_some());
        let predicted_s = self.comparable_wait_s().and(own).map(|basis| basis.predicted_s);
        Some(Observation { ahead, predicted_s, end })
    }
}

fn ms_to_seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}
