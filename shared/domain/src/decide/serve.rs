//! Service: beginning, end and interruption.

use super::{Decided, Decider, decided, ticket_changed, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::{CounterId, TicketId};
use crate::model::ticket::{Hold, HoldKind, Ticket, TicketState};
use crate::protocol::command::CounterTicket;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;
use crate::visit_records;
use std::sync::Arc;

impl Decider<'_> {
    pub(super) fn start(&self, served: &CounterTicket) -> Decided {
        let ticket = self.confirm_counter_ticket(served)?;
        let counter = self.check_called(ticket)?;
        ticket_changed(ticket, vec![self.started_event(ticket, counter)])
    }

    fn started_event(&self, ticket: &Ticket, counter: &CounterId) -> Event {
        Event::TicketStarted { ticket: ticket.id, counter: counter.clone() }
    }

    /// Finishes a service. A called ticket whose service was never started is started too: both
    /// events are recorded.
    pub(super) fn finish(&self, served: &CounterTicket) -> Decided {
        let counter = &served.counter;
        let ticket = self.confirm_counter_ticket(served)?;
        let outcome = Outcome::Finished {
            ticket: ticket.id,
            number: ticket.number.clone(),
            counter: counter.clone(),
        };
        let was_called = matches!(*ticket.state, TicketState::Called { .. });
        let started = was_called.then(|| self.started_event(ticket, counter));
        let finished = self.finished_event(ticket, counter, self.actor.role() == Role::System);
        decided(outcome, started.into_iter().chain([finished]).collect())
    }

    pub(super) fn finished_event(
        &self,
        ticket: &Ticket,
        counter: &CounterId,
        unconfirmed: bool,
    ) -> Event {
        visit_records::finished_event(ticket, counter, self.rules, self.now.at, unconfirmed)
    }

    /// Requires a ticket in service. Returns its counter.
    pub(super) fn check_serving<'a>(&self, ticket: &'a Ticket) -> Result<&'a CounterId, Refusal> {
        match &*ticket.state {
            TicketState::Serving { counter, .. } => Ok(counter),
            _ => Err(wrong_state(ticket)),
        }
    }

    pub(super) fn suspend(
        &self,
        served: &CounterTicket,
        reason: &Arc<str>,
        affinity: bool,
    ) -> Decided {
        let ticket = self.confirm_counter_ticket(served)?;
        let counter = self.check_serving(ticket)?;
        if reason.trim().is_empty() {
            return Err(Refusal::ReasonNeeded);
        }
        let hold = Hold {
            kind: HoldKind::Suspended,
            reason: reason.clone(),
            until: None,
            after_calls: None,
            counter: affinity.then(|| counter.clone()),
        };
        let worked_ms = ticket.worked_ms_at(self.now.at);
        ticket_changed(ticket, vec![Event::TicketHeld { ticket: ticket.id, hold, worked_ms }])
    }

    pub(super) fn resume_at_counter(&self, counter: &CounterId, ticket: TicketId) -> Decided {
        self.require_open_counter(counter)?;
        self.require_free_counter(counter)?;
        let ticket = self.live_ticket(ticket)?;
        self.check_resume_at_counter(counter, ticket)?;
        ticket_changed(ticket, vec![self.started_event(ticket, counter)])
    }

    /// Requires a free counter that may resume an interrupted service.
    pub(super) fn check_resume_at_counter(
        &self,
        counter: &CounterId,
        ticket: &Ticket,
    ) -> Result<(), Refusal> {
        let rules = self.require_open_counter(counter)?;
        self.require_free_counter(counter)?;
        let hold = match &*ticket.state {
            TicketState::Held { hold, .. } if hold.kind == HoldKind::Suspended => hold,
            _ => return Err(wrong_state(ticket)),
        };
        let elsewhere = hold.counter.as_ref().is_some_and(|only| only != counter);
        if elsewhere || !rules.queues.contains(&ticket.queue) {
            return Err(Refusal::WrongCounter(counter.clone()));
        }
        Ok(())
    }
}
