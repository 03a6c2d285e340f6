//! A ticket and its parts, to their stored form and back.

use super::visit::{basis_in, basis_out, trail_in, trail_out};
use paihao_contracts::commit as c;
use paihao_contracts::link::TicketKey;
use paihao_domain as d;

/// Two functions between an enum of the domain and its stored twin, of the same variants.
macro_rules! same {
    ($out:ident, $in:ident, $name:ident { $($variant:ident),* }) => {
        pub(super) fn $out(value: paihao_domain::$name) -> paihao_contracts::commit::$name {
            match value {
                $(paihao_domain::$name::$variant => paihao_contracts::commit::$name::$variant,)*
            }
        }

        pub(super) fn $in(value: paihao_contracts::commit::$name) -> paihao_domain::$name {
            match value {
                $(paihao_contracts::commit::$name::$variant => paihao_domain::$name::$variant,)*
            }
        }
    };
}
pub(super) use same;

same!(
    close_reason_out,
    close_reason_in,
    CloseReason { ByCustomer, ByStaff, Expired, DayClosed, QueueCleared, Duplicate }
);
same!(state_out, state_in, State { Waiting, Called, Serving, Held, Missed, Done, Closed });
same!(why_out, why_in, HoldWhy { LetPass, Staff, Suspended });

pub(super) fn key_out(key: d::TicketKey) -> TicketKey {
    TicketKey(key.0)
}

pub(super) fn key_in(key: TicketKey) -> d::TicketKey {
    d::TicketKey(key.0)
}

pub(super) fn number_out(number: &d::Number) -> c::Number {
    c::Number { prefix: number.prefix.clone(), serial: number.serial }
}

pub(super) fn number_in(number: c::Number) -> d::Number {
    d::Number { prefix: number.prefix, serial: number.serial }
}

pub(super) fn told_out(told: &d::Told) -> c::Told {
    let minutes = told.estimate.map(|e| (e.low, e.high));
    c::Told { ahead: told.ahead, minutes, cold: told.cold }
}

pub(super) fn told_in(told: c::Told) -> d::Told {
    let estimate = told.minutes.map(|(low, high)| d::Estimate { low, high });
    d::Told { ahead: told.ahead, estimate, cold: told.cold }
}

pub(super) fn rank_out(rank: &d::Rank) -> c::Rank {
    let d::Rank { class, arrival, sequence, turn } = *rank;
    c::Rank { class, arrival: arrival.0, sequence, turn }
}

pub(super) fn rank_in(rank: c::Rank) -> d::Rank {
    let c::Rank { class, arrival, sequence, turn } = rank;
    d::Rank { class, arrival: d::Timestamp(arrival), sequence, turn }
}

pub(super) fn counts_out(counts: d::Counts) -> c::Counts {
    let d::Counts { calls, misses, holds, let_pass, hops } = counts;
    c::Counts { calls, misses, holds, let_pass, hops }
}

pub(super) fn counts_in(counts: c::Counts) -> d::Counts {
    let c::Counts { calls, misses, holds, let_pass, hops } = counts;
    d::Counts { calls, misses, holds, let_pass, hops }
}

pub(super) fn hold_out(hold: &d::Hold) -> c::Hold {
    c::Hold {
        why: why_out(hold.why),
        reason: hold.reason.clone(),
        until: hold.until.map(|until| until.0),
        after_calls: hold.after_calls,
        counter: hold.counter.as_ref().map(|id| id.shared()),
    }
}

pub(super) fn hold_in(hold: c::Hold) -> d::Hold {
    d::Hold {
        why: why_in(hold.why),
        reason: hold.reason,
        until: hold.until.map(d::Timestamp),
        after_calls: hold.after_calls,
        counter: hold.counter.map(Into::into),
    }
}

