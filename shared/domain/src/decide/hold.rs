//! Holds: out of the line for a while, with the place kept.

use super::{Decided, Decider, ticket_changed, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::TicketId;
use crate::model::rules::QueueRules;
use crate::model::ticket::{Hold, HoldKind, Ticket, TicketState};
use crate::protocol::command::LetPassLimit;
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

impl Decider<'_> {
    /// Requires a ticket that waits.
    fn waiting_ticket(&self, ticket: TicketId) -> Result<&Ticket, Refusal> {
        let ticket = self.live_ticket(ticket)?;
        self.check_waiting(ticket).map(|()| ticket)
    }

    pub(super) fn check_waiting(&self, ticket: &Ticket) -> Result<(), Refusal> {
        match *ticket.state {
            TicketState::Waiting => Ok(()),
            _ => Err(wrong_state(ticket)),
        }
    }

    /// Requires a ticket that may let others pass once more. Returns the rules of its queue.
    pub(super) fn check_let_pass(&self, ticket: &Ticket) -> Result<&QueueRules, Refusal> {
        self.check_waiting(ticket)?;
        let rules = self.queue(&ticket.queue)?;
        if ticket.counts.let_pass >= rules.let_pass || rules.let_pass_minutes == 0 {
            return Err(Refusal::TooOften(ticket.number.clone()));
        }
        Ok(rules)
    }

    pub(super) fn let_pass(&self, ticket: TicketId, until: LetPassLimit) -> Decided {
        let ticket = self.waiting_ticket(ticket)?;
        let rules = self.check_let_pass(ticket)?;
        let max_minutes = rules.let_pass_minutes;
        let (minutes, after_calls) = match until {
            LetPassLimit::Minutes(minutes) if (1..=max_minutes).contains(&minutes) => {
                (minutes, None)
            }
            LetPassLimit::Minutes(_) => {
                return Err(Refusal::OutOfRange("longer than this queue keeps a place"));
            }
            LetPassLimit::Others(0) => return Err(Refusal::OutOfRange("at least one other")),
            LetPassLimit::Others(others) => {
                let calls = self.site.line(&ticket.queue).calls;
                (max_minutes, Some(calls.saturating_add(others)))
            }
            LetPassLimit::OnRequest => (max_minutes, None),
        };
        let hold = Hold {
            kind: HoldKind::LetPass,
            reason: "".into(),
            until: Some(self.now.at.plus_minutes(minutes)),
            after_calls,
            counter: None,
        };
        self.hold_ticket(ticket, hold)
    }

    pub(super) fn hold(
        &self,
        ticket: TicketId,
        reason: &Arc<str>,
        minutes: Option<u32>,
    ) -> Decided {
        let ticket = self.waiting_ticket(ticket)?;
        if reason.trim().is_empty() {
            return Err(Refusal::ReasonNeeded);
        }
        let hold = Hold {
            kind: HoldKind::Staff,
            reason: reason.clone(),
            until: minutes.map(|minutes| self.now.at.plus_minutes(minutes)),
            after_calls: None,
            counter: None,
        };
        self.hold_ticket(ticket, hold)
    }

    fn hold_ticket(&self, ticket: &Ticket, hold: Hold) -> Decided {
        let worked_ms = ticket.worked_ms_at(self.now.at);
        ticket_changed(ticket, vec![Event::TicketHeld { ticket: ticket.id, hold, worked_ms }])
    }

    /// Requires a hold that the actor may end. Holders end those that they began.
    pub(super) fn check_resume(&self, ticket: &Ticket) -> Result<(), Refusal> {
        let TicketState::Held { hold, .. } = &*ticket.state else {
            return Err(wrong_state(ticket));
        };
        match (self.actor.role(), hold.kind) {
            (Role::Customer, HoldKind::Staff | HoldKind::Suspended) => Err(wrong_state(ticket)),
            (Role::System, _) if hold.until.is_none_or(|until| until > self.now.at) => {
                Err(Refusal::NotDue)
            }
            _ => Ok(()),
        }
    }

    /// Ends a hold. The place was kept, so the ticket takes it again.
    pub(super) fn resume(&self, ticket: TicketId) -> Decided {
        let ticket = self.live_ticket(ticket)?;
        self.check_resume(ticket)?;
        ticket_changed(ticket, vec![Event::TicketResumed { ticket: ticket.id }])
    }
}
