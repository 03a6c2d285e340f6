//! Transfers, priority classes and marks of a ticket.

use super::{Decided, Decider, ticket_changed, wrong_state};
use crate::model::ids::{QueueId, TicketId};
use crate::model::rank::Rank;
use crate::model::rules::{CallPolicy, MISSED_LANE_CLASS, Placement, QueueRules};
use crate::model::ticket::{Ticket, TicketState};
use crate::notifications::MAX_NOTIFY_AHEAD;
use crate::protocol::command::{Mark, QueueState};
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

impl Decider<'_> {
    /// Requires a ticket that waits or is at a counter, and a queue to which it may be transferred.
    /// Returns the rules of that queue.
    pub(super) fn check_transfer(
        &self,
        ticket: &Ticket,
        queue: &QueueId,
    ) -> Result<&QueueRules, Refusal> {
        match *ticket.state {
            TicketState::Called { .. } | TicketState::Serving { .. } => {}
            TicketState::Waiting if ticket.queue != *queue => {}
            _ => return Err(wrong_state(ticket)),
        }
        let rules = self.queue(queue)?;
        let state = self.site.queue_state(self.rules, queue);
        if !self.actor.is_manager() && state != QueueState::Open {
            return Err(match state {
                QueueState::Paused => Refusal::QueuePaused(queue.clone()),
                QueueState::Halted => Refusal::QueueHalted(queue.clone()),
                _ => Refusal::QueueClosed(queue.clone()),
            });
        }
        Ok(rules)
    }

    pub(super) fn transfer(&self, ticket: TicketId, queue: &QueueId) -> Decided {
        let ticket = self.live_ticket(ticket)?;
        let rules = self.check_transfer(ticket, queue)?;
        let class = self.class_after_transfer(ticket, rules);
        let line = self.site.line(queue);
        let end = || line.tail_rank(self.arrival_rank(class, ticket.id));
        let waits = ticket.state == TicketState::Waiting;
        let rank = match rules.transfer {
            Placement::Tail => end(),
            // Whoever chose the wrong queue goes before nobody who was in line earlier, and a place
            // that was lost by a miss is not won back.
            Placement::Arrival | Placement::Front if waits => Rank { class, ..ticket.rank },
            Placement::Arrival => {
                Rank { class, arrival: ticket.arrived, sequence: ticket.id.0, offset: 0 }
            }
            Placement::Front => line.front_rank(class).unwrap_or_else(end),
        };
        let transferred =
            Event::TicketTransferred { ticket: ticket.id, queue: queue.clone(), rank };
        ticket_changed(ticket, vec![transferred])
    }

    /// Priority class in another queue: one that the ticket was given is kept, and that of its
    /// former queue becomes that of the new one.
    fn class_after_transfer(&self, ticket: &Ticket, to: &QueueRules) -> u8 {
        let class = ticket.rank.class;
        let is_of_queue =
            self.rules.queues.get(&ticket.queue).is_some_and(|from| from.class == class);
        let has_lane = matches!(to.policy, CallPolicy::Interleave { missed_lane: true, .. });
        if is_of_queue || class == MISSED_LANE_CLASS && !has_lane { to.class } else { class }
    }

    pub(super) fn prioritise(&self, ticket: TicketId, class: u8, reason: &Arc<str>) -> Decided {
        let ticket = self.live_ticket(ticket)?;
        if reason.trim().is_empty() {
            return Err(Refusal::ReasonNeeded);
        }
        if class >= MISSED_LANE_CLASS {
            return Err(Refusal::OutOfRange("a priority class is 0 to 8"));
        }
        let rank = Rank { class, ..ticket.rank };
        let reason = reason.clone();
        ticket_changed(ticket, vec![Event::TicketPrioritised { ticket: ticket.id, rank, reason }])
    }

    /// Requires a ticket about whose holder the fact can be noted. Whoever waits, and can be
    /// reached, chooses the "near" notice.
    pub(super) fn check_mark(&self, ticket: &Ticket, mark: Mark) -> Result<(), Refusal> {
        if mark == Mark::LimitLifted {
            return self.check_limit_lift(ticket);
        }
        self.check_live(ticket)?;
        match mark {
            Mark::Arrived | Mark::Party(_) | Mark::LimitLifted => Ok(()),
            Mark::NotifyAhead(_) if ticket.person.is_none() => {
                Err(Refusal::NotAllowed(self.actor.role()))
            }
            Mark::NotifyAhead(_) => self.check_waiting(ticket),
            // Said once, until the ticket leaves the line another way.
            Mark::Coming if ticket.marks.coming => Err(wrong_state(ticket)),
            Mark::Coming => match *ticket.state {
                TicketState::Called { .. } => Ok(()),
                TicketState::Waiting if self.is_near(ticket) => Ok(()),
                _ => Err(wrong_state(ticket)),
            },
        }
    }

    /// Requires a ticket of today, ended or not, whose holder may take no further one of its queue.
    fn check_limit_lift(&self, ticket: &Ticket) -> Result<(), Refusal> {
        let of_queue = |rules: &&QueueRules| rules.prefix == ticket.number.prefix;
        let queue = self.rules.queues.iter().find(|(_, rules)| of_queue(rules));
        let limit = queue.and_then(|(queue, rules)| Some((queue, rules.daily_per_person?)));
        let is_reached = limit
            .zip(ticket.person.as_ref())
            .is_some_and(|((queue, limit), person)| self.is_limit_reached(queue, person, limit));
        if is_reached && self.site.is_of_today(ticket.id) {
            Ok(())
        } else {
            let number = ticket.number.clone();
            Err(Refusal::WrongState { number, found: ticket.status() })
        }
    }

    /// True if so few are ahead of a waiting ticket that its holder is told that it is near.
    fn is_near(&self, ticket: &Ticket) -> bool {
        let rules = self.rules.queues.get(&ticket.queue);
        let usual = rules.map_or(0, |rules| rules.near);
        self.site.ahead(ticket) <= ticket.marks.notify_ahead.unwrap_or(usual)
    }

    pub(super) fn mark(&self, ticket: TicketId, mark: Mark) -> Decided {
        let ticket = self.ticket(ticket)?;
        self.check_mark(ticket, mark)?;
        match mark {
            Mark::Party(people) if !(1..=99).contains(&people) => {
                return Err(Refusal::OutOfRange("a party is 1 to 99 people"));
            }
            Mark::NotifyAhead(Some(ahead)) if !(1..=MAX_NOTIFY_AHEAD).contains(&ahead) => {
                return Err(Refusal::OutOfRange("told with 1 to 20 ahead"));
            }
            _ => {}
        }
        ticket_changed(ticket, vec![Event::TicketMarked { ticket: ticket.id, mark }])
    }
}
