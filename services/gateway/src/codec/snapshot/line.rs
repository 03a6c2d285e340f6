//! Conversion of the line of a queue to the stored form of a snapshot and back.

use crate::codec::ticket::{rank_from_stored, rank_to_stored};
use crate::codec::values::{
    number_from_stored, number_to_stored, queue_state_from_stored, queue_state_to_stored,
};
use paihao_contracts::snapshot as s;
use paihao_domain as d;

pub(super) fn line_to_stored(parts: &d::LineParts) -> s::Line {
    s::Line {
        queue: parts.queue.shared(),
        state: parts.state.map(queue_state_to_stored),
        taken: parts.taken,
        calls: parts.calls,
        out_of_order: parts.out_of_order,
        interleave_step: parts.interleave_step,
        last_called: parts.last_called.as_ref().map(number_to_stored),
        priority_passes: parts.priority_passes.iter().map(line_position_to_stored).collect(),
        position_changes: parts.position_changes.iter().map(position_change_to_stored).collect(),
        overtakes: parts.overtakes.iter().map(overtake_to_stored).collect(),
        unnotified: parts.unnotified.as_ref().map(remainder_to_stored),
        uncleared: parts.uncleared.as_ref().map(remainder_to_stored),
        last_wait_s: parts.last_wait_s,
    }
}

pub(super) fn line_from_stored(stored: s::Line) -> d::LineParts {
    let changes = stored.position_changes.into_iter();
    d::LineParts {
        queue: stored.queue.into(),
        state: stored.state.map(queue_state_from_stored),
        taken: stored.taken,
        calls: stored.calls,
        out_of_order: stored.out_of_order,
        interleave_step: stored.interleave_step,
        last_called: stored.last_called.map(number_from_stored),
        priority_passes: stored
            .priority_passes
            .into_iter()
            .map(line_position_from_stored)
            .collect(),
        position_changes: changes.map(position_change_from_stored).collect(),
        overtakes: stored.overtakes.into_iter().map(overtake_from_stored).collect(),
        unnotified: stored.unnotified.map(remainder_from_stored),
        uncleared: stored.uncleared.map(remainder_from_stored),
        last_wait_s: stored.last_wait_s,
    }
}

fn line_position_to_stored((rank, ticket): &(d::Rank, d::TicketId)) -> s::LinePosition {
    (rank_to_stored(rank), ticket.0)
}

fn line_position_from_stored((rank, ticket): s::LinePosition) -> (d::Rank, d::TicketId) {
    (rank_from_stored(rank), d::TicketId(ticket))
}

fn overtake_to_stored(overtake: &d::Overtake) -> s::Overtake {
    s::Overtake {
        behind: overtake.behind.as_ref().map(line_position_to_stored),
        before: overtake.before.as_ref().map(line_position_to_stored),
        cause: cause_to_stored(overtake.cause),
    }
}

fn overtake_from_stored(stored: s::Overtake) -> d::Overtake {
    d::Overtake {
        behind: stored.behind.map(line_position_from_stored),
        before: stored.before.map(line_position_from_stored),
        cause: cause_from_stored(stored.cause),
    }
}

fn position_change_to_stored(change: &d::PositionChange) -> s::PositionChange {
    s::PositionChange {
        ticket: change.ticket.0,
        number: number_to_stored(&change.number),
        from: change.from.as_ref().map(rank_to_stored),
        to: change.to.as_ref().map(rank_to_stored),
        cause: cause_to_stored(change.cause),
        at: change.at.0,
        newest_ticket: change.newest_ticket.0,
    }
}

fn position_change_from_stored(stored: s::PositionChange) -> d::PositionChange {
    d::PositionChange {
        ticket: d::TicketId(stored.ticket),
        number: number_from_stored(stored.number),
        from: stored.from.map(rank_from_stored),
        to: stored.to.map(rank_from_stored),
        cause: cause_from_stored(stored.cause),
        at: d::Timestamp(stored.at),
        newest_ticket: d::TicketId(stored.newest_ticket),
    }
}

fn cause_to_stored(cause: d::PositionChangeCause) -> s::PositionChangeCause {
    use d::PositionChangeCause as C;
    match cause {
        C::Priority => s::PositionChangeCause::Priority,
        C::Return => s::PositionChangeCause::Return,
        C::Transfer => s::PositionChangeCause::Transfer,
        C::Hold => s::PositionChangeCause::Hold,
        C::Resume => s::PositionChangeCause::Resume,
        C::OutOfOrder => s::PositionChangeCause::OutOfOrder,
        C::TakenBack => s::PositionChangeCause::TakenBack,
    }
}

fn cause_from_stored(stored: s::PositionChangeCause) -> d::PositionChangeCause {
    use s::PositionChangeCause as C;
    match stored {
        C::Priority => d::PositionChangeCause::Priority,
        C::Return => d::PositionChangeCause::Return,
        C::Transfer => d::PositionChangeCause::Transfer,
        C::Hold => d::PositionChangeCause::Hold,
        C::Resume => d::PositionChangeCause::Resume,
        C::OutOfOrder => d::PositionChangeCause::OutOfOrder,
        C::TakenBack => d::PositionChangeCause::TakenBack,
    }
}

fn remainder_to_stored(remainder: &d::Remainder) -> s::Remainder {
    let tickets = remainder.tickets.iter().map(|ticket| ticket.0).collect();
    s::Remainder { since: remainder.since.0, tickets }
}

fn remainder_from_stored(stored: s::Remainder) -> d::Remainder {
    let tickets = stored.tickets.into_iter().map(d::TicketId).collect();
    d::Remainder { since: d::Timestamp(stored.since), tickets }
}
