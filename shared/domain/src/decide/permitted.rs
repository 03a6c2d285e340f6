//! Acts that are still allowed for a ticket, by the rules of the decisions, for consoles that show
//! them.

use super::Decider;
use super::call::{MIN_RECALL_INTERVAL_MS, PUT_BACK_WINDOW_MS};
use super::undo::UNDO_WINDOW_MS;
use crate::model::actor::Actor;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{Ticket, TicketState, TicketStatus};
use crate::model::time::{DecisionInput, Timestamp};
use crate::protocol::command::Act;

/// End of a ticket that may be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoOption {
    /// Status of the ticket after undoing.
    pub to: TicketStatus,
    /// Time of the step that would be undone.
    pub since: Timestamp,
    /// Time until which this actor may undo it; `None` for the rest of the day.
    pub until: Option<Timestamp>,
}

impl Ticket {
    /// Time from which the ticket may be recalled; `None` unless it is called and has a recall
    /// left.
    pub fn recall_allowed_from(&self, rules: &Rules) -> Option<Timestamp> {
        let TicketState::Called { round, last, .. } = &self.state else { return None };
        let max_calls = rules.queues.get(&self.queue)?.calls;
        (*round < max_calls).then(|| last.plus_ms(MIN_RECALL_INTERVAL_MS))
    }

    /// Time until which the call may be taken back; `None` unless the ticket is called.
    pub fn put_back_allowed_until(&self) -> Option<Timestamp> {
        match &self.state {
            TicketState::Called { at, .. } => Some(at.plus_ms(PUT_BACK_WINDOW_MS)),
            _ => None,
        }
    }
}

impl Site {
    /// End that this actor may undo now; `None` if there is none.
    pub fn undo_option(
        &self,
        rules: &Rules,
        actor: &Actor,
        ticket: &Ticket,
        now: &DecisionInput,
    ) -> Option<UndoOption> {
        if self.day != Some(now.day()) {
            return None;
        }
        let decider = Decider { before: self, site: self, rules, now, actor };
        decider.authorize(&Act::Undo(ticket.id)).ok()?;
        let (_, before) = decider.undo_target(ticket.id).ok()?;
        let until = (!actor.is_manager()).then(|| before.at.plus_ms(UNDO_WINDOW_MS));
        Some(UndoOption { to: before.ticket.status(), since: before.at, until })
    }
}
