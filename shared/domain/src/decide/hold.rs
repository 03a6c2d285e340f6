//! Out of the line for a while, with the place kept.

use super::{Heard, Sitting, worked_ms, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::TicketId;
use crate::model::ticket::{Hold, HoldWhy, Stage, Ticket};
use crate::protocol::command::Until;
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

impl Sitting<'_> {
    /// A ticket that waits.
    fn waiting(&self, ticket: TicketId) -> Result<&Ticket, Refusal> {
        let ticket = self.live(ticket)?;
        match ticket.stage {
            Stage::Waiting => Ok(ticket),
            _ => Err(wrong_state(ticket)),
        }
    }

    pub(super) fn let_pass(&self, ticket: TicketId, until: Until) -> Heard {
        let ticket = self.waiting(ticket)?;
        let rules = self.queue(&ticket.queue)?;
        if ticket.counts.let_pass >= rules.let_pass {
            return Err(Refusal::TooOften(ticket.number.clone()));
        }
        let most = rules.let_pass_minutes;
        let (minutes, after_calls) = match until {
            Until::Minutes(minutes) if (1..=most).contains(&minutes) => (minutes, None),
            Until::Minutes(_) => {
                return Err(Refusal::OutOfRange("longer than this queue keeps a place"));
            }
            Until::Others(0) => return Err(Refusal::OutOfRange("at least one other")),
            Until::Others(others) => {
                let calls = self.site.line(&ticket.queue).calls;
                (most, Some(calls.saturating_add(others)))
            }
            Until::Tap => (most, None),
        };
        let hold = Hold {
            why: HoldWhy::LetPass,
            reason: "".into(),
            until: Some(self.now.at.plus_minutes(minutes)),
            after_calls,
            counter: None,
        };
        self.held_so(ticket, hold)
    }

    pub(super) fn hold(&self, ticket: TicketId, reason: &Arc<str>, minutes: Option<u32>) -> Heard {
        let ticket = self.waiting(ticket)?;
        if reason.trim().is_empty() {
            return Err(Refusal::ReasonNeeded);
        }
        let hold = Hold {
            why: HoldWhy::Staff,
            reason: reason.clone(),
            until: minutes.map(|minutes| self.now.at.plus_minutes(minutes)),
            after_calls: None,
            counter: None,
        };
        self.held_so(ticket, hold)
    }

    fn held_so(&self, ticket: &Ticket, hold: Hold) -> Heard {
        let worked_ms = worked_ms(ticket, self.now);
        self.stands(ticket, vec![Event::TicketHeld { ticket: ticket.id, hold, worked_ms }])
    }

    /// The place was kept, so it is theirs again.
    pub(super) fn resume(&self, ticket: TicketId) -> Heard {
        let ticket = self.live(ticket)?;
        let Stage::Held { hold, .. } = &ticket.stage else { return Err(wrong_state(ticket)) };
        let due = hold.until.is_some_and(|until| until <= self.now.at);
        if self.actor.role() == Role::System && !due {
            return Err(Refusal::NotDue);
        }
        self.stands(ticket, vec![Event::TicketResumed { ticket: ticket.id }])
    }
}
