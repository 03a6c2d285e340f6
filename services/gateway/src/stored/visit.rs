//! What is left of a visit, to its stored form and back.

use super::ticket::{close_reason_in, close_reason_out, counts_in, counts_out, told_in, told_out};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn visit_out(visit: &d::EndedVisit) -> c::Visit {
    let after = |at: d::Timestamp| at.since_ms(visit.taken_at);
    c::Visit {
        day: visit.day.0,
        queue: visit.queue.shared(),
        counter: visit.counter.as_ref().map(|id| id.shared()),
        taken_at: visit.taken_at.0,
        called: visit.called_at.map(after),
        started: visit.started_at.map(after),
        ended: after(visit.ended_at),
        slot_ms: visit.slot_ms,
        serving_ms: visit.serving_ms,
        implausible: visit.implausible,
        counts: counts_out(visit.counts),
        jumped: visit.jumped,
        told: told_out(&visit.told),
        basis: visit.basis.map(basis_out),
        overtaken: overtaken_out(visit.overtaken),
        end: match visit.end {
            d::Ending::Served => c::Ending::Served,
            d::Ending::Closed(reason) => c::Ending::Closed(close_reason_out(reason)),
        },
    }
}

pub(crate) fn visit_in(visit: c::Visit) -> d::EndedVisit {
    let taken_at = d::Timestamp(visit.taken_at);
    d::EndedVisit {
        day: d::Day(visit.day),
        queue: visit.queue.into(),
        counter: visit.counter.map(Into::into),
        taken_at,
        called_at: visit.called.map(|ms| taken_at.plus_ms(ms)),
        started_at: visit.started.map(|ms| taken_at.plus_ms(ms)),
        ended_at: taken_at.plus_ms(visit.ended),
        slot_ms: visit.slot_ms,
        serving_ms: visit.serving_ms,
        implausible: visit.implausible,
        counts: counts_in(visit.counts),
        jumped: visit.jumped,
        told: told_in(visit.told),
        basis: visit.basis.map(basis_in),
        overtaken: overtaken_in(visit.overtaken),
        end: match visit.end {
            c::Ending::Served => d::Ending::Served,
            c::Ending::Closed(reason) => d::Ending::Closed(close_reason_in(reason)),
        },
    }
}

pub(super) fn basis_out(basis: d::Basis) -> c::Basis {
    (basis.predicted_s, basis.median_s, basis.method)
}

pub(super) fn basis_in((predicted_s, median_s, method): c::Basis) -> d::Basis {
    d::Basis { predicted_s, median_s, method }
}

fn overtaken_out(overtaken: d::Overtaken) -> c::Overtaken {
    let d::Overtaken { priority, returned, transferred, resumed, taken_back, out_of_order } =
        overtaken;
    c::Overtaken { priority, returned, transferred, resumed, taken_back, out_of_order }
}

fn overtaken_in(overtaken: c::Overtaken) -> d::Overtaken {
    let c::Overtaken { priority, returned, transferred, resumed, taken_back, out_of_order } =
        overtaken;
    d::Overtaken { priority, returned, transferred, resumed, taken_back, out_of_order }
}

pub(super) fn trail_out(trail: &d::Trail) -> c::Trail {
    c::Trail {
        called_at: trail.called_at.map(|at| at.0),
        started_at: trail.started_at.map(|at| at.0),
        jumped: trail.jumped,
        coming_ms: trail.coming_ms,
        missed_ms: trail.missed_ms,
        overtaken: overtaken_out(trail.overtaken),
        shown: trail.shown.map(|shown| (shown.range.low, shown.range.high)),
        shortened_at: trail.shown.and_then(|shown| shown.shortened_at).map(|at| at.0),
    }
}

pub(super) fn trail_in(stored: c::Trail) -> d::Trail {
    let shortened_at = stored.shortened_at.map(d::Timestamp);
    let range = stored.shown.map(|(low, high)| d::Estimate { low, high });
    let mut trail = d::Trail::default();
    trail.called_at = stored.called_at.map(d::Timestamp);
    trail.started_at = stored.started_at.map(d::Timestamp);
    trail.jumped = stored.jumped;
    trail.coming_ms = stored.coming_ms;
    trail.missed_ms = stored.missed_ms;
    trail.overtaken = overtaken_in(stored.overtaken);
    trail.shown = range.map(|range| d::Shown { range, shortened_at });
    trail
}
