//! Tallies of the numbers of today, by person and by queue, kept in step with the tickets.
//!
//! A number that its person still holds is counted by its ticket. A number keeps its prefix
//! wherever its ticket is transferred, so the prefix tells of which queue it was taken. Tickets
//! that were carried over from the day before are not counted.

use crate::model::ids::{Person, QueueId, TicketId};
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Ticket, TicketState};
use imbl::OrdMap;
use std::sync::Arc;

/// Entry of a ticket in the tallies.
#[derive(PartialEq)]
pub(super) struct TallyEntry {
    prefix: Arc<str>,
    /// Person who took it and no longer holds it. Who holds one is found by it.
    person: Option<Person>,
    /// It was given up before it was called.
    is_given_up: bool,
    /// The limit for its holder was lifted by it.
    lifts_limit: bool,
}

impl TallyEntry {
    pub(super) fn for_ticket(ticket: &Ticket) -> TallyEntry {
        let is_given_up = matches!(
            *ticket.state,
            TicketState::Closed { reason: CloseReason::ByCustomer | CloseReason::ByStaff, .. }
        );
        TallyEntry {
            prefix: ticket.number.prefix.clone(),
            person: ticket.person.clone().filter(|_| !ticket.is_live()),
            is_given_up: is_given_up && ticket.counts.calls == 0,
            lifts_limit: ticket.marks.limit_lifted,
        }
    }
}

impl Site {
    /// Number of tickets that a person took of a queue today.
    pub fn taken_by(&self, rules: &Rules, queue: &QueueId, person: &Person) -> u32 {
        let Some(rules) = rules.queues.get(queue) else { return 0 };
        let key = (person.clone(), rules.prefix.clone());
        let holds = self.held_today(&rules.prefix, person).is_some();
        self.takings.get(&key).copied().unwrap_or(0) + u32::from(holds)
    }

    /// Ticket of today that a person holds, with a number of a prefix.
    fn held_today(&self, prefix: &Arc<str>, person: &Person) -> Option<&Ticket> {
        let held = self.live_ticket_of(person).filter(|ticket| self.is_of_today(ticket.id));
        held.filter(|ticket| ticket.number.prefix == *prefix)
    }

    /// Returns whether staff have lifted the limit of a queue for a person today.
    pub fn is_limit_lifted(&self, rules: &Rules, queue: &QueueId, person: &Person) -> bool {
        let Some(rules) = rules.queues.get(queue) else { return false };
        let held = self.held_today(&rules.prefix, person);
        held.is_some_and(|ticket| ticket.marks.limit_lifted)
            || self.lifted_limits.contains_key(&(person.clone(), rules.prefix.clone()))
    }

    /// Number of today's tickets of a queue that count for its daily limit: those that were not
    /// given up before they were called.
    pub fn counted_today(&self, rules: &Rules, queue: &QueueId) -> u32 {
        let taken = self.lines.get(queue).map_or(0, |line| line.taken);
        let given_up = rules.queues.get(queue).and_then(|rules| self.given_up.get(&rules.prefix));
        taken.saturating_sub(given_up.copied().unwrap_or(0))
    }

    /// Returns whether a ticket was taken today, and not carried over from the day before.
    pub(crate) fn is_of_today(&self, ticket: TicketId) -> bool {
        ticket > self.last_carried
    }

    pub(super) fn add_to_tallies(&mut self, id: TicketId, entry: TallyEntry) {
        if !self.is_of_today(id) {
            return;
        }
        if entry.is_given_up {
            *self.given_up.entry(entry.prefix.clone()).or_default() += 1;
        }
        if let Some(person) = entry.person {
            let key = (person, entry.prefix);
            if entry.lifts_limit {
                *self.lifted_limits.entry(key.clone()).or_default() += 1;
            }
            *self.takings.entry(key).or_default() += 1;
        }
    }

    pub(super) fn remove_from_tallies(&mut self, id: TicketId, entry: TallyEntry) {
        if !self.is_of_today(id) {
            return;
        }
        if entry.is_given_up {
            decrement(&mut self.given_up, entry.prefix.clone());
        }
        if let Some(person) = entry.person {
            let key = (person, entry.prefix);
            if entry.lifts_limit {
                decrement(&mut self.lifted_limits, key.clone());
            }
            decrement(&mut self.takings, key);
        }
    }
}

/// Counts one less. A count of nothing is no entry, so that equal sites are equal.
fn decrement<K: Ord + Clone>(counts: &mut OrdMap<K, u32>, key: K) {
    match counts.get(&key) {
        Some(count) if *count > 1 => {
            let less = count - 1;
            counts.insert(key, less);
        }
        _ => {
            counts.remove(&key);
        }
    }
}
