//! Why a command changed nothing.

use crate::model::actor::Role;
use crate::model::ids::{CounterId, Number, QueueId, TicketId};
use crate::model::ticket::TicketStatus;
use std::fmt;

/// A named reason. Whoever shows it to people adds the words.
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
    /// Nothing here names the person.
    PersonUnknown,
    /// The queue is closed.
    QueueClosed(QueueId),
    /// The queue gives out no numbers for now.
    QueuePaused(QueueId),
    /// The queue calls nobody for now.
    QueueHalted(QueueId),
    /// As many wait as may, or as many numbers were given out as a day has.
    QueueFull(QueueId),
    /// The next one's turn would come after closing time.
    QueueClosing(QueueId),
    /// It is outside of the queue's opening hours.
    OutOfHours(QueueId),
    /// The counter is not open.
    CounterClosed(CounterId),
    /// The counter has a break.
    CounterOnBreak(CounterId),
    /// The counter still has somebody.
    CounterBusy {
        /// The counter.
        counter: CounterId,
        /// Whom it has.
        number: Number,
    },
    /// The counter has nobody.
    CounterIdle(CounterId),
    /// Somebody else is logged in at the counter.
    CounterTaken(CounterId),
    /// The asker is logged in at another counter.
    ElsewhereLoggedIn(CounterId),
    /// Nobody waits whom this counter serves.
    NobodyWaiting(CounterId),
    /// The counter does not serve the ticket's queue, or another one has to go on with it.
    WrongCounter(CounterId),
    /// The ticket has ended.
    TicketEnded(Number),
    /// The ticket is not in a state in which this can be done.
    WrongState {
        /// The ticket.
        number: Number,
        /// The state it was found in.
        found: TicketStatus,
    },
    /// Nobody in this role may do this.
    NotAllowed(Role),
    /// Somebody else's ticket.
    NotYourTicket,
    /// Not one of the asker's counters.
    NotYourCounter(CounterId),
    /// Not a queue of the asker's counters.
    NotYourQueue(QueueId),
    /// This is not done without a reason.
    ReasonNeeded,
    /// Not yet: in so many seconds.
    TooSoon(u32),
    /// The time for this is over.
    TooLate(Number),
    /// As often as may be already.
    TooOften(Number),
    /// There is nothing to take back.
    NothingToUndo(Number),
    /// Out of the range that this may have.
    OutOfRange(&'static str),
    /// What the system would do of itself is not due.
    NotDue,
    /// The business day is just ending, in several steps: in a moment.
    DayTurning,
    /// The command's id was used before for another request.
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
            Refusal::TooSoon(seconds) => write!(f, "not for another {seconds} seconds"),
            Refusal::TooLate(number) => write!(f, "it is too late for {number}"),
            Refusal::TooOften(number) => write!(f, "as often as may be already for {number}"),
            Refusal::NothingToUndo(number) => write!(f, "nothing to take back for {number}"),
            Refusal::OutOfRange(what) => write!(f, "{what}"),
            Refusal::NotDue => write!(f, "this is not due"),
            Refusal::DayTurning => write!(f, "the business day is just ending"),
            Refusal::CommandIdReused => {
                write!(f, "this command id was used before for another request")
            }
        }
    }
}

impl std::error::Error for Refusal {}
