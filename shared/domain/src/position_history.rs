//! Position changes of a site: recorded as events are applied, and read for one ticket.

use crate::model::ids::{QueueId, TicketId};
use crate::model::position_changes::{PositionChange, PositionChangeCause, TicketPositionChange};
use crate::model::rank::Rank;
use crate::model::site::Site;
use crate::model::ticket::{Ticket, TicketStatus};
use crate::model::time::Timestamp;

impl Site {
    /// Changes that affected the position of a ticket since it has its present place, and the
    /// change that gave it that place; oldest first.
    pub fn position_changes_of(&self, ticket: &Ticket) -> Vec<TicketPositionChange> {
        let Some(line) = self.lines.get(&ticket.queue) else { return Vec::new() };
        let mut changes = Vec::new();
        for change in line.position_changes() {
            let own = change.ticket == ticket.id;
            if own && change.to.is_some() {
                // Before that the ticket had another place.
                changes.retain(|earlier: &TicketPositionChange| earlier.own);
            }
            let effect = if own { Some(0) } else { change.effect_on(ticket.rank, ticket.id) };
            let was_in_line = ticket.id <= change.newest_ticket;
            if let Some(ahead_delta) = effect.filter(|_| was_in_line) {
                let number = change.number.clone();
                let cause = change.cause;
                let at = change.at;
                changes.push(TicketPositionChange { own, number, cause, ahead_delta, at });
            }
        }
        changes
    }

    /// Queue and rank of a ticket that waits.
    pub(crate) fn waiting_position(&self, ticket: TicketId) -> Option<(QueueId, Rank)> {
        let ticket = self.ticket(ticket)?;
        let waits = ticket.status() == TicketStatus::Waiting;
        waits.then(|| (ticket.queue.clone(), ticket.rank))
    }

    /// Records that a ticket left the position `was`.
    pub(crate) fn record_position_change(
        &mut self,
        id: TicketId,
        was: Option<(QueueId, Rank)>,
        cause: PositionChangeCause,
        at: Timestamp,
    ) {
        let is = self.waiting_position(id);
        let Some(ticket) = self.ticket(id) else { return };
        let number = ticket.number.clone();
        let queue = ticket.queue.clone();
        let in_queue = |position: Option<(QueueId, Rank)>| {
            position.filter(|(line, _)| *line == queue).map(|(_, rank)| rank)
        };
        let from = in_queue(was);
        let to = in_queue(is);
        if from.is_some() || to.is_some() {
            let newest = TicketId(self.last_ticket);
            let line = self.line_mut(&queue);
            line.position_changes.add(PositionChange {
                ticket: id,
                number,
                from,
                to,
                cause,
                at,
                newest_ticket: newest,
            });
        }
    }
}
