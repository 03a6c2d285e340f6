//! Indexes of a site, kept in step with its tickets: lines, counters, holders and deadlines.

use super::tally::TallyEntry;
use crate::model::ids::{CounterId, Person, QueueId, TicketId};
use crate::model::lane::SlipThreshold;
use crate::model::rank::Rank;
use crate::model::site::{Counter, Site};
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::Timestamp;
use std::sync::Arc;

/// Entries of a ticket in the indexes.
struct IndexEntry {
    queue: QueueId,
    rank: Rank,
    location: TicketLocation,
    holder: Option<Person>,
    deadline: Option<Timestamp>,
    slip_threshold: Option<SlipThreshold>,
}

#[derive(PartialEq)]
enum TicketLocation {
    Line,
    Counter(CounterId),
    Held,
    Missed,
    Gone,
}

impl IndexEntry {
    fn for_ticket(ticket: &Ticket) -> IndexEntry {
        let location = match &*ticket.state {
            TicketState::Waiting => TicketLocation::Line,
            TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } => {
                TicketLocation::Counter(counter.clone())
            }
            TicketState::Held { .. } => TicketLocation::Held,
            TicketState::Missed { until: Some(_), .. } => TicketLocation::Missed,
            _ => TicketLocation::Gone,
        };
        IndexEntry {
            queue: ticket.queue.clone(),
            rank: ticket.rank,
            location,
            holder: ticket.person.clone().filter(|_| ticket.is_live()),
            deadline: ticket.deadline(),
            slip_threshold: SlipThreshold::for_ticket(ticket),
        }
    }
}

impl Site {
    /// Inserts a ticket that was not there.
    pub(super) fn insert_ticket(&mut self, mut ticket: Ticket) {
        ticket.progress.overtakes_counted = match *ticket.state {
            TicketState::Waiting => {
                self.lines.get(&ticket.queue).map_or(0, |line| line.overtake_count())
            }
            _ => 0,
        };
        self.index_new(Arc::new(ticket));
    }

    /// Makes the ticket share the texts that it has in common with others of its line. What was
    /// decoded has each text anew.
    fn share_texts(&self, ticket: &mut Ticket) {
        if let Some((queue, _)) = self.lines.get_key_value(&ticket.queue) {
            ticket.queue = queue.clone();
        }
        if let Some((prefix, _)) = self.serials.get_key_value(&ticket.number.prefix) {
            ticket.number.prefix = prefix.clone();
        }
    }

    /// Inserts a ticket as it is, and everything that is derived from it.
    pub(crate) fn index_new(&mut self, mut ticket: Arc<Ticket>) {
        if let Some(ticket) = Arc::get_mut(&mut ticket) {
            self.share_texts(ticket);
        }
        self.last_ticket = self.last_ticket.max(ticket.id.0);
        let serial = self.serials.entry(ticket.number.prefix.clone()).or_default();
        *serial = (*serial).max(ticket.number.serial);
        self.index(ticket.id, IndexEntry::for_ticket(&ticket));
        self.add_to_tallies(ticket.id, TallyEntry::for_ticket(&ticket));
        self.tickets.insert(ticket.id, ticket);
    }

    /// Changes a ticket, and keeps the lines, counters, holders and deadlines in step.
    pub(super) fn update_ticket(
        &mut self,
        id: TicketId,
        change: impl FnOnce(&mut Ticket),
    ) -> Option<Arc<Ticket>> {
        let progress = self.visit_progress(self.ticket(id)?);
        let shared = self.tickets.get_mut(&id)?;
        let was = IndexEntry::for_ticket(shared);
        let was_counted = TallyEntry::for_ticket(shared);
        let ticket = Arc::make_mut(shared);
        let overtakes_counted = progress.overtakes_counted;
        ticket.progress = progress;
        change(ticket);
        ticket.shrink();
        let stays = was.location == TicketLocation::Line && was.queue == ticket.queue;
        ticket.progress.overtakes_counted = match *ticket.state {
            TicketState::Waiting if stays => overtakes_counted,
            TicketState::Waiting => {
                self.lines.get(&ticket.queue).map_or(0, |line| line.overtake_count())
            }
            _ => 0,
        };
        let ticket = shared.clone();
        let is = IndexEntry::for_ticket(shared);
        let moved = was.location != is.location || was.rank != is.rank || was.queue != is.queue;
        if moved
            || was.slip_threshold != is.slip_threshold
            || was.holder != is.holder
            || was.deadline != is.deadline
        {
            self.unindex(id, was);
            self.index(id, is);
        }
        let is_counted = TallyEntry::for_ticket(&ticket);
        if was_counted != is_counted {
            self.remove_from_tallies(id, was_counted);
            self.add_to_tallies(id, is_counted);
        }
        Some(ticket)
    }

    fn unindex(&mut self, id: TicketId, entry: IndexEntry) {
        match entry.location {
            TicketLocation::Line => self.line_mut(&entry.queue).remove(entry.rank, id),
            TicketLocation::Counter(counter) => self.counter_mut(&counter).serving = None,
            TicketLocation::Held => {
                self.line_mut(&entry.queue).held.remove(&id);
            }
            TicketLocation::Missed => {
                self.line_mut(&entry.queue).missed.remove(&id);
            }
            TicketLocation::Gone => {}
        }
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        if let Some(holder) = entry.holder {
            self.holders.remove(&holder);
        }
    }

    fn index(&mut self, id: TicketId, entry: IndexEntry) {
        match entry.location {
            TicketLocation::Line => {
                let arrival = entry.rank.arrival;
                self.last_arrival = self.last_arrival.max(Some(arrival));
                self.line_mut(&entry.queue).insert(entry.rank, id, entry.slip_threshold);
            }
            TicketLocation::Counter(counter) => self.counter_mut(&counter).serving = Some(id),
            TicketLocation::Held => {
                self.line_mut(&entry.queue).held.insert(id);
            }
            TicketLocation::Missed => {
                self.line_mut(&entry.queue).missed.insert(id);
            }
            TicketLocation::Gone => {}
        }
        if let Some(deadline) = entry.deadline {
            self.deadlines.insert((deadline, id));
        }
        if let Some(holder) = entry.holder {
            self.holders.insert(holder, id);
        }
    }

    pub(super) fn counter_mut(&mut self, counter: &CounterId) -> &mut Counter {
        self.counters.entry(counter.clone()).or_default()
    }
}
