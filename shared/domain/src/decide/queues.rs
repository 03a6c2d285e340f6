//! States of queues: opening, pausing, halting, closing and clearing; and notices of longer waits.

use super::{Decided, Decider, decided};
use crate::model::ids::QueueId;
use crate::model::remainder::MAX_BATCH_TICKETS;
use crate::model::ticket::CloseReason;
use crate::notifications;
use crate::protocol::command::QueueState;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    pub(super) fn set_queue(&self, queue: &QueueId, state: QueueState) -> Decided {
        let line = self.site.lines.get(queue);
        let is_notified = match state {
            QueueState::Halted | QueueState::Closed => true,
            // Those who were told of the stop are told that it is over.
            QueueState::Open | QueueState::Paused => !self.site.is_calling(self.rules, queue),
        };
        let unnotified = line
            .filter(|_| is_notified)
            .map_or(0, |line| line.notification_targets().skip(MAX_BATCH_TICKETS).count() as u32);
        let event = Event::QueueSet { queue: queue.clone(), state, unnotified };
        decided(Outcome::QueueSet(queue.clone(), state), vec![event])
    }

    /// Notifies the next batch of the holders who were there when the queue changed.
    pub(super) fn continue_notify_queue(&self, queue: &QueueId) -> Decided {
        let Some(remainder) = self.site.lines.get(queue).and_then(|line| line.unnotified.as_ref())
        else {
            return Err(Refusal::NotDue);
        };
        let people = remainder.next_batch().count() as u32;
        let mut events = notifications::queue_state_notifications(
            self.site, self.rules, self.now, queue, remainder,
        );
        events.push(Event::QueueBatchNotified { queue: queue.clone(), people });
        decided(Outcome::HoldersNotified { people }, events)
    }

    /// Voids the tickets of a queue that are not being called or served.
    pub(super) fn clear_queue(&self, queue: &QueueId) -> Decided {
        let all: Vec<_> = self.site.line(queue).all_tickets().collect();
        let voided = all.len() as u32;
        let remaining = all.len().saturating_sub(MAX_BATCH_TICKETS) as u32;
        let first = all.into_iter().take(MAX_BATCH_TICKETS);
        let closed =
            first.map(|ticket| Event::ticket_closed(ticket, CloseReason::QueueCleared, None));
        let cleared = Event::QueueCleared { queue: queue.clone(), voided, remaining };
        let outcome = Outcome::QueueCleared { queue: queue.clone(), voided };
        decided(outcome, closed.chain([cleared]).collect())
    }

    /// Voids the next batch of those that were there when the queue was cleared, and still are.
    pub(super) fn continue_clear_queue(&self, queue: &QueueId) -> Decided {
        let Some(remainder) = self.site.lines.get(queue).and_then(|line| line.uncleared.as_ref())
        else {
            return Err(Refusal::NotDue);
        };
        let tickets = remainder.next_batch().count() as u32;
        let still_there = remainder.next_batch().filter(|id| {
            let ticket = self.site.ticket(*id).filter(|ticket| ticket.queue == *queue);
            ticket.is_some_and(|ticket| ticket.is_live() && ticket.at_counter().is_none())
        });
        let mut events: Vec<_> = still_there
            .map(|id| Event::ticket_closed(id, CloseReason::QueueCleared, None))
            .collect();
        let voided = events.len() as u32;
        events.push(Event::QueueBatchCleared { queue: queue.clone(), tickets });
        decided(Outcome::QueueCleared { queue: queue.clone(), voided }, events)
    }

    pub(super) fn notify_slipped(&self, queue: &QueueId) -> Decided {
        let events = notifications::slip_notifications(self.site, self.rules, self.now, queue);
        match events.len() {
            0 => Err(Refusal::NotDue),
            people => decided(Outcome::HoldersNotified { people: people as u32 }, events),
        }
    }
}
