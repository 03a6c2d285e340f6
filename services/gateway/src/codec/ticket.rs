//! Conversion of tickets and their parts to the stored form and back.

use super::values::{
    basis_from_stored, basis_to_stored, close_reason_from_stored, close_reason_to_stored,
    counts_from_stored, counts_to_stored, hold_kind_from_stored, hold_kind_to_stored,
    key_from_stored, key_to_stored, number_from_stored, number_to_stored, queue_state_from_stored,
    queue_state_to_stored, quoted_wait_from_stored, quoted_wait_to_stored,
};
use super::visit::{displayed_from_stored, visit_progress_from_stored, visit_progress_to_stored};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn rank_to_stored(rank: &d::Rank) -> c::Rank {
    let d::Rank { class, arrival, sequence, offset } = *rank;
    c::Rank { class, arrival: arrival.0, sequence, offset }
}

pub(super) fn rank_from_stored(rank: c::Rank) -> d::Rank {
    let c::Rank { class, arrival, sequence, offset } = rank;
    d::Rank { class, arrival: d::Timestamp(arrival), sequence, offset }
}

pub(super) fn hold_to_stored(hold: &d::Hold) -> c::Hold {
    c::Hold {
        kind: hold_kind_to_stored(hold.kind),
        reason: hold.reason.clone(),
        until: hold.until.map(|until| until.0),
        after_calls: hold.after_calls,
        counter: hold.counter.as_ref().map(|id| id.shared()),
    }
}

pub(super) fn hold_from_stored(hold: c::Hold) -> d::Hold {
    d::Hold {
        kind: hold_kind_from_stored(hold.kind),
        reason: hold.reason,
        until: hold.until.map(d::Timestamp),
        after_calls: hold.after_calls,
        counter: hold.counter.map(Into::into),
    }
}

pub(super) fn ticket_to_stored(ticket: &d::Ticket) -> c::Ticket {
    let d::Marks { arrived, party, notify_ahead, coming, limit_lifted } = *ticket.marks;
    let notifications = &ticket.notifications;
    c::Ticket {
        id: ticket.id.0,
        key: ticket.key.map(key_to_stored),
        number: number_to_stored(&ticket.number),
        queue: ticket.queue.shared(),
        person: ticket.person.as_ref().map(|id| id.shared()),
        former_person: ticket.past.former_person.as_ref().map(|id| id.shared()),
        taken_at: ticket.taken_at.0,
        arrived: ticket.arrived.0,
        rank: rank_to_stored(&ticket.rank),
        quoted: quoted_wait_to_stored(&ticket.quoted),
        basis: ticket.basis.map(basis_to_stored),
        state: ticket_state_to_stored(&ticket.state),
        counts: counts_to_stored(*ticket.counts),
        marks: c::Marks { arrived, party, notify_ahead, coming, limit_lifted },
        notifications: c::NotificationHistory {
            order: notifications.order,
            template_count: notifications.template_count,
            last_template_at: notifications.last_template_at.map(|at| at.0),
            expected_turn_at: ticket.expected_turn_at().map(|at| at.0),
            count_by_kind: if notifications.count_by_kind.iter().all(|count| *count == 0) {
                Vec::new()
            } else {
                notifications.count_by_kind.map(u32::from).to_vec()
            },
            last_call: notifications.last_call,
            told_stop: notifications.told_stop.map(queue_state_to_stored),
        },
        progress: visit_progress_to_stored(ticket),
        worked_ms: ticket.past.worked_ms,
    }
}

pub(super) fn ticket_from_stored(ticket: c::Ticket) -> d::Ticket {
    let c::Marks { arrived, party, notify_ahead, coming, limit_lifted } = ticket.marks;
    let mut notifications = d::NotificationHistory {
        order: ticket.notifications.order,
        template_count: ticket.notifications.template_count,
        last_template_at: ticket.notifications.last_template_at.map(d::Timestamp),
        last_call: ticket.notifications.last_call,
        told_stop: ticket.notifications.told_stop.map(queue_state_from_stored),
        ..d::NotificationHistory::default()
    };
    for (count, stored) in
        notifications.count_by_kind.iter_mut().zip(ticket.notifications.count_by_kind)
    {
        *count = u16::try_from(stored).unwrap_or(u16::MAX);
    }
    let displayed = displayed_from_stored(&ticket.progress);
    let expected_turn_at = ticket.notifications.expected_turn_at.map(d::Timestamp);
    let mut ticket = d::Ticket {
        id: d::TicketId(ticket.id),
        key: ticket.key.map(key_from_stored),
        number: number_from_stored(ticket.number),
        queue: ticket.queue.into(),
        person: ticket.person.map(Into::into),
        taken_at: d::Timestamp(ticket.taken_at),
        arrived: d::Timestamp(ticket.arrived),
        rank: rank_from_stored(ticket.rank),
        quoted: quoted_wait_from_stored(ticket.quoted),
        basis: ticket.basis.map(basis_from_stored),
        state: ticket_state_from_stored(ticket.state).into(),
        counts: counts_from_stored(ticket.counts).into(),
        marks: d::Marks { arrived, party, notify_ahead, coming, limit_lifted }.into(),
        notifications: notifications.into(),
        requoted: d::LaterQuotes::default(),
        progress: visit_progress_from_stored(ticket.progress),
        past: d::TicketPast {
            former_person: ticket.former_person.map(Into::into),
            worked_ms: ticket.worked_ms,
            undo_point: None,
        }
        .into(),
    };
    ticket.set_quotes(displayed, expected_turn_at);
    ticket
}

fn ticket_state_to_stored(state: &d::TicketState) -> c::TicketState {
    use d::TicketState as S;
    match state {
        S::Waiting => c::TicketState::Waiting,
        S::Called { counter, at, call, round, last, deadline } => c::TicketState::Called {
            counter: counter.shared(),
            at: at.0,
            call: *call,
            round: *round,
            last: last.0,
            deadline: deadline.0,
        },
        S::Serving { counter, since, at } => {
            c::TicketState::Serving { counter: counter.shared(), since: since.0, at: at.0 }
        }
        S::Held { at, hold } => c::TicketState::Held { at: at.0, hold: hold_to_stored(hold) },
        S::Missed { at, until } => {
            c::TicketState::Missed { at: at.0, until: until.map(|until| until.0) }
        }
        S::Done { at } => c::TicketState::Done { at: at.0 },
        S::Closed { at, reason, note } => c::TicketState::Closed {
            at: at.0,
            reason: close_reason_to_stored(*reason),
            note: note.clone(),
        },
    }
}

fn ticket_state_from_stored(state: c::TicketState) -> d::TicketState {
    use c::TicketState as S;
    let at = d::Timestamp;
    match state {
        S::Waiting => d::TicketState::Waiting,
        S::Called { counter, at: called, call, round, last, deadline } => d::TicketState::Called {
            counter: counter.into(),
            at: at(called),
            call,
            round,
            last: at(last),
            deadline: at(deadline),
        },
        S::Serving { counter, since, at: begun } => {
            d::TicketState::Serving { counter: counter.into(), since: at(since), at: at(begun) }
        }
        S::Held { at: held, hold } => {
            d::TicketState::Held { at: at(held), hold: Box::new(hold_from_stored(hold)) }
        }
        S::Missed { at: missed, until } => {
            d::TicketState::Missed { at: at(missed), until: until.map(at) }
        }
        S::Done { at: done } => d::TicketState::Done { at: at(done) },
        S::Closed { at: closed, reason, note } => d::TicketState::Closed {
            at: at(closed),
            reason: close_reason_from_stored(reason),
            note,
        },
    }
}
