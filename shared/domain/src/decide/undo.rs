//! Taking an end back: a compensating event, never a deletion.

use super::{Heard, Sitting, wrong_state};
use crate::model::ids::TicketId;
use crate::model::ticket::{Before, Stage, State, Ticket};
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;

/// Staff take back what they did themselves for so long; a manager, all day.
pub(super) const UNDO_MS: i64 = 60_000;

impl Sitting<'_> {
    pub(super) fn undo(&self, ticket: TicketId) -> Heard {
        let (ticket, before) = self.undoable(ticket)?;
        let restored = Event::TicketRestored {
            ticket: Box::new(self.restored(ticket, before)),
            retracts: None,
        };
        self.stands(ticket, vec![restored])
    }

    /// A ticket whose end may be taken back, and what it was before.
    pub(super) fn undoable(&self, ticket: TicketId) -> Result<(&Ticket, &Before), Refusal> {
        let ticket = self.ticket(ticket)?;
        if !matches!(ticket.state(), State::Done | State::Closed | State::Missed) {
            return Err(wrong_state(ticket));
        }
        let before = ticket.before.as_ref();
        let before = before.ok_or_else(|| Refusal::NothingToUndo(ticket.number.clone()))?;
        if !self.actor.manages() {
            let own = before.by.as_ref() == Some(&self.actor.by());
            if !own || self.now.at.since_ms(before.at) > UNDO_MS {
                return Err(Refusal::TooLate(ticket.number.clone()));
            }
        }
        let again = ticket.person.as_ref().and_then(|person| self.site.held_by(person));
        if let Some(other) = again.filter(|other| other.id != ticket.id) {
            let (number, found) = (other.number.clone(), other.state());
            return Err(Refusal::WrongState { number, found });
        }
        if let Some(counter) = before.ticket.at_counter() {
            self.serving_counter(counter)?;
            self.free(counter)?;
        }
        Ok((ticket, before))
    }

    /// What it was, with what its holder was told since; and with time to come, if time has run out
    /// meanwhile.
    fn restored(&self, now: &Ticket, before: &Before) -> Ticket {
        let was = &before.ticket;
        // Its end may have been at a later time, by the clock of another replica.
        let at = self.now.at.max(before.at);
        let mut restored =
            Ticket { notices: now.notices, person: now.person.clone(), ..was.clone() };
        let rules = self.rules.queues.get(&was.queue);
        let grace = rules.map_or(0, |rules| i64::from(rules.grace_seconds) * 1000);
        let minutes = rules.map_or(0, |rules| rules.missed.minutes);
        match &mut restored.stage {
            Stage::Called { deadline, .. } if *deadline <= at => {
                *deadline = at.plus_ms(grace);
            }
            Stage::Missed { until: Some(until), .. } if *until <= at => {
                *until = at.plus_minutes(minutes);
            }
            _ => {}
        }
        restored
    }
}
