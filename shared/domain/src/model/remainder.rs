//! Remainder of a decision for many tickets, carried out in batches.

use crate::model::ids::TicketId;
use crate::model::time::Timestamp;
use imbl::Vector;

/// Largest number of tickets in one decision. A carried-over ticket is the largest record for each
/// of them, with more than a kilobyte; an entry of the ledger may have a thousand.
pub const MAX_BATCH_TICKETS: usize = 400;

/// Tickets for which a decision is still to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder {
    /// Time of the decision.
    pub since: Timestamp,
    /// Remaining tickets, in order.
    pub tickets: Vector<TicketId>,
}

impl Remainder {
    /// Remainder of these tickets; `None` if there are none.
    pub(crate) fn from_tickets(
        since: Timestamp,
        tickets: impl Iterator<Item = TicketId>,
    ) -> Option<Remainder> {
        let tickets: Vector<_> = tickets.collect();
        (!tickets.is_empty()).then_some(Remainder { since, tickets })
    }

    /// Drops the first `people` tickets; `None` if nothing remains.
    pub(crate) fn advance(mut self, people: u32) -> Option<Remainder> {
        let batch_len = self.tickets.len().min(people as usize);
        let tickets = self.tickets.split_off(batch_len);
        (!tickets.is_empty()).then_some(Remainder { tickets, ..self })
    }

    /// Tickets of the next batch.
    pub(crate) fn next_batch(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.tickets.iter().take(MAX_BATCH_TICKETS).copied()
    }
}
