//! Conversion of a ticket to the stored form of a snapshot and back.

use crate::codec::event::{author_from_stored, author_to_stored};
use crate::codec::ticket as event_form;
use paihao_contracts::commit as c;
use paihao_contracts::snapshot as s;
use paihao_domain as d;
use std::sync::Arc;

pub(super) fn ticket_to_stored(ticket: &d::Ticket) -> s::Ticket {
    let stored = event_form::ticket_to_stored(ticket);
    let overtakes_counted = ticket.progress.overtakes_counted;
    let undo = ticket.past.undo_point.as_ref();
    let undo = undo.map(|undo| undo_to_stored(&stored, overtakes_counted, undo));
    s::Ticket { ticket: stored, overtakes_counted, undo }
}

pub(super) fn ticket_from_stored(stored: s::Ticket) -> d::Ticket {
    let s::Ticket { ticket, overtakes_counted, undo } = stored;
    let undo = undo.map(|undo| Arc::new(undo_from_stored(&ticket, overtakes_counted, undo)));
    let mut ticket = event_form::ticket_from_stored(ticket);
    ticket.progress.overtakes_counted = overtakes_counted;
    if undo.is_some() {
        ticket.past.undo_point = undo;
    }
    ticket
}

/// Stores what differs from the ticket of now.
fn undo_to_stored(now: &c::Ticket, overtakes_counted: u32, undo: &d::UndoPoint) -> s::UndoPoint {
    let before = event_form::ticket_to_stored(&undo.ticket);
    s::UndoPoint {
        at: undo.at.0,
        by: undo.by.as_ref().map(author_to_stored),
        state: before.state,
        queue: unless_same(before.queue, &now.queue),
        rank: unless_same(before.rank, &now.rank),
        counts: unless_same(before.counts, &now.counts),
        marks: unless_same(before.marks, &now.marks),
        notifications: unless_same(before.notifications, &now.notifications),
        progress: unless_same(before.progress, &now.progress),
        overtakes_counted: unless_same(undo.ticket.progress.overtakes_counted, &overtakes_counted),
        worked_ms: unless_same(before.worked_ms, &now.worked_ms),
    }
}

fn undo_from_stored(now: &c::Ticket, overtakes_counted: u32, undo: s::UndoPoint) -> d::UndoPoint {
    let mut before = event_form::ticket_from_stored(c::Ticket {
        state: undo.state,
        queue: undo.queue.unwrap_or_else(|| now.queue.clone()),
        rank: undo.rank.unwrap_or(now.rank),
        counts: undo.counts.unwrap_or(now.counts),
        marks: undo.marks.unwrap_or(now.marks),
        notifications: undo.notifications.unwrap_or_else(|| now.notifications.clone()),
        progress: undo.progress.unwrap_or_else(|| now.progress.clone()),
        worked_ms: undo.worked_ms.unwrap_or(now.worked_ms),
        ..now.clone()
    });
    before.progress.overtakes_counted = undo.overtakes_counted.unwrap_or(overtakes_counted);
    let by = undo.by.map(author_from_stored);
    d::UndoPoint { ticket: before, at: d::Timestamp(undo.at), by }
}

fn unless_same<T: PartialEq>(before: T, now: &T) -> Option<T> {
    (before != *now).then_some(before)
}
