//! Why a command changed nothing.

use crate::ids::{CounterId, Number, QueueId, TicketId};
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
    /// The queue gives out no numbers now.
    QueueClosed(QueueId),
    /// The counter is not open.
    CounterClosed(CounterId),
    /// The counter still has somebody.
    CounterBusy {
        /// The counter.
        counter: CounterId,
        /// Whom it has.
        number: Number,
    },
    /// The counter has nobody to finish with or to miss.
    CounterIdle(CounterId),
    /// Nobody waits whom this counter serves.
    NobodyWaiting(CounterId),
    /// The ticket has ended.
    TicketEnded(Number),
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
            Refusal::QueueClosed(id) => write!(f, "queue {id:?} gives out no numbers now"),
            Refusal::CounterClosed(id) => write!(f, "counter {id:?} is not open"),
            Refusal::CounterBusy { counter, number } => {
                write!(f, "counter {counter:?} is still busy with {number}")
            }
            Refusal::CounterIdle(id) => write!(f, "counter {id:?} has called nobody"),
            Refusal::NobodyWaiting(id) => write!(f, "nobody waits for counter {id:?}"),
            Refusal::TicketEnded(number) => write!(f, "{number} has ended"),
            Refusal::CommandIdReused => {
                write!(f, "this command id was used before for another request")
            }
        }
    }
}

impl std::error::Error for Refusal {}
