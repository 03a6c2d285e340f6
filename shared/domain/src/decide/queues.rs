//! Opening, pausing, halting, closing and clearing a queue; and telling those who wait longer.

use super::{Heard, Sitting};
use crate::command::QueueState;
use crate::event::{Event, Outcome};
use crate::ids::QueueId;
use crate::milestones;
use crate::refusal::Refusal;
use crate::ticket::CloseReason;

impl Sitting<'_> {
    pub(super) fn set_queue(&self, queue: &QueueId, state: QueueState) -> Heard {
        let event = Event::QueueSet { queue: queue.clone(), state };
        Ok((Outcome::QueueIs(queue.clone(), state), vec![event]))
    }

    /// Voids everybody who is not being called or served there.
    pub(super) fn clear_queue(&self, queue: &QueueId) -> Heard {
        let line = self.site.line(queue);
        let aside = line.held.iter().chain(line.missed.iter()).copied();
        let all: Vec<_> = line.waiting().chain(aside).collect();
        let voided = all.len() as u32;
        let closed =
            all.into_iter().map(|ticket| Event::closed(ticket, CloseReason::QueueCleared, None));
        let cleared = Event::QueueCleared { queue: queue.clone(), voided };
        let outcome = Outcome::QueueCleared { queue: queue.clone(), voided };
        Ok((outcome, closed.chain([cleared]).collect()))
    }

    pub(super) fn tell_slipped(&self, queue: &QueueId) -> Heard {
        let told = milestones::slipped(self.site, self.rules, self.now, queue);
        match told.len() {
            0 => Err(Refusal::NotDue),
            people => Ok((Outcome::Told { people: people as u32 }, told)),
        }
    }
}
