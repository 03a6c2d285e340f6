//! Conversion of outcomes to their stored form and back.

use super::event::{queue_state_from_stored, queue_state_to_stored};
use super::values::{
    number_from_stored, number_to_stored, quoted_wait_from_stored, quoted_wait_to_stored,
    ticket_status_from_stored, ticket_status_to_stored,
};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn outcome_to_stored(outcome: &d::Outcome) -> c::Outcome {
    use d::Outcome as O;
    match outcome {
        O::Holding { ticket, number, queue, told, called_to, new, state } => c::Outcome::Holding {
            ticket: ticket.0,
            number: number_to_stored(number),
            queue: queue.shared(),
            told: quoted_wait_to_stored(told),
            called_to: called_to.as_ref().map(|id| id.shared()),
            new: *new,
            state: ticket_status_to_stored(*state),
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
        O::Stands { ticket, number, queue, state, ahead } => c::Outcome::Stands {
            ticket: ticket.0,
            number: number_to_stored(number),
            queue: queue.shared(),
            state: ticket_status_to_stored(*state),
            ahead: *ahead,
        },
        O::Forgotten => c::Outcome::Forgotten,
        O::CounterOpen(counter) => c::Outcome::CounterOpen { counter: counter.shared() },
        O::CounterPaused(counter) => c::Outcome::CounterPaused { counter: counter.shared() },
        O::CounterClosed(counter) => c::Outcome::CounterClosed { counter: counter.shared() },
        O::QueueIs(queue, state) => {
            c::Outcome::QueueIs { queue: queue.shared(), state: queue_state_to_stored(*state) }
        }
        O::QueueCleared { queue, voided } => {
            c::Outcome::QueueCleared { queue: queue.shared(), voided: *voided }
        }
        O::DayTurning { left } => c::Outcome::DayTurning { left: *left },
        O::DayBegun(day) => c::Outcome::DayBegun { day: day.0 },
        O::Told { people } => c::Outcome::Told { people: *people },
    }
}

pub(super) fn outcome_from_stored(outcome: c::Outcome) -> d::Outcome {
    use c::Outcome as O;
    match outcome {
        O::Holding { ticket, number, queue, told, called_to, new, state } => d::Outcome::Holding {
            ticket: d::TicketId(ticket),
            number: number_from_stored(number),
            queue: queue.into(),
            told: quoted_wait_from_stored(told),
            called_to: called_to.map(Into::into),
            new,
            state: ticket_status_from_stored(state),
        },
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
        O::Stands { ticket, number, queue, state, ahead } => d::Outcome::Stands {
            ticket: d::TicketId(ticket),
            number: number_from_stored(number),
            queue: queue.into(),
            state: ticket_status_from_stored(state),
            ahead,
        },
        O::Forgotten => d::Outcome::Forgotten,
        O::CounterOpen { counter } => d::Outcome::CounterOpen(counter.into()),
        O::CounterPaused { counter } => d::Outcome::CounterPaused(counter.into()),
        O::CounterClosed { counter } => d::Outcome::CounterClosed(counter.into()),
        O::QueueIs { queue, state } => {
            d::Outcome::QueueIs(queue.into(), queue_state_from_stored(state))
        }
        O::QueueCleared { queue, voided } => {
            d::Outcome::QueueCleared { queue: queue.into(), voided }
        }
        O::DayTurning { left } => d::Outcome::DayTurning { left },
        O::DayBegun { day } => d::Outcome::DayBegun(d::Day(day)),
        O::Told { people } => d::Outcome::Told { people },
    }
}
