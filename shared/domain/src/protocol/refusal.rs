//! Refusals: reasons for which a command changes nothing.

use crate::model::actor::Role;
use crate::model::ids::{CounterId, Number, QueueId, TicketId};
use crate::model::ticket::TicketStatus;
use std::fmt;

/// Reason of a refusal. Interfaces add the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The site has no such queue.
    UnknownQueue(QueueId),
    /// The site has no such counter.
    UnknownCounter(CounterId),
    /// The site has no such ticket today.
    UnknownTicket(TicketId),
    /// The person holds no live ticket here.
    NoTicketHeld,
    /// No ticket of this site names the person.
    PersonUnknown,
    /// The queue is closed.
    QueueClosed(QueueId),
    /// The queue gives out no numbers for now.
    QueuePaused(QueueId),
    /// The queue calls nobody for now.
    QueueHalted(QueueId),
    /// The limit of waiting tickets or of tickets a day is reached.
    QueueFull(QueueId),
    /// The person has taken as many tickets of the queue today as one may.
    PersonLimit(QueueId),
    /// The turn of a new ticket would come after closing time.
    QueueClosing(QueueId),
    /// The queue is outside of its opening hours.
    OutOfHours(QueueId),
    /// The counter is not open.
    CounterClosed(CounterId),
    /// The counter is on a break.
    CounterOnBreak(CounterId),
    /// The counter is still busy with a ticket.
    CounterBusy {
        /// Counter that is busy.
        counter: CounterId,
        /// Number that it is busy with.
        number: Number,
    },
    /// The counter is busy with no ticket.
    CounterIdle(CounterId),
    /// Somebody else is logged in at the counter.
    CounterTaken(CounterId),
    /// The caller is logged in at another counter.
    ElsewhereLoggedIn(CounterId),
    /// No ticket waits that this counter may call.
    NobodyWaiting(CounterId),
    /// The counter does not serve the ticket's queue, or another counter must resume the service.
    WrongCounter(CounterId),
    /// The ticket has ended.
    TicketEnded(Number),
    /// The ticket is not in a state that allows the act.
    WrongState {
        /// Number on the ticket.
        number: Number,
        /// Status in which the ticket was found.
        found: TicketStatus,
    },
    /// The role does not allow the act.
    NotAllowed(Role),
    /// The ticket belongs to another person.
    NotYourTicket,
    /// The counter is not one of the caller's.
    NotYourCounter(CounterId),
    /// The queue is not served by the caller's counters.
    NotYourQueue(QueueId),
    /// The act needs a reason.
    ReasonNeeded,
    /// The act is allowed only after this many seconds.
    TooSoon(u32),
    /// The time for the act is over.
    TooLate(Number),
    /// The act has been done as often as allowed.
    TooOften(Number),
    /// The ticket has no step to undo.
    NothingToUndo(Number),
    /// A value is out of its range.
    OutOfRange(&'static str),
    /// A command of the system is not due yet.
    NotDue,
    /// The business day is ending, in several decisions; the caller may retry in a moment.
    DayRollover,
    /// The business day is another than the one on which the caller looked up the ticket.
    DayTurned,
    /// The day would go on by more than one, by a clock that nothing confirms.
    DayUnconfirmed,
    /// The id of the command was used before for another request.
    CommandIdReused,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownQueue(id) => write!(f, "there is no queue {id:?} at this site"),
            Refusal::UnknownCounter(id) => write!(f, "there is no counter {id:?} at this site"),
            Refusal::UnknownTicket(_) => write!(f, "there is no such ticket at this site today"),
            Refusal::NoTicketHeld => write!(f, "this person holds no ticket here"),
            Refusal::PersonUnknown => write!(f, "nothing here names this person"),
            Refusal::QueueClosed(id) => write!(f, "queue {id:?} is closed"),
            Refusal::QueuePaused(id) => write!(f, "queue {id:?} gives out no numbers for now"),
            Refusal::QueueHalted(id) => write!(f, "queue {id:?} calls nobody for now"),
            Refusal::QueueFull(id) => write!(f, "queue {id:?} is full"),
            Refusal::PersonLimit(id) => {
                write!(f, "this person has taken enough numbers of queue {id:?} today")
            }
            Refusal::QueueClosing(id) => {
                write!(f, "queue {id:?} would not come to the next one before it closes")
            }
            Refusal::OutOfHours(id) => write!(f, "it is outside of queue {id:?}'s opening hours"),
            Refusal::CounterClosed(id) => write!(f, "counter {id:?} is not open"),
            Refusal::CounterOnBreak(id) => write!(f, "counter {id:?} has a break"),
            Refusal::CounterBusy { counter, number } => {
                write!(f, "counter {counter:?} is still busy with {number}")
            }
            Refusal::CounterIdle(id) => write!(f, "counter {id:?} has nobody"),
            Refusal::CounterTaken(id) => write!(f, "somebody else is logged in at counter {id:?}"),
            Refusal::ElsewhereLoggedIn(id) => write!(f, "the asker is at counter {id:?} already"),
            Refusal::NobodyWaiting(id) => write!(f, "nobody waits for counter {id:?}"),
            Refusal::WrongCounter(id) => write!(f, "counter {id:?} cannot take this ticket"),
            Refusal::TicketEnded(number) => write!(f, "{number} has ended"),
            Refusal::WrongState { number, found } => write!(f, "{number} is {}", found.name()),
            Refusal::NotAllowed(role) => write!(f, "not for the role {role:?}"),
            Refusal::NotYourTicket => write!(f, "somebody else's ticket"),
            Refusal::NotYourCounter(id) => write!(f, "the asker is not at counter {id:?}"),
            Refusal::NotYourQueue(id) => write!(f, "the asker does not serve queue {id:?}"),
            Refusal::ReasonNeeded => write!(f, "a reason is needed"),
            Refusal::TooSoon(seconds) => write!(f, "not for another {seconds} s"),
            Refusal::TooLate(number) => write!(f, "it is too late for {number}"),
            Refusal::TooOften(number) => write!(f, "as often as may be already for {number}"),
            Refusal::NothingToUndo(number) => write!(f, "nothing to take back for {number}"),
            Refusal::OutOfRange(what) => write!(f, "{what}"),
            Refusal::NotDue => write!(f, "this is not due"),
            Refusal::DayRollover => write!(f, "the business day is just ending"),
            Refusal::DayTurned => {
                write!(f, "the business day has turned since the ticket was found")
            }
            Refusal::DayUnconfirmed => {
                write!(f, "more than one day has passed, by a clock that nothing confirms")
            }
            Refusal::CommandIdReused => {
                write!(f, "this command id was used before for another request")
            }
        }
    }
}

impl std::error::Error for Refusal {}
