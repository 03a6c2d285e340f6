//! Outcomes of commands: the answers to their callers.

use crate::model::ids::{CounterId, Number, QueueId, TicketId};
use crate::model::standing::TicketStanding;
use crate::model::time::{Day, Timestamp};
use crate::protocol::command::QueueState;

/// Answer to the caller of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The holder has this ticket.
    Holding {
        /// Ticket held.
        ticket: TicketId,
        /// Number on the ticket.
        number: Number,
        /// Queue of the ticket.
        queue: QueueId,
        /// `true` if the ticket was given out by this command.
        new: bool,
        /// Standing of the ticket.
        standing: TicketStanding,
    },
    /// The ticket was called to the counter.
    Called {
        /// Ticket called.
        ticket: TicketId,
        /// Number on the ticket.
        number: Number,
        /// Queue of the ticket.
        queue: QueueId,
        /// Counter that called.
        counter: CounterId,
        /// Time by which the holder is expected.
        deadline: Timestamp,
    },
    /// The ticket is served; the counter is free.
    Finished {
        /// Ticket served.
        ticket: TicketId,
        /// Number on the ticket.
        number: Number,
        /// Counter that is free.
        counter: CounterId,
    },
    /// The ticket is missed; the counter is free.
    Missed {
        /// Ticket missed.
        ticket: TicketId,
        /// Number on the ticket.
        number: Number,
        /// Counter that is free.
        counter: CounterId,
    },
    /// The ticket is closed.
    Left {
        /// Ticket closed.
        ticket: TicketId,
        /// Number on the ticket.
        number: Number,
    },
    /// New state of a ticket.
    TicketChanged {
        /// Ticket changed.
        ticket: TicketId,
        /// Number on the ticket.
        number: Number,
        /// Queue of the ticket.
        queue: QueueId,
        /// Standing of the ticket after it.
        standing: TicketStanding,
    },
    /// The person is forgotten.
    Forgotten,
    /// The counter is open.
    CounterOpen(CounterId),
    /// The counter is on a break.
    CounterPaused(CounterId),
    /// The counter is closed.
    CounterClosed(CounterId),
    /// The queue is in this state.
    QueueSet(QueueId, QueueState),
    /// The queue is empty.
    QueueCleared {
        /// Queue that was cleared.
        queue: QueueId,
        /// Number of tickets voided.
        voided: u32,
    },
    /// The day that was over has ended, and this one has begun.
    DayOpened(Day),
    /// The day that was over is ending, in several decisions.
    DayRollover {
        /// Number of tickets still to be voided or carried over.
        remaining: u32,
    },
    /// Holders were notified.
    HoldersNotified {
        /// Number of holders.
        people: u32,
    },
}

impl Outcome {
    /// Stable name of the outcome.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Holding { .. } => "holding",
            Outcome::Called { .. } => "called",
            Outcome::Finished { .. } => "finished",
            Outcome::Missed { .. } => "missed",
            Outcome::Left { .. } => "left",
            Outcome::TicketChanged { .. } => "stands",
            Outcome::Forgotten => "forgotten",
            Outcome::CounterOpen(_) => "counter_open",
            Outcome::CounterPaused(_) => "counter_paused",
            Outcome::CounterClosed(_) => "counter_closed",
            Outcome::QueueSet(..) => "queue_is",
            Outcome::QueueCleared { .. } => "queue_cleared",
            Outcome::DayOpened(_) => "day_begun",
            Outcome::DayRollover { .. } => "day_turning",
            Outcome::HoldersNotified { .. } => "told",
        }
    }
}
