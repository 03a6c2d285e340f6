//! Position changes in a line other than by waiting.

use crate::model::ids::{Number, TicketId};
use crate::model::rank::Rank;
use crate::model::time::Timestamp;
use imbl::Vector;

/// Number of latest changes that a line keeps.
const MAX_POSITION_CHANGES: usize = 40;

/// Change of a ticket's position in a line, other than by waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionChange {
    /// Ticket that changed position.
    pub ticket: TicketId,
    /// Number on that ticket.
    pub number: Number,
    /// Former rank in this line; `None` if it had none.
    pub from: Option<Rank>,
    /// New rank in this line; `None` if it has none.
    pub to: Option<Rank>,
    /// Cause of the change.
    pub cause: PositionChangeCause,
    /// Time of the change.
    pub at: Timestamp,
    /// Newest ticket given out by then. Clocks of replicas differ; this order does not.
    pub newest_ticket: TicketId,
}

/// Causes of a position change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionChangeCause {
    /// A better priority class.
    Priority,
    /// A return after a miss.
    Return,
    /// A transfer.
    Transfer,
    /// A time out of the line, with the position kept.
    Hold,
    /// The end of a hold: the ticket takes its own position again.
    Resume,
    /// A call out of order.
    OutOfOrder,
    /// A call or an end that was taken back: the ticket takes its own position again.
    TakenBack,
}

/// Position change from the view of one ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPositionChange {
    /// `true` if the ticket itself changed position.
    pub own: bool,
    /// Number on the ticket that changed position.
    pub number: Number,
    /// Cause of the change.
    pub cause: PositionChangeCause,
    /// Change of the number ahead, negative if fewer. 0 for the ticket's own change, and for a call
    /// out of order from behind it.
    pub ahead_delta: i32,
    /// Time of the change.
    pub at: Timestamp,
}

/// Latest position changes in a line, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PositionChanges(Vector<PositionChange>);

impl PositionChanges {
    pub(crate) fn add(&mut self, change: PositionChange) {
        self.0.push_back(change);
        while self.0.len() > MAX_POSITION_CHANGES {
            self.0.pop_front();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PositionChange> {
        self.0.iter()
    }
}

impl FromIterator<PositionChange> for PositionChanges {
    fn from_iter<I: IntoIterator<Item = PositionChange>>(changes: I) -> Self {
        PositionChanges(changes.into_iter().collect())
    }
}

impl PositionChange {
    /// Change of the number ahead for another position; `None` if it is not affected.
    pub(crate) fn effect_on(&self, rank: Rank, ticket: TicketId) -> Option<i32> {
        let in_front = |other: Option<Rank>| {
            i32::from(other.is_some_and(|other| (other, self.ticket) < (rank, ticket)))
        };
        let more = in_front(self.to) - in_front(self.from);
        let overtaken = self.cause == PositionChangeCause::OutOfOrder && in_front(self.from) == 0;
        (more != 0 || overtaken).then_some(more)
    }
}
