//! Conversion of notification triggers to their stored form and back.

use super::values::{
    key_from_stored, key_to_stored, number_from_stored, number_to_stored, quoted_wait_from_stored,
    quoted_wait_to_stored,
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
        K::Returned { cause, quoted, reason, counter_name } => {
            let (cause, because) = cause_to_stored(*cause);
            let (reason, counter_name) = (reason.clone(), counter_name.clone());
            c::NotificationKind::Returned {
                cause,
                quoted: quoted_wait_to_stored(quoted),
                detail: c::ReturnDetail { because, reason, counter_name },
            }
        }
        K::Slipped(quoted) => {
            c::NotificationKind::Slipped { quoted: quoted_wait_to_stored(quoted) }
        }
        K::Halted(quoted) => {
            c::NotificationKind::Halted { quoted: quoted_wait_to_stored(quoted), hold: None }
        }
        K::Held { suspended, reason, until, quoted } => c::NotificationKind::Halted {
            quoted: quoted_wait_to_stored(quoted),
            hold: Some(c::HoldNotice {
                suspended: *suspended,
                reason: reason.clone(),
                until: until.map(|until| until.0),
            }),
        },
        K::QueueClosed(end) => {
            c::NotificationKind::QueueClosed { end: end_to_stored(*end), removed: None }
        }
        K::Removed { reason } => c::NotificationKind::QueueClosed {
            end: None,
            removed: Some(c::RemovalNotice { reason: reason.clone() }),
        },
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
        K::Returned { cause, quoted, detail } => d::NotificationKind::Returned {
            cause: cause_from_stored(cause, detail.because),
            quoted: quoted_wait_from_stored(quoted),
            reason: detail.reason,
            counter_name: detail.counter_name,
        },
        K::Slipped { quoted } => d::NotificationKind::Slipped(quoted_wait_from_stored(quoted)),
        K::Halted { quoted, hold: None } => {
            d::NotificationKind::Halted(quoted_wait_from_stored(quoted))
        }
        K::Halted { quoted, hold: Some(hold) } => d::NotificationKind::Held {
            suspended: hold.suspended,
            reason: hold.reason,
            until: hold.until.map(d::Timestamp),
            quoted: quoted_wait_from_stored(quoted),
        },
        K::QueueClosed { removed: Some(removed), .. } => {
            d::NotificationKind::Removed { reason: removed.reason }
        }
        K::QueueClosed { end, removed: None } => {
            d::NotificationKind::QueueClosed(end_from_stored(end))
        }
    }
}

fn end_to_stored(end: d::QueueEnd) -> Option<c::QueueEnd> {
    match end {
        d::QueueEnd::ForToday => None,
        d::QueueEnd::Closed => Some(c::QueueEnd::Closed),
        d::QueueEnd::Cleared => Some(c::QueueEnd::Cleared),
    }
}

fn end_from_stored(end: Option<c::QueueEnd>) -> d::QueueEnd {
    match end {
        None => d::QueueEnd::ForToday,
        Some(c::QueueEnd::Closed) => d::QueueEnd::Closed,
        Some(c::QueueEnd::Cleared) => d::QueueEnd::Cleared,
    }
}

/// Stored cause of a return, and the one that older programs do not know.
fn cause_to_stored(cause: d::ReturnCause) -> (c::ReturnCause, Option<c::NewReturnCause>) {
    let new = |because| (c::ReturnCause::Return, Some(because));
    match cause {
        d::ReturnCause::Return => (c::ReturnCause::Return, None),
        d::ReturnCause::Transfer => (c::ReturnCause::Transfer, None),
        d::ReturnCause::PutBack => (c::ReturnCause::PutBack, None),
        d::ReturnCause::Resumed => new(c::NewReturnCause::Resumed),
        d::ReturnCause::Restored => new(c::NewReturnCause::Restored),
        d::ReturnCause::Prioritised => new(c::NewReturnCause::Prioritised),
        d::ReturnCause::Reopened => new(c::NewReturnCause::Reopened),
    }
}

fn cause_from_stored(cause: c::ReturnCause, because: Option<c::NewReturnCause>) -> d::ReturnCause {
    match (because, cause) {
        (Some(c::NewReturnCause::Resumed), _) => d::ReturnCause::Resumed,
        (Some(c::NewReturnCause::Restored), _) => d::ReturnCause::Restored,
        (Some(c::NewReturnCause::Prioritised), _) => d::ReturnCause::Prioritised,
        (Some(c::NewReturnCause::Reopened), _) => d::ReturnCause::Reopened,
        (None, c::ReturnCause::Return) => d::ReturnCause::Return,
        (None, c::ReturnCause::Transfer) => d::ReturnCause::Transfer,
        (None, c::ReturnCause::PutBack) => d::ReturnCause::PutBack,
    }
}
