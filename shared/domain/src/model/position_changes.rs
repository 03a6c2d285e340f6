//! Why people's places in a line change, other than by waiting: what a line remembers of it, and
//! what of that touched somebody.

use crate::model::ids::{Number, TicketId};
use crate::model::rank::Rank;
use crate::model::time::Timestamp;
use imbl::Vector;

/// How many of its latest moves a line remembers.
const MAX_POSITION_CHANGES: usize = 40;

/// Somebody came to a place in a line, or left one, in another way than by waiting for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionChange {
    /// Whose ticket.
    pub ticket: TicketId,
    /// Its number.
    pub number: Number,
    /// The place that they left in this line; `None` if they had none.
    pub from: Option<Rank>,
    /// The place that they have in this line now; `None` if they have none.
    pub to: Option<Rank>,
    /// Through what.
    pub cause: PositionChangeCause,
    /// When.
    pub at: Timestamp,
    /// The last ticket that had been given out by then: clocks differ, this order does not.
    pub newest_ticket: TicketId,
}

/// Through what somebody's place changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionChangeCause {
    /// A better class.
    Priority,
    /// A return after a miss.
    Return,
    /// A transfer.
    Transfer,
    /// A while out of the line, with the place kept.
    Hold,
    /// The end of that: the place was theirs.
    Resume,
    /// A call before it was their turn.
    OutOfOrder,
    /// A call or an end that was taken back: the place was theirs.
    TakenBack,
}

/// A move as it is for somebody in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPositionChange {
    /// Whether it was their own.
    pub own: bool,
    /// Whose it was.
    pub number: Number,
    /// Through what.
    pub cause: PositionChangeCause,
    /// By how many more they have ahead; less, if negative. 0 for their own moves and for whoever
    /// was called before them from behind.
    pub ahead_delta: i32,
    /// When.
    pub at: Timestamp,
}

/// The latest moves in a line, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PositionChanges(Vector<PositionChange>);

impl PositionChanges {
    pub(crate) fn add(&mut self, moved: PositionChange) {
        self.0.push_back(moved);
        while self.0.len() > MAX_POSITION_CHANGES {
            self.0.pop_front();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PositionChange> {
        self.0.iter()
    }
}

impl PositionChange {
    /// What it is for the holder of another place; `None` if nothing.
    pub(crate) fn effect_on(&self, rank: Rank, ticket: TicketId) -> Option<i32> {
        let in_front = |place: Option<Rank>| {
            i32::from(place.is_some_and(|place| (place, self.ticket) < (rank, ticket)))
        };
        let more = in_front(self.to) - in_front(self.from);
        let overtaken = self.cause == PositionChangeCause::OutOfOrder && in_front(self.from) == 0;
        (more != 0 || overtaken).then_some(more)
    }
}
