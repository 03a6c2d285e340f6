//! Conversion of events to their stored form and back.

use super::notification::{notification_from_stored, notification_to_stored};
use super::ticket::{
    hold_from_stored, hold_to_stored, rank_from_stored, rank_to_stored, ticket_from_stored,
    ticket_to_stored,
};
use super::values::{
    basis_from_stored, basis_to_stored, close_reason_from_stored, close_reason_to_stored,
    key_from_stored, key_to_stored, number_from_stored, number_to_stored, queue_state_from_stored,
    queue_state_to_stored, quoted_wait_from_stored, quoted_wait_to_stored,
};
use super::visit::{visit_from_stored, visit_to_stored};
use paihao_contracts::commit as c;
use paihao_domain as d;

pub(super) fn event_to_stored(event: &d::Event) -> c::Event {
    use d::Event as E;
    match event {
        E::DayClosed { day, voided, carried } => {
            c::Event::DayClosed { day: day.0, voided: *voided, carried: *carried }
        }
        E::DayOpened { day, carrying } => c::Event::DayOpened { day: day.0, carrying: *carrying },
        E::DayReset { from, day } => c::Event::DayReset { from: from.0, day: day.0 },
        E::CounterOpened { counter, login } => {
            c::Event::CounterOpened { counter: counter.shared(), login: login.clone() }
        }
        E::CounterPaused { counter } => c::Event::CounterPaused { counter: counter.shared() },
        E::CounterClosed { counter } => c::Event::CounterClosed { counter: counter.shared() },
        E::QueueSet { queue, state, unnotified } => {
            let state = queue_state_to_stored(*state);
            c::Event::QueueSet { queue: queue.shared(), state, unnotified: *unnotified }
        }
        E::QueueBatchNotified { queue, people } => {
            c::Event::QueueBatchNotified { queue: queue.shared(), people: *people }
        }
        E::QueueCleared { queue, voided, remaining } => {
            c::Event::QueueCleared { queue: queue.shared(), voided: *voided, remaining: *remaining }
        }
        E::QueueBatchCleared { queue, tickets } => {
            c::Event::QueueBatchCleared { queue: queue.shared(), tickets: *tickets }
        }
        E::TicketTaken {
            ticket,
            queue,
            number,
            person,
            rank,
            quoted,
            basis,
            scan_session,
            key,
        } => c::Event::TicketTaken {
            ticket: ticket.0,
            queue: queue.shared(),
            number: number_to_stored(number),
            person: person.as_ref().map(|id| id.shared()),
            rank: rank_to_stored(rank),
            quoted: quoted_wait_to_stored(quoted),
            basis: basis.map(basis_to_stored),
            scan_session: scan_session.as_ref().map(|id| id.shared()),
            key: key.map(key_to_stored),
        },
        E::TicketCarried { ticket } => {
            c::Event::TicketCarried { ticket: Box::new(ticket_to_stored(ticket)) }
        }
        E::TicketShown { ticket, quoted, scan_session } => c::Event::TicketShown {
            ticket: ticket.0,
            quoted: quoted_wait_to_stored(quoted),
            scan_session: scan_session.as_ref().map(|id| id.shared()),
        },
        E::TicketCalled {
            ticket,
            counter,
            call,
            deadline,
            reason,
            passed_over,
            interleave_step,
        } => c::Event::TicketCalled {
            ticket: ticket.0,
            counter: counter.shared(),
            call: *call,
            deadline: deadline.0,
            reason: reason.clone(),
            passed_over: passed_over.iter().map(|queue| queue.shared()).collect(),
            interleave_step: *interleave_step,
        },
        E::TicketRecalled { ticket, counter, call, round, deadline } => c::Event::TicketRecalled {
            ticket: ticket.0,
            counter: counter.shared(),
            call: *call,
            round: *round,
            deadline: deadline.0,
        },
        E::TicketStarted { ticket, counter } => {
            c::Event::TicketStarted { ticket: ticket.0, counter: counter.shared() }
        }
        E::TicketPutBack { ticket } => c::Event::TicketPutBack { ticket: ticket.0 },
        E::TicketFinished { ticket, counter, slot_ms, implausible, visit } => {
            c::Event::TicketFinished {
                ticket: ticket.0,
                counter: counter.shared(),
                slot_ms: *slot_ms,
                implausible: *implausible,
                visit: visit.as_ref().map(|visit| Box::new(visit_to_stored(visit))),
            }
        }
        E::TicketMissed { ticket, counter, until } => c::Event::TicketMissed {
            ticket: ticket.0,
            counter: counter.shared(),
            until: until.map(|until| until.0),
        },
        E::TicketReturned { ticket, rank } => {
            c::Event::TicketReturned { ticket: ticket.0, rank: rank_to_stored(rank) }
        }
        E::TicketHeld { ticket, hold, worked_ms } => c::Event::TicketHeld {
            ticket: ticket.0,
            hold: hold_to_stored(hold),
            worked_ms: *worked_ms,
        },
        E::TicketResumed { ticket } => c::Event::TicketResumed { ticket: ticket.0 },
        E::TicketTransferred { ticket, queue, rank } => c::Event::TicketTransferred {
            ticket: ticket.0,
            queue: queue.shared(),
            rank: rank_to_stored(rank),
        },
        E::TicketClosed { ticket, reason, note, visit } => c::Event::TicketClosed {
            ticket: ticket.0,
            reason: close_reason_to_stored(*reason),
            note: note.clone(),
            visit: visit.as_ref().map(|visit| Box::new(visit_to_stored(visit))),
        },
        E::TicketRestored { ticket, retracts } => c::Event::TicketRestored {
            ticket: Box::new(ticket_to_stored(ticket)),
            retracts: retracts.map(|day| day.0),
        },
        E::TicketPrioritised { ticket, rank, reason } => c::Event::TicketPrioritised {
            ticket: ticket.0,
            rank: rank_to_stored(rank),
            reason: reason.clone(),
        },
        E::TicketMarked { ticket, mark } => {
            c::Event::TicketMarked { ticket: ticket.0, mark: mark_to_stored(*mark) }
        }
        E::HolderForgotten { ticket } => c::Event::HolderForgotten { ticket: ticket.0 },
        E::HolderMigrated { ticket, person } => {
            c::Event::HolderMigrated { ticket: ticket.0, person: person.shared() }
        }
        E::NotificationTriggered(trigger) => {
            c::Event::NotificationTriggered(notification_to_stored(trigger))
        }
    }
}

