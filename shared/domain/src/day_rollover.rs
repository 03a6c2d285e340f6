//! Events that end a business day and open the next, in batches where one decision is too small.

use crate::model::remainder::MAX_BATCH_TICKETS;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Ticket, TicketState};
use crate::model::time::DecisionInput;
use crate::protocol::event::Event;

/// Batch of the end of a day that is too large for one decision.
pub(crate) struct DayCloseBatch {
    /// Number of tickets still to be voided, or still to be carried over, before this batch.
    pub(crate) left_before: u32,
    /// The same number after this batch.
    pub(crate) left_after: u32,
    pub(crate) events: Vec<Event>,
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
    if site.day? >= now.day() {
        return None;
    }
    let (carried, void) = partition_carried_over(site, rules);
    let remaining = void.len();
    let going_on = carried.len();
    if remaining > MAX_BATCH_TICKETS {
        let events = void.into_iter().take(MAX_BATCH_TICKETS).map(voided_event).collect();
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

fn voided_event(ticket: &Ticket) -> Event {
    Event::ticket_closed(ticket.id, CloseReason::DayClosed, None)
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
    let mut events: Vec<_> = void.into_iter().map(voided_event).collect();
    let before = site.tickets().filter(|ticket| {
        matches!(ticket.state, TicketState::Closed { reason: CloseReason::DayClosed, .. })
    });
    let voided = (events.len() + before.count()) as u32;
    if voided > 0 || !carried.is_empty() {
        events.push(Event::DayClosed { day, voided, carried: carried.len() as u32 });
    }
    let carrying = carried.len().saturating_sub(MAX_BATCH_TICKETS) as u32;
    events.push(Event::DayOpened { day: now.day(), carrying });
    // A ticket at a counter stays there.
    let busy = carried.iter().filter_map(|ticket| ticket.at_counter());
    events.extend(busy.map(|counter| Event::CounterOpened {
        counter: counter.clone(),
        login: site.counter(counter).login,
    }));
    events.extend(
        carried
            .into_iter()
            .take(MAX_BATCH_TICKETS)
            .map(|ticket| Event::TicketCarried { ticket: Box::new(site.as_carried_over(ticket)) }),
    );
    events
}
