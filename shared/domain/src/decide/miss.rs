//! Misses, returns and expiry of missed tickets.

use super::{Decided, Decider, decided, ticket_changed, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::TicketId;
use crate::model::rank::Rank;
use crate::model::rules::{CallPolicy, MISSED_LANE_CLASS, MissedPolicy, MissedRules, QueueRules};
use crate::model::ticket::{CloseReason, Ticket, TicketState};
use crate::protocol::command::CounterTicket;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    pub(super) fn miss(&self, served: &CounterTicket) -> Decided {
        let counter = &served.counter;
        let ticket = self.confirm_counter_ticket(served)?;
        let TicketState::Called { deadline, .. } = &*ticket.state else {
            return Err(wrong_state(ticket));
        };
        let rules = self.queue(&ticket.queue)?;
        if self.actor.role() == Role::System && *deadline > self.now.at {
            return Err(Refusal::NotDue);
        }
        let MissedRules { policy, returns, minutes } = rules.missed;
        let expires = policy == MissedPolicy::Void || ticket.counts.misses >= returns;
        let until = self.now.at.plus_minutes(minutes);
        // A ticket that is not carried over ends with the day.
        let until = if rules.carry_over { until } else { until.min(self.now.today.interval.to) };
        let missed = Event::TicketMissed {
            ticket: ticket.id,
            counter: counter.clone(),
            until: (!expires).then_some(until),
        };
        let expired = expires.then(|| Event::ticket_closed(ticket.id, CloseReason::Expired, None));
        let outcome = Outcome::Missed {
            ticket: ticket.id,
            number: ticket.number.clone(),
            counter: counter.clone(),
        };
        decided(outcome, [missed].into_iter().chain(expired).collect())
    }

    /// Rank of a missed ticket on return; `None` if it is not missed, an error if it is too late or
    /// has no return left.
    pub(super) fn return_rank(&self, ticket: &Ticket) -> Option<Result<Rank, Refusal>> {
        let TicketState::Missed { until: Some(until), .. } = *ticket.state else { return None };
        let Ok(rules) = self.queue(&ticket.queue) else {
            return Some(Err(Refusal::UnknownQueue(ticket.queue.clone())));
        };
        if until <= self.now.at {
            return Some(Err(Refusal::TooLate(ticket.number.clone())));
        }
        if ticket.counts.misses > rules.missed.returns {
            return Some(Err(Refusal::TooOften(ticket.number.clone())));
        }
        Some(Ok(self.rank_after_miss(ticket, rules)))
    }

    fn rank_after_miss(&self, ticket: &Ticket, rules: &QueueRules) -> Rank {
        let line = self.site.line(&ticket.queue);
        let class = match rules.policy {
            CallPolicy::Interleave { missed_lane: true, .. } => MISSED_LANE_CLASS,
            _ => ticket.rank.class,
        };
        let end = || line.tail_rank(self.arrival_rank(class, ticket.id));
        match rules.missed.policy {
            // The missed lane is called in turn: places back would be places of the lane.
            _ if class == MISSED_LANE_CLASS => end(),
            MissedPolicy::AfterK { k, grow } => {
                let places = k + grow * ticket.counts.misses.saturating_sub(1);
                line.rank_behind(class, places).unwrap_or_else(end)
            }
            MissedPolicy::HoldMinutes => line.front_rank(class).unwrap_or_else(end),
            MissedPolicy::Tail | MissedPolicy::Void => end(),
        }
    }

    /// Requires a missed ticket that may return. Returns its rank after that.
    pub(super) fn check_return(&self, ticket: &Ticket) -> Result<Rank, Refusal> {
        self.return_rank(ticket).ok_or_else(|| wrong_state(ticket))?
    }

    pub(super) fn return_to_line(&self, ticket: TicketId) -> Decided {
        let ticket = self.live_ticket(ticket)?;
        let rank = self.check_return(ticket)?;
        ticket_changed(ticket, vec![Event::TicketReturned { ticket: ticket.id, rank }])
    }

    pub(super) fn expire(&self, ticket: TicketId) -> Decided {
        let ticket = self.live_ticket(ticket)?;
        match self.return_rank(ticket) {
            None => Err(wrong_state(ticket)),
            Some(Ok(_)) => Err(Refusal::NotDue),
            Some(Err(_)) => {
                let closed = Event::ticket_closed(ticket.id, CloseReason::Expired, None);
                ticket_changed(ticket, vec![closed])
            }
        }
    }
}
