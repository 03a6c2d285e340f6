//! Not coming when called, and what becomes of that.

use super::{Heard, Sitting, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::TicketId;
use crate::model::rules::{MISSED_LANE, MissedPolicy, MissedRules, Policy, QueueRules};
use crate::model::ticket::{CloseReason, Rank, Stage, Ticket};
use crate::protocol::command::Served;
use crate::protocol::event::{Event, Outcome};
use crate::protocol::refusal::Refusal;

impl Sitting<'_> {
    pub(super) fn miss(&self, served: &Served) -> Heard {
        let (counter, ticket) = (&served.counter, self.meant_by(served)?);
        let Stage::Called { deadline, .. } = &ticket.stage else {
            return Err(wrong_state(ticket));
        };
        let rules = self.queue(&ticket.queue)?;
        if self.actor.role() == Role::System && *deadline > self.now.at {
            return Err(Refusal::NotDue);
        }
        let MissedRules { policy, returns, minutes } = rules.missed;
        let over = policy == MissedPolicy::Void || ticket.counts.misses >= returns;
        let until = self.now.at.plus_minutes(minutes).min(self.now.today.lasts.to);
        let missed = Event::TicketMissed {
            ticket: ticket.id,
            counter: counter.clone(),
            until: (!over).then_some(until),
        };
        let expired = over.then(|| Event::closed(ticket.id, CloseReason::Expired, None));
        let outcome = Outcome::Missed {
            ticket: ticket.id,
            number: ticket.number.clone(),
            counter: counter.clone(),
        };
        Ok((outcome, [missed].into_iter().chain(expired).collect()))
    }

    /// Where a missed one would stand; `None` if the ticket is not missed, an error if it is too
    /// late or too often for a return.
    pub(super) fn returning(&self, ticket: &Ticket) -> Option<Result<Rank, Refusal>> {
        let Stage::Missed { until: Some(until), .. } = ticket.stage else { return None };
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
            Policy::Interleave { missed_lane: true, .. } => MISSED_LANE,
            _ => ticket.rank.class,
        };
        let end = || line.tail(self.at_the_end(class, ticket.id));
        match rules.missed.policy {
            // Their lane is called from in turn: back places would be places of the lane.
            _ if class == MISSED_LANE => end(),
            MissedPolicy::AfterK { k, grow } => {
                let places = k + grow * ticket.counts.misses.saturating_sub(1);
                line.behind(class, places).unwrap_or_else(end)
            }
            MissedPolicy::HoldMinutes => line.front(class).unwrap_or_else(end),
            MissedPolicy::Tail | MissedPolicy::Void => end(),
        }
    }

    pub(super) fn let_back(&self, ticket: TicketId) -> Heard {
        let ticket = self.live(ticket)?;
        let rank = self.returning(ticket).ok_or_else(|| wrong_state(ticket))??;
        self.stands(ticket, vec![Event::TicketReturned { ticket: ticket.id, rank }])
    }

    pub(super) fn expire(&self, ticket: TicketId) -> Heard {
        let ticket = self.live(ticket)?;
        match self.returning(ticket) {
            None => Err(wrong_state(ticket)),
            Some(Ok(_)) => Err(Refusal::NotDue),
            Some(Err(_)) => {
                let closed = Event::closed(ticket.id, CloseReason::Expired, None);
                self.stands(ticket, vec![closed])
            }
        }
    }
}
