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
        let mut moves = Vec::new();
        for one in line.position_changes() {
            let own = one.ticket == ticket.id;
            if own && one.to.is_some() {
                // Before that the ticket had another place.
                moves.retain(|moved: &TicketPositionChange| moved.own);
            }
            let touches = match own {
                true => Some(0),
                false => one.effect_on(ticket.rank, ticket.id),
            };
            let was_there = ticket.id <= one.newest_ticket;
            if let Some(more) = touches.filter(|_| was_there) {
                let (number, cause, at) = (one.number.clone(), one.cause, one.at);
                moves.push(TicketPositionChange { own, number, cause, ahead_delta: more, at });
            }
        }
        moves
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
        let (number, queue) = (ticket.number.clone(), ticket.queue.clone());
        let here = |place: Option<(QueueId, Rank)>| {
            place.filter(|(line, _)| *line == queue).map(|(_, rank)| rank)
        };
        let (from, to) = (here(was), here(is));
        if from.is_some() || to.is_some() {
            let newest = TicketId(self.last_ticket);
            let line = self.lines.entry(queue).or_default();
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
