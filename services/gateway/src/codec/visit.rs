//! Conversion of visit records to their stored form and back.

use super::values::{
    basis_from_stored, basis_to_stored, close_reason_from_stored, close_reason_to_stored,
    counts_from_stored, counts_to_stored, quoted_wait_from_stored, quoted_wait_to_stored,
};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn visit_to_stored(visit: &d::VisitRecord) -> c::VisitRecord {
    let offset_ms = |at: d::Timestamp| at.since_ms(visit.taken_at);
    c::VisitRecord {
        day: visit.day.0,
        queue: visit.queue.shared(),
        counter: visit.counter.as_ref().map(|id| id.shared()),
        taken_at: visit.taken_at.0,
        called_at: visit.called_at.map(offset_ms),
        started_at: visit.started_at.map(offset_ms),
        ended_at: offset_ms(visit.ended_at),
        slot_ms: visit.slot_ms,
        serving_ms: visit.serving_ms,
        implausible: visit.implausible,
        counts: counts_to_stored(visit.counts),
        called_out_of_order: visit.called_out_of_order,
        quoted: quoted_wait_to_stored(&visit.quoted),
        basis: visit.basis.map(basis_to_stored),
        overtaken: overtaken_to_stored(visit.overtaken),
        end: match visit.end {
            d::VisitOutcome::Served => c::VisitOutcome::Served,
            d::VisitOutcome::Closed(reason) => {
                c::VisitOutcome::Closed(close_reason_to_stored(reason))
            }
        },
    }
}

pub(crate) fn visit_from_stored(visit: c::VisitRecord) -> d::VisitRecord {
    let taken_at = d::Timestamp(visit.taken_at);
    d::VisitRecord {
        day: d::Day(visit.day),
        queue: visit.queue.into(),
        counter: visit.counter.map(Into::into),
        taken_at,
        called_at: visit.called_at.map(|ms| taken_at.plus_ms(ms)),
        started_at: visit.started_at.map(|ms| taken_at.plus_ms(ms)),
        ended_at: taken_at.plus_ms(visit.ended_at),
        slot_ms: visit.slot_ms,
        serving_ms: visit.serving_ms,
        implausible: visit.implausible,
        counts: counts_from_stored(visit.counts),
        called_out_of_order: visit.called_out_of_order,
        quoted: quoted_wait_from_stored(visit.quoted),
        basis: visit.basis.map(basis_from_stored),
        overtaken: overtaken_from_stored(visit.overtaken),
        end: match visit.end {
            c::VisitOutcome::Served => d::VisitOutcome::Served,
            c::VisitOutcome::Closed(reason) => {
                d::VisitOutcome::Closed(close_reason_from_stored(reason))
            }
        },
    }
}

fn overtaken_to_stored(overtaken: d::OvertakeCounts) -> c::OvertakeCounts {
    let d::OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order } =
        overtaken;
    c::OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order }
}

fn overtaken_from_stored(overtaken: c::OvertakeCounts) -> d::OvertakeCounts {
    let c::OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order } =
        overtaken;
    d::OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order }
}

pub(super) fn visit_progress_to_stored(ticket: &d::Ticket) -> c::VisitProgress {
    let steps = &ticket.progress.steps;
    let displayed = ticket.displayed();
    c::VisitProgress {
        called_at: steps.called_at.map(|at| at.0),
        started_at: steps.started_at.map(|at| at.0),
        called_out_of_order: steps.called_out_of_order,
        approach_ms: steps.approach_ms,
        missed_ms: steps.missed_ms,
        overtaken: overtaken_to_stored(steps.overtaken),
        displayed: displayed.map(|displayed| (displayed.range.low, displayed.range.high)),
        displayed_ahead: displayed.and_then(|displayed| displayed.ahead),
        shortened_at: displayed.and_then(|displayed| displayed.shortened_at).map(|at| at.0),
    }
}

/// Range that the holder was quoted last.
pub(super) fn displayed_from_stored(stored: &c::VisitProgress) -> Option<d::DisplayedRange> {
    let (low, high) = stored.displayed?;
    Some(d::DisplayedRange {
        range: d::Estimate { low, high },
        ahead: stored.displayed_ahead,
        shortened_at: stored.shortened_at.map(d::Timestamp),
    })
}

pub(super) fn visit_progress_from_stored(stored: c::VisitProgress) -> d::VisitProgress {
    let steps = d::VisitSteps {
        called_at: stored.called_at.map(d::Timestamp),
        started_at: stored.started_at.map(d::Timestamp),
        called_out_of_order: stored.called_out_of_order,
        approach_ms: stored.approach_ms,
        missed_ms: stored.missed_ms,
        overtaken: overtaken_from_stored(stored.overtaken),
    };
    d::VisitProgress {
        steps: steps.into(),
        // An event does not carry it: the line that the ticket enters counts anew.
        overtakes_counted: 0,
    }
}
