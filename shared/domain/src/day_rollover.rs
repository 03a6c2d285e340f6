//! Events that end a business day and open the next, in batches where one decision is too small.

use crate::model::ids::{CounterId, QueueId};
use crate::model::remainder::MAX_BATCH_TICKETS;
use crate::model::rules::Rules;
use crate::model::site::{Counter, CounterState, Site};
use crate::model::ticket::{CloseReason, Ticket, TicketState};
use crate::model::time::{Day, DecisionInput, OpeningStatus};
use crate::protocol::event::Event;
use crate::visit_records;
use std::collections::BTreeMap;

/// Batch of the end of a day that is too large for one decision.
pub(crate) struct DayCloseBatch {
    /// Number of tickets still to be voided, or still to be carried over, before this batch.
    pub(crate) left_before: u32,
    /// The same number after this batch.
    pub(crate) left_after: u32,
    pub(crate) events: Vec<Event>,
}

/// Returns `true` if the day would go on by more than one, by a clock that nothing confirms.
pub(crate) fn is_unconfirmed(site: &Site, now: &DecisionInput) -> bool {
    let is_far = |day: Day| now.day().0.saturating_sub(day.0) > 1;
    !now.confirmed && site.day.is_some_and(is_far)
}

/// Next batch of the end of a day; `None` if the rest fits into the first decision of the new day.
pub(crate) fn next_batch(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<DayCloseBatch> {
    let after_batch = |remaining: usize| remaining.saturating_sub(MAX_BATCH_TICKETS) as u32;
    if !site.pending_carry_over.is_empty() {
        let remaining = site.pending_carry_over.len();
        let next = site
            .pending_carry_over
            .iter()
            .take(MAX_BATCH_TICKETS)
            .map(|ticket| Box::new((**ticket).clone()));
        let events = next.map(|ticket| Event::TicketCarried { ticket }).collect();
        return Some(DayCloseBatch {
            left_before: remaining as u32,
            left_after: after_batch(remaining),
            events,
        });
    }
    if site.day? >= now.day() || is_unconfirmed(site, now) {
        return None;
    }
    let (carried, void) = partition_carried_over(site, rules);
    let remaining = void.len();
    let going_on = carried.len();
    if remaining > MAX_BATCH_TICKETS {
        let ended = void.into_iter().take(MAX_BATCH_TICKETS);
        let events = ended.map(|ticket| end_event(ticket, rules, now)).collect();
        return Some(DayCloseBatch {
            left_before: (remaining + going_on) as u32,
            left_after: after_batch(remaining + going_on),
            events,
        });
    }
    (going_on > MAX_BATCH_TICKETS).then(|| DayCloseBatch {
        left_before: going_on as u32,
        left_after: after_batch(going_on),
        events: day_rollover_events(site, rules, now),
    })
}

/// Live tickets that are carried over the end of the day, and those that are not.
fn partition_carried_over<'a>(site: &'a Site, rules: &Rules) -> (Vec<&'a Ticket>, Vec<&'a Ticket>) {
    let live = site.live_tickets().into_iter().filter_map(|id| site.ticket(id));
    live.partition(|ticket| rules.queues.get(&ticket.queue).is_some_and(|rules| rules.carry_over))
}

/// Event that ends a ticket with its day: served, if it was being served, and void otherwise.
fn end_event(ticket: &Ticket, rules: &Rules, now: &DecisionInput) -> Event {
    match &*ticket.state {
        TicketState::Serving { counter, .. } => {
            visit_records::finished_event(ticket, counter, rules, now.at, true)
        }
        _ => Event::ticket_closed(ticket.id, CloseReason::DayClosed, None),
    }
}

/// Counters that stay as they are over the turn of the day: those of a queue that is carried over
/// and open now.
fn kept_counters<'a>(
    site: &'a Site,
    rules: &'a Rules,
    now: &'a DecisionInput,
) -> impl Iterator<Item = (&'a CounterId, &'a Counter)> {
    let is_open = |queue: &QueueId| {
        rules.queues.get(queue).is_some_and(|rules| rules.carry_over)
            && now.opening_status(queue) != OpeningStatus::Outside
    };
    site.counters.iter().filter(move |(id, counter)| {
        let serves = rules.counters.get(*id).is_some_and(|rules| rules.queues.iter().any(is_open));
        counter.state != CounterState::Offline && serves
    })
}

/// Events before the first decision of a new day; none on any other. They notify nobody: it is the
/// middle of the night.
pub(crate) fn day_rollover_events(site: &Site, rules: &Rules, now: &DecisionInput) -> Vec<Event> {
    let Some(day) = site.day else {
        return vec![Event::DayOpened { day: now.day(), carrying: 0 }];
    };
    // A replica whose clock is behind must not lead the site back into yesterday.
    if day >= now.day() {
        return Vec::new();
    }
    let (carried, void) = partition_carried_over(site, rules);
    let mut events: Vec<_> = void.into_iter().map(|ticket| end_event(ticket, rules, now)).collect();
    let before = site.tickets().filter(|ticket| {
        matches!(*ticket.state, TicketState::Closed { reason: CloseReason::DayClosed, .. })
    });
    let voids = events.iter().filter(|event| matches!(event, Event::TicketClosed { .. }));
    let voided = (voids.count() + before.count()) as u32;
    if voided > 0 || !carried.is_empty() {
        events.push(Event::DayClosed { day, voided, carried: carried.len() as u32 });
    }
    let carrying = carried.len().saturating_sub(MAX_BATCH_TICKETS) as u32;
    events.push(Event::DayOpened { day: now.day(), carrying });
    // A ticket at a counter stays there.
    let busy = carried.iter().filter_map(|ticket| ticket.at_counter());
    let busy: BTreeMap<_, _> = busy.map(|counter| (counter, site.counter(counter))).collect();
    let kept = kept_counters(site, rules, now).filter(|(id, _)| !busy.contains_key(id));
    let kept = kept.map(|(id, counter)| (id, counter.clone()));
    let kept: Vec<_> =
        busy.iter().map(|(id, counter)| (*id, counter.clone())).chain(kept).collect();
    for (id, counter) in kept {
        events.push(Event::CounterOpened { counter: id.clone(), login: counter.login });
        if counter.state == CounterState::Break {
            events.push(Event::CounterPaused { counter: id.clone() });
        }
    }
    events.extend(
        carried
            .into_iter()
            .take(MAX_BATCH_TICKETS)
            .map(|ticket| Event::TicketCarried { ticket: Box::new(site.as_carried_over(ticket)) }),
    );
    events
}
