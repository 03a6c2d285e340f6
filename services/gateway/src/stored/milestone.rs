//! What is to be told, to its stored form and back.

use super::ticket::{key_in, key_out, number_in, number_out, same, told_in, told_out};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn milestone_out(milestone: &d::Milestone) -> c::Milestone {
    c::Milestone {
        ticket: milestone.ticket.0,
        day: milestone.day.0,
        person: milestone.person.shared(),
        key: milestone.key.map(key_out),
        number: number_out(&milestone.number),
        queue_name: milestone.queue_name.clone(),
        kind: kind_out(&milestone.kind),
        occurrence: milestone.occurrence,
        order: milestone.order,
        at: milestone.at.0,
        valid_until: milestone.valid_until.0,
    }
}

pub(super) fn milestone_in(milestone: c::Milestone) -> d::Milestone {
    d::Milestone {
        ticket: d::TicketId(milestone.ticket),
        day: d::Day(milestone.day),
        person: milestone.person.into(),
        key: milestone.key.map(key_in),
        number: number_in(milestone.number),
        queue_name: milestone.queue_name,
        kind: kind_in(milestone.kind),
        occurrence: milestone.occurrence,
        order: milestone.order,
        at: d::Timestamp(milestone.at),
        valid_until: d::Timestamp(milestone.valid_until),
    }
}

fn kind_out(kind: &d::MilestoneKind) -> c::MilestoneKind {
    use d::MilestoneKind as K;
    match kind {
        K::Joined(told) => c::MilestoneKind::Joined { told: told_out(told) },
        K::Near(told) => c::MilestoneKind::Near { told: told_out(told) },
        K::Next(told) => c::MilestoneKind::Next { told: told_out(told) },
        K::Called { counter_name, call } => {
            c::MilestoneKind::Called { counter_name: counter_name.clone(), call: *call }
        }
        K::Recalled { counter_name, call } => {
            c::MilestoneKind::Recalled { counter_name: counter_name.clone(), call: *call }
        }
        K::Missed { until, places } => {
            c::MilestoneKind::Missed { until: until.map(|until| until.0), places: *places }
        }
        K::Returned { through, told } => {
            c::MilestoneKind::Returned { through: through_out(*through), told: told_out(told) }
        }
        K::Slipped(told) => c::MilestoneKind::Slipped { told: told_out(told) },
        K::Halted(told) => c::MilestoneKind::Halted { told: told_out(told) },
        K::QueueClosed => c::MilestoneKind::QueueClosed,
    }
}

fn kind_in(kind: c::MilestoneKind) -> d::MilestoneKind {
    use c::MilestoneKind as K;
    match kind {
        K::Joined { told } => d::MilestoneKind::Joined(told_in(told)),
        K::Near { told } => d::MilestoneKind::Near(told_in(told)),
        K::Next { told } => d::MilestoneKind::Next(told_in(told)),
        K::Called { counter_name, call } => d::MilestoneKind::Called { counter_name, call },
        K::Recalled { counter_name, call } => d::MilestoneKind::Recalled { counter_name, call },
        K::Missed { until, places } => {
            d::MilestoneKind::Missed { until: until.map(d::Timestamp), places }
        }
        K::Returned { through, told } => {
            d::MilestoneKind::Returned { through: through_in(through), told: told_in(told) }
        }
        K::Slipped { told } => d::MilestoneKind::Slipped(told_in(told)),
        K::Halted { told } => d::MilestoneKind::Halted(told_in(told)),
        K::QueueClosed => d::MilestoneKind::QueueClosed,
    }
}

same!(through_out, through_in, Through { Return, Transfer, PutBack });
