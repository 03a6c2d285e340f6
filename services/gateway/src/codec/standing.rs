//! Conversion of a ticket's standing in an outcome to its stored form and back.

use super::values::{
    close_reason_from_stored, close_reason_to_stored, hold_kind_from_stored, hold_kind_to_stored,
    queue_state_from_stored, queue_state_to_stored, quoted_wait_from_stored,
    ticket_status_from_stored, ticket_status_to_stored,
};
use paihao_contracts::commit as c;
use paihao_domain as d;
use std::sync::Arc;

/// Wait of a standing, or none for a ticket without a place in the line.
pub(super) fn wait_or_none(standing: &d::TicketStanding) -> d::QuotedWait {
    standing.wait.unwrap_or(d::QuotedWait { ahead: 0, estimate: None, cold: false })
}

/// Stored form of a standing; with its minutes, if the outcome has no other place for them. `None`
/// if there is no more in it than an older program told.
pub(super) fn standing_to_stored(
    standing: &d::TicketStanding,
    with_minutes: bool,
) -> Option<c::Standing> {
    use d::StandingState as S;
    let wait = standing.wait.filter(|_| with_minutes);
    let mut stored = c::Standing {
        queue_state: queue_state_to_stored(standing.queue_state),
        minutes: wait.and_then(|wait| wait.estimate).map(|range| (range.low, range.high)),
        cold: wait.is_some_and(|wait| wait.cold),
        counter: standing.counter().map(|id| id.shared()),
        may: standing.may.iter().map(|act| Arc::from(act.name())).collect(),
        ..former_standing(None)
    };
    match &standing.state {
        S::Waiting | S::Serving { .. } | S::Done => {}
        S::Called { deadline, .. } => {
            stored.until = Some(deadline.0).filter(|at| ![0, UNSTATED].contains(at))
        }
        S::Held { kind, reason, until, others } => {
            stored.hold =
                Some(hold_kind_to_stored(*kind)).filter(|kind| *kind != c::HoldKind::LetPass);
            stored.reason = (!reason.is_empty()).then(|| reason.clone());
            stored.until = until.map(|until| until.0);
            stored.others = *others;
        }
        S::Missed { until, places } => {
            stored.until = until.map(|until| until.0);
            stored.places = *places;
        }
        S::Closed { reason, note } => {
            stored.closed = Some(close_reason_to_stored(*reason))
                .filter(|reason| *reason != c::CloseReason::Expired);
            stored.reason.clone_from(note);
        }
    }
    let former = former_standing(stored.counter.clone());
    (stored != former).then_some(stored)
}

pub(super) fn standing_from_stored(
    status: c::TicketStatus,
    wait: c::QuotedWait,
    stored: c::Standing,
) -> d::TicketStanding {
    let until = stored.until.map(d::Timestamp);
    let counter = || stored.counter.clone().unwrap_or_default().into();
    let state = match ticket_status_from_stored(status) {
        d::TicketStatus::Waiting => d::StandingState::Waiting,
        d::TicketStatus::Called => d::StandingState::Called {
            counter: counter(),
            deadline: until.unwrap_or(d::Timestamp(0)),
        },
        d::TicketStatus::Serving => d::StandingState::Serving { counter: counter() },
        d::TicketStatus::Held => d::StandingState::Held {
            kind: stored.hold.map_or(d::HoldKind::LetPass, hold_kind_from_stored),
            reason: stored.reason.clone().unwrap_or_default(),
            until,
            others: stored.others,
        },
        d::TicketStatus::Missed => d::StandingState::Missed { until, places: stored.places },
        d::TicketStatus::Done => d::StandingState::Done,
        d::TicketStatus::Closed => d::StandingState::Closed {
            reason: stored.closed.map_or(d::CloseReason::Expired, close_reason_from_stored),
            note: stored.reason.clone(),
        },
    };
    // The first programs told a wait with every state.
    let has_place = matches!(status, c::TicketStatus::Waiting | c::TicketStatus::Held)
        || stored.until == Some(UNSTATED);
    d::TicketStanding {
        state,
        queue_state: queue_state_from_stored(stored.queue_state),
        wait: has_place.then(|| quoted_wait_from_stored(wait)),
        may: stored.may.iter().filter_map(|name| d::TicketAct::from_name(name)).collect(),
    }
}

/// Deadline of a call in an outcome that named the counter and no state, as the first programs did.
const UNSTATED: i64 = i64::MIN;

/// Status that an outcome with a ticket is stored with.
pub(super) fn holding_status_to_stored(standing: &d::TicketStanding) -> c::TicketStatus {
    match standing.state {
        d::StandingState::Called { deadline: d::Timestamp(UNSTATED), .. } => {
            c::TicketStatus::Waiting
        }
        _ => ticket_status_to_stored(standing.status()),
    }
}

/// Status and standing in an outcome with a ticket of an older program.
pub(super) fn former_holding(
    status: c::TicketStatus,
    counter: Option<Arc<str>>,
) -> (c::TicketStatus, c::Standing) {
    let is_unstated = status == c::TicketStatus::Waiting && counter.is_some();
    let standing = former_standing(counter);
    if is_unstated {
        (c::TicketStatus::Called, c::Standing { until: Some(UNSTATED), ..standing })
    } else {
        (status, standing)
    }
}

/// Standing in an outcome of an older program, which told nothing of it.
pub(super) fn former_standing(counter: Option<Arc<str>>) -> c::Standing {
    c::Standing {
        queue_state: c::QueueState::Open,
        minutes: None,
        cold: false,
        counter,
        until: None,
        hold: None,
        others: None,
        places: None,
        closed: None,
        reason: None,
        may: Vec::new(),
    }
}