pub(super) fn event_from_stored(event: c::Event) -> d::Event {
    use c::Event as E;
    let id = d::TicketId;
    match event {
        E::DayClosed { day, voided, carried } => {
            d::Event::DayClosed { day: d::Day(day), voided, carried }
        }
        E::DayOpened { day, carrying } => d::Event::DayOpened { day: d::Day(day), carrying },
        E::DayReset { from, day } => d::Event::DayReset { from: d::Day(from), day: d::Day(day) },
        E::CounterOpened { counter, login } => {
            d::Event::CounterOpened { counter: counter.into(), login }
        }
        E::CounterPaused { counter } => d::Event::CounterPaused { counter: counter.into() },
        E::CounterClosed { counter } => d::Event::CounterClosed { counter: counter.into() },
        E::QueueSet { queue, state, unnotified } => d::Event::QueueSet {
            queue: queue.into(),
            state: queue_state_from_stored(state),
            unnotified,
        },
        E::QueueBatchNotified { queue, people } => {
            d::Event::QueueBatchNotified { queue: queue.into(), people }
        }
        E::QueueCleared { queue, voided, remaining } => {
            d::Event::QueueCleared { queue: queue.into(), voided, remaining }
        }
        E::QueueBatchCleared { queue, tickets } => {
            d::Event::QueueBatchCleared { queue: queue.into(), tickets }
        }
        E::TicketTaken {
            ticket,
            queue,
            number,
            person,
            rank,
            quoted,
            basis,
            scan_session,
            key,
        } => d::Event::TicketTaken {
            ticket: id(ticket),
            queue: queue.into(),
            number: number_from_stored(number),
            person: person.map(Into::into),
            rank: rank_from_stored(rank),
            quoted: quoted_wait_from_stored(quoted),
            basis: basis.map(basis_from_stored),
            scan_session: scan_session.map(Into::into),
            key: key.map(key_from_stored),
        },
        E::TicketCarried { ticket } => {
            d::Event::TicketCarried { ticket: Box::new(ticket_from_stored(*ticket)) }
        }
        E::TicketShown { ticket, quoted, scan_session } => d::Event::TicketShown {
            ticket: id(ticket),
            quoted: quoted_wait_from_stored(quoted),
            scan_session: scan_session.map(Into::into),
        },
        E::TicketCalled {
            ticket,
            counter,
            call,
            deadline,
            reason,
            passed_over,
            interleave_step,
        } => d::Event::TicketCalled {
            ticket: id(ticket),
            counter: counter.into(),
            call,
            deadline: d::Timestamp(deadline),
            reason,
            passed_over: passed_over.into_iter().map(Into::into).collect(),
            interleave_step,
        },
        E::TicketRecalled { ticket, counter, call, round, deadline } => d::Event::TicketRecalled {
            ticket: id(ticket),
            counter: counter.into(),
            call,
            round,
            deadline: d::Timestamp(deadline),
        },
        E::TicketStarted { ticket, counter } => {
            d::Event::TicketStarted { ticket: id(ticket), counter: counter.into() }
        }
        E::TicketPutBack { ticket } => d::Event::TicketPutBack { ticket: id(ticket) },
        E::TicketFinished { ticket, counter, slot_ms, implausible, visit } => {
            d::Event::TicketFinished {
                ticket: id(ticket),
                counter: counter.into(),
                slot_ms,
                implausible,
                visit: visit.map(|visit| Box::new(visit_from_stored(*visit))),
            }
        }
        E::TicketMissed { ticket, counter, until } => d::Event::TicketMissed {
            ticket: id(ticket),
            counter: counter.into(),
            until: until.map(d::Timestamp),
        },
        E::TicketReturned { ticket, rank } => {
            d::Event::TicketReturned { ticket: id(ticket), rank: rank_from_stored(rank) }
        }
        E::TicketHeld { ticket, hold, worked_ms } => {
            d::Event::TicketHeld { ticket: id(ticket), hold: hold_from_stored(hold), worked_ms }
        }
        E::TicketResumed { ticket } => d::Event::TicketResumed { ticket: id(ticket) },
        E::TicketTransferred { ticket, queue, rank } => d::Event::TicketTransferred {
            ticket: id(ticket),
            queue: queue.into(),
            rank: rank_from_stored(rank),
        },
        E::TicketClosed { ticket, reason, note, visit } => d::Event::TicketClosed {
            ticket: id(ticket),
            reason: close_reason_from_stored(reason),
            note,
            visit: visit.map(|visit| Box::new(visit_from_stored(*visit))),
        },
        E::TicketRestored { ticket, retracts } => d::Event::TicketRestored {
            ticket: Box::new(ticket_from_stored(*ticket)),
            retracts: retracts.map(d::Day),
        },
        E::TicketPrioritised { ticket, rank, reason } => {
            d::Event::TicketPrioritised { ticket: id(ticket), rank: rank_from_stored(rank), reason }
        }
        E::TicketMarked { ticket, mark } => {
            d::Event::TicketMarked { ticket: id(ticket), mark: mark_from_stored(mark) }
        }
        E::HolderForgotten { ticket } => d::Event::HolderForgotten { ticket: id(ticket) },
        E::HolderMigrated { ticket, person } => {
            d::Event::HolderMigrated { ticket: id(ticket), person: person.into() }
        }
        E::NotificationTriggered(trigger) => {
            d::Event::NotificationTriggered(notification_from_stored(trigger))
        }
    }
}

