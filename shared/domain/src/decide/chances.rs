//! What may still be done with a ticket, for those who show it: the same rules, asked beforehand.

use super::Sitting;
use super::call::{PUT_BACK_MS, RECALL_GAP_MS};
use super::undo::UNDO_MS;
use crate::model::actor::Actor;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{Stage, State, Ticket};
use crate::model::time::{Now, Timestamp};
use crate::protocol::command::Act;

/// An end that may be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoable {
    /// What the ticket would be again.
    pub to: State,
    /// Since when it is not.
    pub since: Timestamp,
    /// Until when it may be taken back by this asker; `None` until the day ends.
    pub until: Option<Timestamp>,
}

impl Ticket {
    /// From when it may be called again; `None` unless it is called, and may be once more.
    pub fn recall_from(&self, rules: &Rules) -> Option<Timestamp> {
        let Stage::Called { round, last, .. } = &self.stage else { return None };
        let most = rules.queues.get(&self.queue)?.calls;
        (*round < most).then(|| last.plus_ms(RECALL_GAP_MS))
    }

    /// Until when its call may be taken back; `None` unless it is called.
    pub fn put_back_until(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Called { at, .. } => Some(at.plus_ms(PUT_BACK_MS)),
            _ => None,
        }
    }
}

impl Site {
    /// Whether somebody may take back, now, how a ticket ended; and to what.
    pub fn undoable(
        &self,
        rules: &Rules,
        actor: &Actor,
        ticket: &Ticket,
        now: &Now,
    ) -> Option<Undoable> {
        if self.day != Some(now.day()) {
            return None;
        }
        let sitting = Sitting { before: self, site: self, rules, now, actor };
        sitting.may(&Act::Undo(ticket.id)).ok()?;
        let (_, before) = sitting.undoable(ticket.id).ok()?;
        let until = (!actor.manages()).then(|| before.at.plus_ms(UNDO_MS));
        Some(Undoable { to: before.ticket.state(), since: before.at, until })
    }
}
