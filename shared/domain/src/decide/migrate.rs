//! Migration of an account: its people are known by other openids.

use super::{Decided, Decider, ticket_changed};
use crate::model::ids::Person;
use crate::model::ticket::{CloseReason, Ticket, TicketStatus};
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    /// Names a person by the new openid on every ticket of today. Somebody who has taken a second
    /// ticket at the new account meanwhile keeps the better one of the two.
    pub(super) fn migrate_holder(&self, from: &Person, to: &Person) -> Decided {
        if from == to {
            return Err(Refusal::OutOfRange("the new openid is the former one"));
        }
        let is_named = |ticket: &&Ticket| ticket.person.as_ref() == Some(from);
        let named: Vec<_> = self.site.tickets().filter(is_named).collect();
        let newest = *named.last().ok_or(Refusal::PersonUnknown)?;
        let former = self.site.live_ticket_of(from);
        let present = self.site.live_ticket_of(to);
        let (kept, extra) = match (former, present) {
            (Some(former), Some(present)) if standing(present) > standing(former) => {
                (present, Some(former))
            }
            (Some(former), present) => (former, present),
            (None, present) => (present.unwrap_or(newest), None),
        };
        // A service goes on without the name.
        let is_served = |ticket: &Ticket| ticket.status() == TicketStatus::Serving;
        let nameless = extra.filter(|extra| is_served(extra)).map(|extra| extra.id);
        let ended = extra.map(|extra| match nameless {
            Some(ticket) => Event::HolderForgotten { ticket },
            None => Event::ticket_closed(extra.id, CloseReason::Duplicate, None),
        });
        let migrated = named
            .iter()
            .filter(|ticket| Some(ticket.id) != nameless)
            .map(|ticket| Event::HolderMigrated { ticket: ticket.id, person: to.clone() });
        ticket_changed(kept, ended.into_iter().chain(migrated).collect())
    }
}

/// Worth of a live ticket to its holder: one at a counter comes before one in the line, and that
/// before one that was missed.
fn standing(ticket: &Ticket) -> u8 {
    match ticket.status() {
        TicketStatus::Called | TicketStatus::Serving => 2,
        TicketStatus::Missed => 0,
        _ => 1,
    }
}
