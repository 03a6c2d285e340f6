//! What happened to a site: the words of the ledger.

use crate::ids::{CommandId, CounterId, Number, Person, QueueId, TicketId, Via};
use crate::ticket::{CloseReason, Rank, Told};
use crate::time::{Day, Timestamp};
use std::sync::Arc;

/// A decision: one command, and all that followed from it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The command.
    pub command: CommandId,
    /// The command's fingerprint.
    pub fingerprint: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What the asker is answered, now and on every repeat.
    pub outcome: Outcome,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// One thing that happened. Its meaning never changes; new meanings are new events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A new business day began: whatever was before no longer counts.
    DayOpened {
        /// Which day.
        day: Day,
    },
    /// A counter began to serve.
    CounterOpened {
        /// Which.
        counter: CounterId,
    },
    /// A counter stopped serving.
    CounterClosed {
        /// Which.
        counter: CounterId,
    },
    /// A number was given out.
    TicketTaken {
        /// The new ticket.
        ticket: TicketId,
        /// Its queue.
        queue: QueueId,
        /// Its number.
        number: Number,
        /// Its holder.
        person: Option<Person>,
        /// Its place.
        rank: Rank,
        /// What the holder was told.
        told: Told,
        /// The scan session it came through.
        via: Option<Via>,
    },
    /// Somebody asked again and was shown the ticket they hold.
    TicketShown {
        /// The ticket.
        ticket: TicketId,
        /// What the holder was told this time.
        told: Told,
        /// The scan session it came through.
        via: Option<Via>,
    },
    /// A counter called a ticket.
    TicketCalled {
        /// The ticket.
        ticket: TicketId,
        /// The counter.
        counter: CounterId,
        /// The how-manieth call of this ticket, from 1.
        call: u32,
        /// Until when the person is expected.
        deadline: Timestamp,
    },
    /// The called person was served.
    TicketFinished {
        /// The ticket.
        ticket: TicketId,
        /// The counter, which is free again.
        counter: CounterId,
    },
    /// The called person did not come.
    TicketMissed {
        /// The ticket.
        ticket: TicketId,
        /// The counter, which is free again.
        counter: CounterId,
    },
    /// The place was given up.
    TicketClosed {
        /// The ticket.
        ticket: TicketId,
        /// Why.
        reason: CloseReason,
    },
    /// The holder of a ticket is no longer known. Does not say who it was.
    HolderForgotten {
        /// The ticket, which has ended.
        ticket: TicketId,
    },
    /// Something was reached that the holder is to be told, with all that the message needs.
    MilestoneReached(Milestone),
}

/// Something the holder of a ticket is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// Whose ticket.
    pub ticket: TicketId,
    /// The business day, which makes the ticket unique in the site.
    pub day: Day,
    /// Whom to tell.
    pub person: Person,
    /// The number.
    pub number: Number,
    /// The queue's name as customers read it.
    pub queue_name: Arc<str>,
    /// What was reached.
    pub kind: MilestoneKind,
    /// When.
    pub at: Timestamp,
    /// When it stops being true; not to be sent after that.
    pub valid_until: Timestamp,
}

/// What can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MilestoneKind {
    /// A counter called (叫号).
    Called {
        /// The counter's name as customers read it.
        counter_name: Arc<str>,
        /// The how-manieth call, from 1.
        call: u32,
    },
}

/// What the asker is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This is your ticket.
    Holding {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// Its queue.
        queue: QueueId,
        /// What the holder is told.
        told: Told,
        /// Where the ticket is called to, if it has been.
        called_to: Option<CounterId>,
        /// Whether it was given out just now, rather than held before.
        new: bool,
    },
    /// This ticket was called to the counter.
    Called {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// Its queue.
        queue: QueueId,
        /// The counter.
        counter: CounterId,
        /// Until when the person is expected.
        deadline: Timestamp,
    },
    /// The ticket is served; the counter is free.
    Finished {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// The counter.
        counter: CounterId,
    },
    /// The ticket is missed; the counter is free.
    Missed {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
        /// The counter.
        counter: CounterId,
    },
    /// The ticket is closed.
    Left {
        /// The ticket.
        ticket: TicketId,
        /// Its number.
        number: Number,
    },
    /// Somebody is known no longer.
    Forgotten,
    /// The counter is open.
    CounterOpen(CounterId),
    /// The counter is closed.
    CounterClosed(CounterId),
}
