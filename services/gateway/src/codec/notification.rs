//! Conversion of notification triggers to their stored form and back.

use super::values::{
    key_from_stored, key_to_stored, mirrored_enum, number_from_stored, number_to_stored,
    quoted_wait_from_stored, quoted_wait_to_stored,
};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn milestone_to_stored(milestone: &d::NotificationTrigger) -> c::NotificationTrigger {
    c::NotificationTrigger {
        ticket: milestone.ticket.0,
        day: milestone.day.0,
        person: milestone.person.shared(),
        key: milestone.key.map(key_to_stored),
        number: number_to_stored(&milestone.number),
        queue_name: milestone.queue_name.clone(),
        kind: milestone_kind_to_stored(&milestone.kind),
        occurrence: milestone.occurrence,
        order: milestone.order,
        at: milestone.at.0,
        valid_until: milestone.valid_until.0,
    }
}

pub(super) fn milestone_from_stored(milestone: c::NotificationTrigger) -> d::NotificationTrigger {
    d::NotificationTrigger {
        ticket: d::TicketId(milestone.ticket),
        day: d::Day(milestone.day),
        person: milestone.person.into(),
        key: milestone.key.map(key_from_stored),
        number: number_from_stored(milestone.number),
        queue_name: milestone.queue_name,
        kind: milestone_kind_from_stored(milestone.kind),
        occurrence: milestone.occurrence,
        order: milestone.order,
        at: d::Timestamp(milestone.at),
        valid_until: d::Timestamp(milestone.valid_until),
    }
}

fn milestone_kind_to_stored(kind: &d::NotificationKind) -> c::NotificationKind {
    use d::NotificationKind as K;
    match kind {
        K::Joined(told) => c::NotificationKind::Joined { told: quoted_wait_to_stored(told) },
        K::Near(told) => c::NotificationKind::Near { told: quoted_wait_to_stored(told) },
        K::Next(told) => c::NotificationKind::Next { told: quoted_wait_to_stored(told) },
        K::Called { counter_name, call } => {
            c::NotificationKind::Called { counter_name: counter_name.clone(), call: *call }
        }
        K::Recalled { counter_name, call } => {
            c::NotificationKind::Recalled { counter_name: counter_name.clone(), call: *call }
        }
        K::Missed { until, places } => {
            c::NotificationKind::Missed { until: until.map(|until| until.0), places: *places }
        }
        K::Returned { through, told } => c::NotificationKind::Returned {
            through: through_out(*through),
            told: quoted_wait_to_stored(told),
        },
        K::Slipped(told) => c::NotificationKind::Slipped { told: quoted_wait_to_stored(told) },
        K::Halted(told) => c::NotificationKind::Halted { told: quoted_wait_to_stored(told) },
        K::QueueClosed => c::NotificationKind::QueueClosed,
    }
}

fn milestone_kind_from_stored(kind: c::NotificationKind) -> d::NotificationKind {
    use c::NotificationKind as K;
    match kind {
        K::Joined { told } => d::NotificationKind::Joined(quoted_wait_from_stored(told)),
        K::Near { told } => d::NotificationKind::Near(quoted_wait_from_stored(told)),
        K::Next { told } => d::NotificationKind::Next(quoted_wait_from_stored(told)),
        K::Called { counter_name, call } => d::NotificationKind::Called { counter_name, call },
        K::Recalled { counter_name, call } => d::NotificationKind::Recalled { counter_name, call },
        K::Missed { until, places } => {
            d::NotificationKind::Missed { until: until.map(d::Timestamp), places }
        }
        K::Returned { through, told } => d::NotificationKind::Returned {
            through: through_in(through),
            told: quoted_wait_from_stored(told),
        },
        K::Slipped { told } => d::NotificationKind::Slipped(quoted_wait_from_stored(told)),
        K::Halted { told } => d::NotificationKind::Halted(quoted_wait_from_stored(told)),
        K::QueueClosed => d::NotificationKind::QueueClosed,
    }
}

mirrored_enum!(through_out, through_in, ReturnCause { Return, Transfer, PutBack });
