//! What is left of a visit when it has ended: when what happened, what was told, and how often
//! others went before. It names nobody, and is written beside the event that ends the ticket, so
//! that whoever keeps the history needs nothing but that event.

use crate::estimate::{
    DisplayedRange, Estimate, Forecast, ForecastMethod, Observation, ObservationEnd,
};
use crate::model::ids::{CounterId, QueueId};
use crate::model::position_changes::PositionChangeCause;
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, QuotedWait, Ticket, TicketCounts, TicketState};
use crate::model::time::{Day, Timestamp};
use crate::protocol::event::Event;

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

/// Fills in what an event that ends a ticket says of the visit, and what one that takes an end back
/// retracts. `site` is as it was before the event.
pub(crate) fn attach_visit_record(event: &mut Event, site: &Site, at: Timestamp) {
    let Some(day) = site.day() else { return };
    match event {
        Event::TicketFinished { ticket, slot_ms, implausible, visit, .. } => {
            let Some(ticket) = site.ticket(*ticket) else { return };
            let serving_ms = match &ticket.state {
                TicketState::Serving { since, at: begun, .. } => {
                    let coming = begun.since_ms(*since) + ticket.progress.approach_ms;
                    slot_ms.map(|slot| (slot - coming).max(0))
                }
                _ => None,
            };
            let ended = VisitRecord {
                slot_ms: *slot_ms,
                serving_ms,
                implausible: *implausible,
                ..visit_record(site, ticket, day, at, VisitOutcome::Served)
            };
            *visit = Some(Box::new(ended));
        }
        Event::TicketClosed { ticket, reason, visit, .. } => {
            let Some(ticket) = site.ticket(*ticket) else { return };
            *visit =
                Some(Box::new(visit_record(site, ticket, day, at, VisitOutcome::Closed(*reason))));
        }
        Event::TicketRestored { ticket, retracts } => {
            let ended = site.ticket(ticket.id).is_some_and(Ticket::has_ended);
            *retracts = ended.then_some(day);
        }
        _ => {}
    }
}

fn visit_record(
    site: &Site,
    ticket: &Ticket,
    day: Day,
    at: Timestamp,
    end: VisitOutcome,
) -> VisitRecord {
    let trail = &ticket.progress;
    // Whoever leaves a counter without being served has kept it until now.
    let slot_ms = match &ticket.state {
        TicketState::Called { at: since, .. } | TicketState::Serving { since, .. } => {
            Some(ticket.worked_ms + at.since_ms(*since).max(0))
        }
        _ => trail.missed_ms,
    };
    VisitRecord {
        day,
        queue: ticket.queue.clone(),
        counter: ticket.at_counter().cloned(),
        taken_at: ticket.taken_at,
        called_at: trail.called_at,
        started_at: trail.started_at,
        ended_at: at,
        slot_ms,
        serving_ms: None,
        implausible: false,
        counts: ticket.counts,
        called_out_of_order: trail.called_out_of_order,
        quoted: ticket.quoted,
        basis: ticket.basis,
        overtaken: site.overtake_counts(ticket),
        end,
    }
}
