//! Conversion of notification triggers to their stored form and back.

use super::values::{
    key_from_stored, key_to_stored, mirrored_enum, number_from_stored, number_to_stored,
    quoted_wait_from_stored, quoted_wait_to_stored,
};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn notification_to_stored(trigger: &d::NotificationTrigger) -> c::NotificationTrigger {
    c::NotificationTrigger {
        ticket: trigger.ticket.0,
        day: trigger.day.0,
        person: trigger.person.shared(),
        key: trigger.key.map(key_to_stored),
        number: number_to_stored(&trigger.number),
        queue_name: trigger.queue_name.clone(),
        kind: notification_kind_to_stored(&trigger.kind),
        occurrence: trigger.occurrence,
        order: trigger.order,
        at: trigger.at.0,
        valid_until: trigger.valid_until.0,
    }
}

pub(super) fn notification_from_stored(trigger: c::NotificationTrigger) -> d::NotificationTrigger {
    d::NotificationTrigger {
        ticket: d::TicketId(trigger.ticket),
        day: d::Day(trigger.day),
        person: trigger.person.into(),
        key: trigger.key.map(key_from_stored),
        number: number_from_stored(trigger.number),
        queue_name: trigger.queue_name,
        kind: notification_kind_from_stored(trigger.kind),
        occurrence: trigger.occurrence,
        order: trigger.order,
        at: d::Timestamp(trigger.at),
        valid_until: d::Timestamp(trigger.valid_until),
    }
}

fn notification_kind_to_stored(kind: &d::NotificationKind) -> c::NotificationKind {
    use d::NotificationKind as K;
    match kind {
        K::Joined(quoted) => c::NotificationKind::Joined { quoted: quoted_wait_to_stored(quoted) },
        K::Near(quoted) => c::NotificationKind::Near { quoted: quoted_wait_to_stored(quoted) },
        K::Next(quoted) => c::NotificationKind::Next { quoted: quoted_wait_to_stored(quoted) },
        K::Called { counter_name, call } => {
            c::NotificationKind::Called { counter_name: counter_name.clone(), call: *call }
        }
        K::Recalled { counter_name, call } => {
            c::NotificationKind::Recalled { counter_name: counter_name.clone(), call: *call }
        }
        K::Missed { until, places } => {
            c::NotificationKind::Missed { until: until.map(|until| until.0), places: *places }
        }
        K::Returned { cause, quoted } => c::NotificationKind::Returned {
            cause: cause_to_stored(*cause),
            quoted: quoted_wait_to_stored(quoted),
        },
        K::Slipped(quoted) => {
            c::NotificationKind::Slipped { quoted: quoted_wait_to_stored(quoted) }
        }
        K::Halted(quoted) => c::NotificationKind::Halted { quoted: quoted_wait_to_stored(quoted) },
        K::QueueClosed => c::NotificationKind::QueueClosed,
    }
}

fn notification_kind_from_stored(kind: c::NotificationKind) -> d::NotificationKind {
    use c::NotificationKind as K;
    match kind {
        K::Joined { quoted } => d::NotificationKind::Joined(quoted_wait_from_stored(quoted)),
        K::Near { quoted } => d::NotificationKind::Near(quoted_wait_from_stored(quoted)),
        K::Next { quoted } => d::NotificationKind::Next(quoted_wait_from_stored(quoted)),
        K::Called { counter_name, call } => d::NotificationKind::Called { counter_name, call },
        K::Recalled { counter_name, call } => d::NotificationKind::Recalled { counter_name, call },
        K::Missed { until, places } => {
            d::NotificationKind::Missed { until: until.map(d::Timestamp), places }
        }
        K::Returned { cause, quoted } => d::NotificationKind::Returned {
            cause: cause_from_stored(cause),
            quoted: quoted_wait_from_stored(quoted),
        },
        K::Slipped { quoted } => d::NotificationKind::Slipped(quoted_wait_from_stored(quoted)),
        K::Halted { quoted } => d::NotificationKind::Halted(quoted_wait_from_stored(quoted)),
        K::QueueClosed => d::NotificationKind::QueueClosed,
    }
}

mirrored_enum!(cause_to_stored, cause_from_stored, ReturnCause { Return, Transfer, PutBack });