fn mark_to_stored(mark: d::Mark) -> c::Mark {
    match mark {
        d::Mark::Arrived => c::Mark::Arrived,
        d::Mark::Coming => c::Mark::Coming,
        d::Mark::LimitLifted => c::Mark::LimitLifted,
        d::Mark::Party(people) => c::Mark::Party(people),
        d::Mark::NotifyAhead(ahead) => c::Mark::NotifyAhead(ahead),
    }
}

fn mark_from_stored(mark: c::Mark) -> d::Mark {
    match mark {
        c::Mark::Arrived => d::Mark::Arrived,
        c::Mark::Coming => d::Mark::Coming,
        c::Mark::LimitLifted => d::Mark::LimitLifted,
        c::Mark::Party(people) => d::Mark::Party(people),
        c::Mark::NotifyAhead(ahead) => d::Mark::NotifyAhead(ahead),
    }
}

pub(super) fn author_to_stored(by: &d::ActorRef) -> c::ActorRef {
    match by {
        d::ActorRef::Customer => c::ActorRef::Customer,
        d::ActorRef::Staff(name) => c::ActorRef::Staff(name.clone()),
        d::ActorRef::Manager(name) => c::ActorRef::Manager(name.clone()),
        d::ActorRef::Api(name) => c::ActorRef::Api(name.clone()),
        d::ActorRef::System => c::ActorRef::System,
    }
}

pub(super) fn author_from_stored(by: c::ActorRef) -> d::ActorRef {
    match by {
        c::ActorRef::Customer => d::ActorRef::Customer,
        c::ActorRef::Staff(name) => d::ActorRef::Staff(name),
        c::ActorRef::Manager(name) => d::ActorRef::Manager(name),
        c::ActorRef::Api(name) => d::ActorRef::Api(name),
        c::ActorRef::System => d::ActorRef::System,
    }
}
