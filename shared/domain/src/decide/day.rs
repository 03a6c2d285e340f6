//! End of a business day, as commands request it.

use super::{Decided, Decider};
use crate::day_rollover::DayCloseBatch;
use crate::protocol::command::Act;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    /// Decides the next batch of the end of a day.
    pub(super) fn continue_close_day(&self, batch: DayCloseBatch) -> Decided {
        self.authorize(&Act::CloseDay)?;
        Ok((Outcome::DayRollover { remaining: batch.left_after }, batch.events))
    }

    /// Decides the end of a day that is over. The first command of a new day ends it too; this act
    /// is for sites that get no such command.
    pub(super) fn close_day(&self) -> Decided {
        match self.before.day {
            Some(day) if day < self.now.day() => {
                Ok((Outcome::DayOpened(self.now.day()), Vec::new()))
            }
            _ => Err(Refusal::NotDue),
        }
    }
}
