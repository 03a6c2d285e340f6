//! Records of visits, written into the events that end a ticket or take its end back.

use crate::model::ids::CounterId;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::{Day, MINUTE_MS, Timestamp};
use crate::model::visit::{VisitOutcome, VisitRecord};
use crate::protocol::event::Event;

/// Multiple of the owner's minutes above which a service that nobody ended, of more than an hour,
/// counts as implausible.
const IMPLAUSIBLE_SLOT_FACTOR: i64 = 4;

/// Event that ends the service of a ticket at a counter. `unconfirmed` if nobody there said so.
pub(crate) fn finished_event(
    ticket: &Ticket,
    counter: &CounterId,
    rules: &Rules,
    at: Timestamp,
    unconfirmed: bool,
) -> Event {
    let slot_ms = ticket.worked_ms_at(at);
    let minutes = rules.queues.get(&ticket.queue).map_or(0, |rules| rules.minutes);
    let max_ms = (IMPLAUSIBLE_SLOT_FACTOR * i64::from(minutes)).max(60) * MINUTE_MS;
    Event::TicketFinished {
        ticket: ticket.id,
        counter: counter.clone(),
        slot_ms: Some(slot_ms),
        implausible: unconfirmed && slot_ms > max_ms,
        visit: None,
    }
}

/// Adds the visit record to an event that ends a ticket, and the retracted day to one that takes an
/// end back. `site` is the state before the event.
pub(crate) fn attach_visit_record(event: &mut Event, site: &Site, at: Timestamp) {
    let Some(day) = site.day() else { return };
    match event {
        Event::TicketFinished { ticket, slot_ms, implausible, visit, .. } => {
            let Some(ticket) = site.ticket(*ticket) else { return };
            let serving_ms = match &*ticket.state {
                TicketState::Serving { since, at: begun, .. } => {
                    // A service that began as it ended was not started by anybody: the call is the
                    // only beginning that is known.
                    let approach_ms = if *begun < at { begun.since_ms(*since) } else { 0 };
                    slot_ms
                        .map(|slot| (slot - approach_ms - ticket.progress.steps.approach_ms).max(0))
                }
                _ => None,
            };
            let record = VisitRecord {
                slot_ms: *slot_ms,
                serving_ms,
                implausible: *implausible,
                ..visit_record(site, ticket, day, at, VisitOutcome::Served)
            };
            *visit = Some(Box::new(record));
        }
        Event::TicketClosed { ticket, reason, visit, .. } => {
            let Some(ticket) = site.ticket(*ticket) else { return };
            *visit =
                Some(Box::new(visit_record(site, ticket, day, at, VisitOutcome::Closed(*reason))));
        }
        Event::TicketRestored { ticket, retracts } => {
            let was_final = site.ticket(ticket.id).is_some_and(Ticket::has_ended);
            *retracts = was_final.then_some(day);
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
    let steps = &ticket.progress.steps;
    // A ticket that leaves a counter without being served has kept it until now.
    let slot_ms = match &*ticket.state {
        TicketState::Called { at: since, .. } | TicketState::Serving { since, .. } => {
            Some(ticket.past.worked_ms + at.since_ms(*since).max(0))
        }
        _ => steps.missed_ms,
    };
    VisitRecord {
        day,
        queue: ticket.queue.clone(),
        counter: ticket.at_counter().cloned(),
        taken_at: ticket.taken_at,
        called_at: steps.called_at,
        started_at: steps.started_at,
        ended_at: at,
        slot_ms,
        serving_ms: None,
        implausible: false,
        counts: *ticket.counts,
        called_out_of_order: steps.called_out_of_order,
        quoted: ticket.quoted,
        basis: ticket.basis,
        overtaken: site.overtake_counts(ticket),
        end,
    }
}
