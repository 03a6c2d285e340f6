//! Undoing an end: a compensating event, never a deletion.

use super::{Decided, Decider, ticket_changed, wrong_state};
use crate::model::ids::TicketId;
use crate::model::ticket::{Marks, Ticket, TicketState, TicketStatus, UndoPoint};
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;

/// Time in which staff may undo their own step, in milliseconds; a manager may all day.
pub(super) const UNDO_WINDOW_MS: i64 = 60_000;

impl Decider<'_> {
    pub(super) fn undo(&self, ticket: TicketId) -> Decided {
        let (ticket, before) = self.undo_target(ticket)?;
        let restored = Event::TicketRestored {
            ticket: Box::new(self.restored_ticket(ticket, before)),
            retracts: None,
        };
        ticket_changed(ticket, vec![restored])
    }

    /// Ticket whose end may be undone, and its former state.
    pub(super) fn undo_target(&self, ticket: TicketId) -> Result<(&Ticket, &UndoPoint), Refusal> {
        let ticket = self.ticket(ticket)?;
        if !matches!(
            ticket.status(),
            TicketStatus::Done | TicketStatus::Closed | TicketStatus::Missed
        ) {
            return Err(wrong_state(ticket));
        }
        let before = ticket.past.undo_point.as_ref();
        let before = before.ok_or_else(|| Refusal::NothingToUndo(ticket.number.clone()))?;
        if !self.actor.is_manager() {
            let is_own = before.by.as_ref() == Some(&self.actor.actor_ref());
            if !is_own || self.now.at.since_ms(before.at) > UNDO_WINDOW_MS {
                return Err(Refusal::TooLate(ticket.number.clone()));
            }
        }
        let live_ticket =
            ticket.person.as_ref().and_then(|person| self.site.live_ticket_of(person));
        if let Some(other) = live_ticket.filter(|other| other.id != ticket.id) {
            let number = other.number.clone();
            let found = other.status();
            return Err(Refusal::WrongState { number, found });
        }
        // The owner may have removed the queue since.
        self.queue(&before.ticket.queue)?;
        if let Some(counter) = before.ticket.at_counter() {
            self.require_staffed_counter(counter)?;
            self.require_free_counter(counter)?;
        }
        Ok((ticket, before))
    }

    /// Former state with the notifications since then; a deadline that has passed meanwhile is
    /// renewed.
    fn restored_ticket(&self, now: &Ticket, before: &UndoPoint) -> Ticket {
        let was = &before.ticket;
        // The end may have a later time, by the clock of another replica.
        let at = self.now.at.max(before.at);
        let mut restored = Ticket {
            notifications: now.notifications.clone(),
            person: now.person.clone(),
            // What the holder may take does not depend on how this ticket ended.
            marks: Marks { limit_lifted: now.marks.limit_lifted, ..*was.marks }.into(),
            ..was.clone()
        };
        restored.set_quotes(was.displayed(), now.expected_turn_at());
        restored.past.former_person.clone_from(&now.past.former_person);
        restored.past.shrink();
        let rules = self.rules.queues.get(&was.queue);
        let grace = rules.map_or(0, |rules| i64::from(rules.grace_seconds) * 1000);
        let minutes = rules.map_or(0, |rules| rules.missed.minutes);
        match &mut *restored.state {
            TicketState::Called { deadline, .. } if *deadline <= at => {
                *deadline = at.plus_ms(grace);
            }
            TicketState::Missed { until: Some(until), .. } if *until <= at => {
                *until = at.plus_minutes(minutes);
            }
            _ => {}
        }
        restored
    }
}
