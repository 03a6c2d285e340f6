//! Serving: its beginning, its end, and its interruption.

use super::{Heard, Sitting, worked_ms, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::{CounterId, TicketId};
use crate::model::ticket::{Hold, HoldWhy, Stage, Ticket};
use crate::model::time::MINUTE_MS;
use crate::protocol::command::Served;
use crate::protocol::event::{Event, Outcome};
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

/// A service that nobody ended and that took so many times the owner's minutes, and more than an
/// hour, is not believed.
const IMPLAUSIBLE: i64 = 4;

impl Sitting<'_> {
    pub(super) fn start(&self, served: &Served) -> Heard {
        let ticket = self.meant_by(served)?;
        let Stage::Called { counter, .. } = &ticket.stage else { return Err(wrong_state(ticket)) };
        self.stands(ticket, vec![self.started(ticket, counter)])
    }

    fn started(&self, ticket: &Ticket, counter: &CounterId) -> Event {
        Event::TicketStarted { ticket: ticket.id, counter: counter.clone() }
    }

    /// Somebody who was called and never said to be here was, if they are finished with: both are
    /// written down.
    pub(super) fn finish(&self, served: &Served) -> Heard {
        let (counter, ticket) = (&served.counter, self.meant_by(served)?);
        let outcome = Outcome::Finished {
            ticket: ticket.id,
            number: ticket.number.clone(),
            counter: counter.clone(),
        };
        let started = matches!(ticket.stage, Stage::Called { .. });
        let started = started.then(|| self.started(ticket, counter));
        let finished = self.finished(ticket, counter, self.actor.role() == Role::System);
        Ok((outcome, started.into_iter().chain([finished]).collect()))
    }

    pub(super) fn finished(&self, ticket: &Ticket, counter: &CounterId, unsaid: bool) -> Event {
        let slot_ms = worked_ms(ticket, self.now);
        let minutes = self.rules.queues.get(&ticket.queue).map_or(0, |rules| rules.minutes);
        let most = (IMPLAUSIBLE * i64::from(minutes)).max(60) * MINUTE_MS;
        Event::TicketFinished {
            ticket: ticket.id,
            counter: counter.clone(),
            slot_ms: Some(slot_ms),
            implausible: unsaid && slot_ms > most,
            visit: None,
        }
    }

    pub(super) fn suspend(&self, served: &Served, reason: &Arc<str>, affinity: bool) -> Heard {
        let ticket = self.meant_by(served)?;
        let Stage::Serving { counter, .. } = &ticket.stage else {
            return Err(wrong_state(ticket));
        };
        if reason.trim().is_empty() {
            return Err(Refusal::ReasonNeeded);
        }
        let hold = Hold {
            why: HoldWhy::Suspended,
            reason: reason.clone(),
            until: None,
            after_calls: None,
            counter: affinity.then(|| counter.clone()),
        };
        let worked_ms = worked_ms(ticket, self.now);
        self.stands(ticket, vec![Event::TicketHeld { ticket: ticket.id, hold, worked_ms }])
    }

    pub(super) fn resume_here(&self, counter: &CounterId, ticket: TicketId) -> Heard {
        let rules = self.serving_counter(counter)?;
        self.free(counter)?;
        let ticket = self.live(ticket)?;
        let hold = match &ticket.stage {
            Stage::Held { hold, .. } if hold.why == HoldWhy::Suspended => hold,
            _ => return Err(wrong_state(ticket)),
        };
        let elsewhere = hold.counter.as_ref().is_some_and(|own| own != counter);
        if elsewhere || !rules.queues.contains(&ticket.queue) {
            return Err(Refusal::WrongCounter(counter.clone()));
        }
        self.stands(ticket, vec![self.started(ticket, counter)])
    }
}
