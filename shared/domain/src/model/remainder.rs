//! Tickets for which a decision made for many is still to be carried out.

use crate::model::ids::TicketId;
use crate::model::time::Timestamp;
use imbl::Vector;

/// So many people in one decision at most. A ticket that is carried over is the largest of what is
/// written for each, with more than a kilobyte; an entry of the ledger may have a thousand.
pub const MAX_BATCH_TICKETS: usize = 400;

/// Those with whom something has not been done yet that was decided for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remainder {
    /// When it was decided.
    pub(crate) since: Timestamp,
    /// Who is left, in order.
    pub(crate) tickets: Vector<TicketId>,
}

impl Remainder {
    /// These, if there are any.
    pub(crate) fn from_tickets(
        since: Timestamp,
        tickets: impl Iterator<Item = TicketId>,
    ) -> Option<Remainder> {
        let tickets: Vector<_> = tickets.collect();
        (!tickets.is_empty()).then_some(Remainder { since, tickets })
    }

    /// What is left when so many more are done.
    pub(crate) fn advance(mut self, people: u32) -> Option<Remainder> {
        let done = self.tickets.len().min(people as usize);
        let tickets = self.tickets.split_off(done);
        (!tickets.is_empty()).then_some(Remainder { tickets, ..self })
    }

    /// The next ones.
    pub(crate) fn next_batch(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.tickets.iter().take(MAX_BATCH_TICKETS).copied()
    }
}
