//! Leaving a line, and forgetting a person.

use super::{Decided, Decider, decided, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::{Person, TicketId};
use crate::model::ticket::{CloseReason, Ticket, TicketStatus};
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

impl Decider<'_> {
    pub(super) fn live_ticket_of(&self, person: &Person) -> Result<&Ticket, Refusal> {
        self.site.live_ticket_of(person).ok_or(Refusal::NoTicketHeld)
    }

    /// Requires a ticket that can be closed. One in service is finished instead.
    pub(super) fn check_leave(&self, ticket: &Ticket) -> Result<(), Refusal> {
        if ticket.is_live() && ticket.status() != TicketStatus::Serving {
            Ok(())
        } else {
            Err(wrong_state(ticket))
        }
    }

    pub(super) fn leave(&self, ticket: TicketId, reason: Option<&Arc<str>>) -> Decided {
        let ticket = self.live_ticket(ticket)?;
        self.check_leave(ticket)?;
        let note = reason.filter(|reason| !reason.trim().is_empty()).cloned();
        let reason = match (self.actor.role(), &note) {
            (Role::Customer, _) => CloseReason::ByCustomer,
            (_, Some(_)) => CloseReason::ByStaff,
            (_, None) => return Err(Refusal::ReasonNeeded),
        };
        let outcome = Outcome::Left { ticket: ticket.id, number: ticket.number.clone() };
        decided(outcome, vec![Event::ticket_closed(ticket.id, reason, note)])
    }

    pub(super) fn forget(&self, person: &Person) -> Decided {
        let tickets = self.site.tickets_of(person);
        let events: Vec<_> = tickets
            .flat_map(|ticket| {
                let reason = CloseReason::ByCustomer;
                let closed = Event::ticket_closed(ticket.id, reason, None);
                let forgotten = Event::HolderForgotten { ticket: ticket.id };
                // A service goes on without the name.
                let can_leave = ticket.is_live() && ticket.status() != TicketStatus::Serving;
                can_leave.then_some(closed).into_iter().chain([forgotten])
            })
            .collect();
        // The tickets of yesterday go with the day that this command opens.
        match self.before.tickets_of(person).next() {
            None => Err(Refusal::PersonUnknown),
            Some(_) => decided(Outcome::Forgotten, events),
        }
    }
}
