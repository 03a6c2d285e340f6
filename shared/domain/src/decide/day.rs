//! End of a business day, as commands request it.

use super::{Decided, Decider, decided};
use crate::day_rollover::DayCloseBatch;
use crate::protocol::command::Act;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    /// Decides the next batch of the end of a day.
    pub(super) fn continue_close_day(&self, batch: DayCloseBatch) -> Decided {
        self.authorize(&Act::CloseDay)?;
        decided(Outcome::DayRollover { remaining: batch.left_after }, batch.events)
    }

    /// Decides the end of a day that is over. The first command of a new day ends it too; this act
    /// is for sites that get no such command.
    pub(super) fn close_day(&self) -> Decided {
        match self.before.day {
            Some(day) if day < self.now.day() => {
                decided(Outcome::DayOpened(self.now.day()), Vec::new())
            }
            _ => Err(Refusal::NotDue),
        }
    }

    /// Decides the repair of a site that stands in a wrong day. The decision of a day that is over
    /// begins with its end, as that of any other command; here somebody has vouched for the clock.
    pub(super) fn reset_day(&self, force: bool) -> Decided {
        let today = self.now.day();
        match self.before.day {
            Some(from) if from > today && !(self.now.confirmed || force) => {
                Err(Refusal::DayUnconfirmed)
            }
            Some(from) if from > today => {
                decided(Outcome::DayOpened(today), vec![Event::DayReset { from, day: today }])
            }
            Some(day) if day < today && force => decided(Outcome::DayOpened(today), Vec::new()),
            _ => Err(Refusal::NotDue),
        }
    }
}
