//! The end of a business day, and the beginning of the next one, which needs nothing from before.

use super::{Decided, Decider};
use crate::day_rollover::DayCloseBatch;
use crate::protocol::command::Act;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    /// The next part of the end of a day.
    pub(super) fn continue_close_day(&self, piece: DayCloseBatch) -> Decided {
        self.authorize(&Act::CloseDay)?;
        Ok((Outcome::DayTurning { left: piece.left_after }, piece.events))
    }

    /// A day that is over ends by whatever comes first in the new one; this is for sites where
    /// nothing does.
    pub(super) fn close_day(&self) -> Decided {
        match self.before.day {
            Some(day) if day < self.now.day() => {
                Ok((Outcome::DayBegun(self.now.day()), Vec::new()))
            }
            _ => Err(Refusal::NotDue),
        }
    }
}
