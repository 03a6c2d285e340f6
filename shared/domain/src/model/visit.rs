//! What is left of a visit when it has ended: when what happened, what was told, and how often
//! others went before. It names nobody, and is written beside the event that ends the ticket, so
//! that whoever keeps the history needs nothing but that event.

use crate::estimate::{Estimate, Forecast, Method, Shown, Visit, VisitEnd};
use crate::model::ids::{CounterId, QueueId};
use crate::model::moves::Cause;
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Counts, Stage, Ticket, Told};
use crate::model::time::{Day, Timestamp};
use crate::protocol::event::Event;

/// A visit that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedVisit {
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
    pub counts: Counts,
    /// Whether it was called before its turn.
    pub jumped: bool,
    /// What was told when the number was taken.
    pub told: Told,
    /// What that rested on.
    pub basis: Option<Basis>,
    /// How often others went before.
    pub overtaken: Overtaken,
    /// How it ended.
    pub end: Ending,
}

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Served.
    Served,
    /// Closed, for this reason.
    Closed(CloseReason),
}

/// What a told range rested on, kept to learn from what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// Seconds, before calibration.
    pub predicted_s: u32,
    /// The told median in seconds, not rounded.
    pub median_s: u32,
    /// The version of the method ([`Method::code`]); it may be a later program's.
    pub method: u8,
}

impl Basis {
    /// What a forecast says of itself.
    pub(crate) fn of(forecast: Forecast) -> Basis {
        let Forecast { predicted_s, median_s, method, .. } = forecast;
        Basis { predicted_s, median_s, method: method.code() }
    }
}

/// How often somebody who waited was overtaken: another came to stand before them, or was called
/// from behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overtaken {
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

impl Overtaken {
    /// All of them.
    pub fn total(&self) -> u32 {
        let Overtaken { priority, returned, transferred, resumed, taken_back, out_of_order } = self;
        priority + returned + transferred + resumed + taken_back + out_of_order
    }

    pub(crate) fn count(&mut self, cause: Cause) {
        *match cause {
            // It is out of the way of others.
            Cause::Hold => return,
            Cause::Priority => &mut self.priority,
            Cause::Return => &mut self.returned,
            Cause::Transfer => &mut self.transferred,
            Cause::Resume => &mut self.resumed,
            Cause::TakenBack => &mut self.taken_back,
            Cause::OutOfOrder => &mut self.out_of_order,
        } += 1;
    }
}

/// What a ticket remembers on its way, for the end and for what is told until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trail {
    /// When it was called first.
    pub called_at: Option<Timestamp>,
    /// When service began first.
    pub started_at: Option<Timestamp>,
    /// Whether the first call was before its turn.
    pub jumped: bool,
    /// Of the milliseconds of service before an interruption, how many passed between a call and
    /// the beginning.
    pub coming_ms: i64,
    /// Milliseconds that the last call without an answer kept a counter.
    pub missed_ms: Option<i64>,
    /// How often others went before, as far as that has been counted.
    pub overtaken: Overtaken,
    /// How many of its line's overtakes are in that.
    pub(crate) counted: u32,
    /// The range that its holder was told last.
    pub shown: Option<Shown>,
}

impl Trail {
    /// Takes in that the holder was told a range.
    pub(crate) fn tell(&mut self, told: &Told, at: Timestamp) {
        if let Some(range) = told.estimate {
            self.shown =
                Some(self.shown.map_or(Shown::first(range), |shown| shown.next(range, at)));
        }
    }

    /// The range to tell now that it would be this.
    pub(crate) fn steady(&self, fresh: Estimate, at: Timestamp) -> Estimate {
        self.shown.map_or(fresh, |shown| shown.next(fresh, at).range)
    }
}

impl EndedVisit {
    /// Milliseconds from taking the number to the first call.
    pub fn waited_ms(&self) -> Option<i64> {
        Some(self.called_at?.since_ms(self.taken_at).max(0))
    }

    /// The wait in seconds, where it can be held against what was told: not if the visit was held,
    /// transferred or called before its turn, nor if nobody had to wait.
    pub fn comparable_wait_s(&self) -> Option<u32> {
        let Counts { holds, hops, .. } = self.counts;
        let foretold = self.basis.is_some_and(|basis| basis.predicted_s > 0);
        let plain = holds == 0 && hops == 0 && !self.jumped;
        (foretold && plain).then(|| self.waited_ms().map(seconds)).flatten()
    }

    /// As the model learns from it; `None` if it teaches nothing, having been voided before a call.
    pub fn lesson(&self) -> Option<Visit> {
        let ahead = self.told.ahead;
        let end = match (self.waited_ms(), self.end) {
            (Some(waited_ms), _) => VisitEnd::Called {
                waited_s: seconds(waited_ms),
                slot_s: self.slot_ms.map_or(0, seconds),
                implausible: self.implausible || self.slot_ms.is_none(),
            },
            (None, Ending::Closed(CloseReason::ByCustomer | CloseReason::ByStaff)) => {
                VisitEnd::Cancelled
            }
            (None, _) => return None,
        };
        // Of another method it cannot be said what its prediction was.
        let own = self.basis.filter(|basis| Method::of_code(basis.method).is_some());
        let predicted_s = self.comparable_wait_s().and(own).map(|basis| basis.predicted_s);
        Some(Visit { ahead, predicted_s, end })
    }
}

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}

/// Fills in what an event that ends a ticket says of the visit, and what one that takes an end back
/// retracts. `site` is as it was before the event.
pub(crate) fn sum_up(event: &mut Event, site: &Site, at: Timestamp) {
    let Some(day) = site.day() else { return };
    match event {
        Event::TicketFinished { ticket, slot_ms, implausible, visit, .. } => {
            let Some(ticket) = site.ticket(*ticket) else { return };
            let serving_ms = match &ticket.stage {
                Stage::Serving { since, at: begun, .. } => {
                    let coming = begun.since_ms(*since) + ticket.trail.coming_ms;
                    slot_ms.map(|slot| (slot - coming).max(0))
                }
                _ => None,
            };
            let ended = EndedVisit {
                slot_ms: *slot_ms,
                serving_ms,
                implausible: *implausible,
                ..ended(site, ticket, day, at, Ending::Served)
            };
            *visit = Some(Box::new(ended));
        }
        Event::TicketClosed { ticket, reason, visit, .. } => {
            let Some(ticket) = site.ticket(*ticket) else { return };
            *visit = Some(Box::new(ended(site, ticket, day, at, Ending::Closed(*reason))));
        }
        Event::TicketRestored { ticket, retracts } => {
            let ended = site.ticket(ticket.id).is_some_and(Ticket::has_ended);
            *retracts = ended.then_some(day);
        }
        _ => {}
    }
}

fn ended(site: &Site, ticket: &Ticket, day: Day, at: Timestamp, end: Ending) -> EndedVisit {
    let trail = &ticket.trail;
    // Whoever leaves a counter without being served has kept it until now.
    let slot_ms = match &ticket.stage {
        Stage::Called { at: since, .. } | Stage::Serving { since, .. } => {
            Some(ticket.worked_ms + at.since_ms(*since).max(0))
        }
        _ => trail.missed_ms,
    };
    EndedVisit {
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
        jumped: trail.jumped,
        told: ticket.told,
        basis: ticket.basis,
        overtaken: site.overtaken(ticket),
        end,
    }
}
