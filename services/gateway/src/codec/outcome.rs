//! Conversion of outcomes to their stored form and back.

use super::standing::{
    former_holding, former_standing, holding_status_to_stored, standing_from_stored,
    standing_to_stored, wait_or_none,
};
use super::values::{
    number_from_stored, number_to_stored, queue_state_from_stored, queue_state_to_stored,
    quoted_wait_to_stored, ticket_status_to_stored,
};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn outcome_to_stored(outcome: &d::Outcome) -> c::Outcome {
    use d::Outcome as O;
    match outcome {
        O::Holding { ticket, number, queue, new, standing } => c::Outcome::Holding {
            ticket: ticket.0,
            number: number_to_stored(number),
            queue: queue.shared(),
            quoted: quoted_wait_to_stored(&wait_or_none(standing)),
            called_to: standing.counter().map(|id| id.shared()),
            new: *new,
            state: holding_status_to_stored(standing),
            standing: standing_to_stored(standing, false),
        },
        O::Called { ticket, number, queue, counter, deadline } => c::Outcome::Called {
            ticket: ticket.0,
            number: number_to_stored(number),
            queue: queue.shared(),
            counter: counter.shared(),
            deadline: deadline.0,
        },
        O::Finished { ticket, number, counter } => c::Outcome::Finished {
            ticket: ticket.0,
            number: number_to_stored(number),
            counter: counter.shared(),
        },
        O::Missed { ticket, number, counter } => c::Outcome::Missed {
            ticket: ticket.0,
            number: number_to_stored(number),
            counter: counter.shared(),
        },
        O::Left { ticket, number } => {
            c::Outcome::Left { ticket: ticket.0, number: number_to_stored(number) }
        }
        O::TicketChanged { ticket, number, queue, standing } => c::Outcome::TicketChanged {
            ticket: ticket.0,
            number: number_to_stored(number),
            queue: queue.shared(),
            state: ticket_status_to_stored(standing.status()),
            ahead: standing.ahead(),
            standing: standing_to_stored(standing, true),
        },
        O::Forgotten => c::Outcome::Forgotten,
        O::CounterOpen(counter) => c::Outcome::CounterOpen { counter: counter.shared() },
        O::CounterPaused(counter) => c::Outcome::CounterPaused { counter: counter.shared() },
        O::CounterClosed(counter) => c::Outcome::CounterClosed { counter: counter.shared() },
        O::QueueSet(queue, state) => {
            c::Outcome::QueueSet { queue: queue.shared(), state: queue_state_to_stored(*state) }
        }
        O::QueueCleared { queue, voided } => {
            c::Outcome::QueueCleared { queue: queue.shared(), voided: *voided }
        }
        O::DayRollover { remaining } => c::Outcome::DayRollover { remaining: *remaining },
        O::DayOpened(day) => c::Outcome::DayOpened { day: day.0 },
        O::HoldersNotified { people } => c::Outcome::HoldersNotified { people: *people },
    }
}

pub(super) fn outcome_from_stored(outcome: c::Outcome) -> d::Outcome {
    use c::Outcome as O;
    match outcome {
        O::Holding { ticket, number, queue, quoted, called_to, new, state, standing } => {
            let (state, standing) = match standing {
                Some(standing) => (state, standing),
                None => former_holding(state, called_to),
            };
            d::Outcome::Holding {
                ticket: d::TicketId(ticket),
                number: number_from_stored(number),
                queue: queue.into(),
                new,
                standing: standing_from_stored(state, quoted, standing),
            }
        }
        O::Called { ticket, number, queue, counter, deadline } => d::Outcome::Called {
            ticket: d::TicketId(ticket),
            number: number_from_stored(number),
            queue: queue.into(),
            counter: counter.into(),
            deadline: d::Timestamp(deadline),
        },
        O::Finished { ticket, number, counter } => d::Outcome::Finished {
            ticket: d::TicketId(ticket),
            number: number_from_stored(number),
            counter: counter.into(),
        },
        O::Missed { ticket, number, counter } => d::Outcome::Missed {
            ticket: d::TicketId(ticket),
            number: number_from_stored(number),
            counter: counter.into(),
        },
        O::Left { ticket, number } => {
            d::Outcome::Left { ticket: d::TicketId(ticket), number: number_from_stored(number) }
        }
        O::TicketChanged { ticket, number, queue, state, ahead, standing } => {
            let standing = standing.unwrap_or_else(|| former_standing(None));
            let wait = c::QuotedWait { ahead, minutes: standing.minutes, cold: standing.cold };
            d::Outcome::TicketChanged {
                ticket: d::TicketId(ticket),
                number: number_from_stored(number),
                queue: queue.into(),
                standing: standing_from_stored(state, wait, standing),
            }
        }
        O::Forgotten => d::Outcome::Forgotten,
        O::CounterOpen { counter } => d::Outcome::CounterOpen(counter.into()),
        O::CounterPaused { counter } => d::Outcome::CounterPaused(counter.into()),
        O::CounterClosed { counter } => d::Outcome::CounterClosed(counter.into()),
        O::QueueSet { queue, state } => {
            d::Outcome::QueueSet(queue.into(), queue_state_from_stored(state))
        }
        O::QueueCleared { queue, voided } => {
            d::Outcome::QueueCleared { queue: queue.into(), voided }
        }
        O::DayRollover { remaining } => d::Outcome::DayRollover { remaining },
        O::DayOpened { day } => d::Outcome::DayOpened(d::Day(day)),
        O::HoldersNotified { people } => d::Outcome::HoldersNotified { people },
    }
}
