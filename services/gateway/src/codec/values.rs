//! Conversions of the values that tickets, visits, events and outcomes share.

use paihao_contracts::commit as c;
use paihao_contracts::ticket_link::TicketKey;
use paihao_domain as d;

/// Defines the two conversions between an enum of the domain and its stored twin, whose variants
/// have the same names.
macro_rules! mirrored_enum {
    ($to_stored:ident, $from_stored:ident, $name:ident { $($variant:ident),* }) => {
        pub(super) fn $to_stored(value: paihao_domain::$name) -> paihao_contracts::commit::$name {
            match value {
                $(paihao_domain::$name::$variant => paihao_contracts::commit::$name::$variant,)*
            }
        }

        pub(super) fn $from_stored(value: paihao_contracts::commit::$name) -> paihao_domain::$name {
            match value {
                $(paihao_contracts::commit::$name::$variant => paihao_domain::$name::$variant,)*
            }
        }
    };
}

mirrored_enum!(
    close_reason_to_stored,
    close_reason_from_stored,
    CloseReason { ByCustomer, ByStaff, Expired, DayClosed, QueueCleared, Duplicate }
);
mirrored_enum!(
    ticket_status_to_stored,
    ticket_status_from_stored,
    TicketStatus { Waiting, Called, Serving, Held, Missed, Done, Closed }
);
mirrored_enum!(
    queue_state_to_stored,
    queue_state_from_stored,
    QueueState { Open, Paused, Halted, Closed }
);
mirrored_enum!(hold_kind_to_stored, hold_kind_from_stored, HoldKind { LetPass, Staff, Suspended });

pub(super) fn key_to_stored(key: d::TicketKey) -> TicketKey {
    TicketKey(key.0)
}

pub(super) fn key_from_stored(key: TicketKey) -> d::TicketKey {
    d::TicketKey(key.0)
}

pub(super) fn number_to_stored(number: &d::Number) -> c::Number {
    c::Number { prefix: number.prefix.clone(), serial: number.serial }
}

pub(super) fn number_from_stored(number: c::Number) -> d::Number {
    d::Number { prefix: number.prefix, serial: number.serial }
}

pub(super) fn quoted_wait_to_stored(quoted: &d::QuotedWait) -> c::QuotedWait {
    let minutes = quoted.estimate.map(|e| (e.low, e.high));
    c::QuotedWait { ahead: quoted.ahead, minutes, cold: quoted.cold }
}

pub(super) fn quoted_wait_from_stored(stored: c::QuotedWait) -> d::QuotedWait {
    let estimate = stored.minutes.map(|(low, high)| d::Estimate { low, high });
    d::QuotedWait { ahead: stored.ahead, estimate, cold: stored.cold }
}

pub(super) fn counts_to_stored(counts: d::TicketCounts) -> c::TicketCounts {
    let d::TicketCounts { calls, misses, holds, let_pass, transfers } = counts;
    c::TicketCounts { calls, misses, holds, let_pass, transfers }
}

pub(super) fn counts_from_stored(counts: c::TicketCounts) -> d::TicketCounts {
    let c::TicketCounts { calls, misses, holds, let_pass, transfers } = counts;
    d::TicketCounts { calls, misses, holds, let_pass, transfers }
}

pub(super) fn basis_to_stored(basis: d::ForecastBasis) -> c::ForecastBasis {
    (basis.predicted_s, basis.median_s, basis.method)
}

pub(super) fn basis_from_stored(
    (predicted_s, median_s, method): c::ForecastBasis,
) -> d::ForecastBasis {
    d::ForecastBasis { predicted_s, median_s, method }
}
