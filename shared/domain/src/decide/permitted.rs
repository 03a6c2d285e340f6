//! What may still be done with a ticket, for those who show it: the same rules, asked beforehand.

use super::Decider;
use super::call::{MIN_RECALL_INTERVAL_MS, PUT_BACK_WINDOW_MS};
use super::undo::UNDO_WINDOW_MS;
use crate::model::actor::Actor;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{Ticket, TicketState, TicketStatus};
use crate::model::time::{DecisionInput, Timestamp};
use crate::protocol::command::Act;

/// An end that may be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoOption {
    /// What the ticket would be again.
    pub to: TicketStatus,
    /// Since when it is not.
    pub since: Timestamp,
    /// Until when it may be taken back by this asker; `None` until the day ends.
    pub until: Option<Timestamp>,
}

impl Ticket {
    /// From when it may be called again; `None` unless it is called, and may be once more.
    pub fn recall_allowed_from(&self, rules: &Rules) -> Option<Timestamp> {
        let TicketState::Called { round, last, .. } = &self.state else { return None };
        let most = rules.queues.get(&self.queue)?.calls;
        (*round < most).then(|| last.plus_ms(MIN_RECALL_INTERVAL_MS))
    }

    /// Until when its call may be taken back; `None` unless it is called.
    pub fn put_back_allowed_until(&self) -> Option<Timestamp> {
        match &self.state {
            TicketState::Called { at, .. } => Some(at.plus_ms(PUT_BACK_WINDOW_MS)),
            _ => None,
        }
    }
}

impl Site {
    /// Whether somebody may take back, now, how a ticket ended; and to what.
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
        let sitting = Decider { before: self, site: self, rules, now, actor };
        sitting.authorize(&Act::Undo(ticket.id)).ok()?;
        let (_, before) = sitting.undo_target(ticket.id).ok()?;
        let until = (!actor.is_manager()).then(|| before.at.plus_ms(UNDO_WINDOW_MS));
        Some(UndoOption { to: before.ticket.status(), since: before.at, until })
    }
}