pub(super) fn ticket_out(ticket: &d::Ticket) -> c::Ticket {
    let d::Marks { arrived, party, tell_at } = ticket.marks;
    let notices = &ticket.notices;
    c::Ticket {
        id: ticket.id.0,
        key: ticket.key.map(key_out),
        number: number_out(&ticket.number),
        queue: ticket.queue.shared(),
        person: ticket.person.as_ref().map(|id| id.shared()),
        taken_at: ticket.taken_at.0,
        arrived: ticket.arrived.0,
        rank: rank_out(&ticket.rank),
        told: told_out(&ticket.told),
        basis: ticket.basis.map(basis_out),
        stage: stage_out(&ticket.stage),
        counts: counts_out(ticket.counts),
        marks: c::Marks { arrived, party, tell_at },
        notices: c::Notices {
            order: notices.order,
            templates: notices.templates,
            last: notices.last.map(|at| at.0),
            expected: notices.expected.map(|at| at.0),
            told: match notices.told.iter().all(|count| *count == 0) {
                true => Vec::new(),
                false => notices.told.to_vec(),
            },
            call: notices.call,
        },
        trail: trail_out(&ticket.trail),
        worked_ms: ticket.worked_ms,
    }
}

pub(super) fn ticket_in(ticket: c::Ticket) -> d::Ticket {
    let c::Marks { arrived, party, tell_at } = ticket.marks;
    let mut notices = d::Notices {
        order: ticket.notices.order,
        templates: ticket.notices.templates,
        last: ticket.notices.last.map(d::Timestamp),
        expected: ticket.notices.expected.map(d::Timestamp),
        call: ticket.notices.call,
        ..d::Notices::default()
    };
    for (count, stored) in notices.told.iter_mut().zip(ticket.notices.told) {
        *count = stored;
    }
    d::Ticket {
        id: d::TicketId(ticket.id),
        key: ticket.key.map(key_in),
        number: number_in(ticket.number),
        queue: ticket.queue.into(),
        person: ticket.person.map(Into::into),
        taken_at: d::Timestamp(ticket.taken_at),
        arrived: d::Timestamp(ticket.arrived),
        rank: rank_in(ticket.rank),
        told: told_in(ticket.told),
        basis: ticket.basis.map(basis_in),
        stage: stage_in(ticket.stage),
        counts: counts_in(ticket.counts),
        marks: d::Marks { arrived, party, tell_at },
        notices,
        trail: trail_in(ticket.trail),
        worked_ms: ticket.worked_ms,
        before: None,
    }
}

fn stage_out(stage: &d::Stage) -> c::Stage {
    use d::Stage as S;
    match stage {
        S::Waiting => c::Stage::Waiting,
        S::Called { counter, at, call, round, last, deadline } => c::Stage::Called {
            counter: counter.shared(),
            at: at.0,
            call: *call,
            round: *round,
            last: last.0,
            deadline: deadline.0,
        },
        S::Serving { counter, since, at } => {
            c::Stage::Serving { counter: counter.shared(), since: since.0, at: at.0 }
        }
        S::Held { at, hold } => c::Stage::Held { at: at.0, hold: hold_out(hold) },
        S::Missed { at, until } => c::Stage::Missed { at: at.0, until: until.map(|until| until.0) },
        S::Done { at } => c::Stage::Done { at: at.0 },
        S::Closed { at, reason } => {
            c::Stage::Closed { at: at.0, reason: close_reason_out(*reason) }
        }
    }
}

fn stage_in(stage: c::Stage) -> d::Stage {
    use c::Stage as S;
    let at = d::Timestamp;
    match stage {
        S::Waiting => d::Stage::Waiting,
        S::Called { counter, at: called, call, round, last, deadline } => d::Stage::Called {
            counter: counter.into(),
            at: at(called),
            call,
            round,
            last: at(last),
            deadline: at(deadline),
        },
        S::Serving { counter, since, at: begun } => {
            d::Stage::Serving { counter: counter.into(), since: at(since), at: at(begun) }
        }
        S::Held { at: held, hold } => d::Stage::Held { at: at(held), hold: hold_in(hold) },
        S::Missed { at: missed, until } => {
            d::Stage::Missed { at: at(missed), until: until.map(at) }
        }
        S::Done { at: done } => d::Stage::Done { at: at(done) },
        S::Closed { at: closed, reason } => {
            d::Stage::Closed { at: at(closed), reason: close_reason_in(reason) }
        }
    }
}
