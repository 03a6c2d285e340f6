//! What happened to a site: the words of the ledger.

use crate::model::actor::ActorRef;
use crate::model::ids::{
    CommandId, CounterId, Number, Person, QueueId, ScanSessionRef, TicketId, TicketKey,
};
use crate::model::notification::NotificationTrigger;
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::ticket::{CloseReason, Hold, Ticket};
use crate::model::time::{Day, Timestamp};
use crate::model::visit::VisitRecord;
use crate::model::visit_progress::ForecastBasis;
use crate::protocol::command::{Mark, QueueState};
use crate::protocol::outcome::Outcome;
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
    /// On whose wish; `None` if an older program decided it.
    pub by: Option<ActorRef>,
    /// What the asker is answered, now and on every repeat.
    pub outcome: Outcome,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// One thing that happened. Its meaning never changes; new meanings are new events. Whoever applies
/// it needs no rules: everything that follows from it is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A business day ended. The tickets that did not go on were closed before this.
    DayClosed {
        /// Which day.
        day: Day,
        /// How many tickets were void.
        voided: u32,
        /// How many go on.
        carried: u32,
    },
    /// A new business day began: whatever was before no longer counts.
    DayOpened {
        /// Which day.
        day: Day,
        /// How many of those that go on come by decisions that follow, and before anything else.
        carrying: u32,
    },
    /// A counter began to serve, or goes on after a break.
    CounterOpened {
        /// Which.
        counter: CounterId,
        /// Who sits there.
        login: Option<Arc<str>>,
    },
    /// A counter serves nobody for a while.
    CounterPaused {
        /// Which.
        counter: CounterId,
    },
    /// A counter stopped serving.
    CounterClosed {
        /// Which.
        counter: CounterId,
    },
    /// A queue was opened, paused, halted or closed.
    QueueSet {
        /// Which.
        queue: QueueId,
        /// To what.
        state: QueueState,
        /// How many are to be told of it by decisions that follow.
        untold: u32,
    },
    /// Some of those were told, or need not be any more.
    QueueTold {
        /// Which.
        queue: QueueId,
        /// How many.
        people: u32,
    },
    /// A queue was cleared. Its tickets were closed before this.
    QueueCleared {
        /// Which.
        queue: QueueId,
        /// How many tickets are void.
        voided: u32,
        /// How many of them are closed by decisions that follow.
        unswept: u32,
    },
    /// Some of those were closed, or have left meanwhile.
    QueueSwept {
        /// Which.
        queue: QueueId,
        /// How many.
        tickets: u32,
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
        told: QuotedWait,
        /// What that rested on; `None` if nobody could say, or an older program decided it.
        basis: Option<ForecastBasis>,
        /// The scan session it came through.
        via: Option<ScanSessionRef>,
        /// What opens it to its holder; `None` if an older program gave it out.
        key: Option<TicketKey>,
    },
    /// A ticket of the day before goes on, as it is.
    TicketCarried {
        /// All of it.
        ticket: Box<Ticket>,
    },
    /// Somebody asked again and was shown the ticket they hold.
    TicketShown {
        /// The ticket.
        ticket: TicketId,
        /// What the holder was told this time.
        told: QuotedWait,
        /// The scan session it came through.
        via: Option<ScanSessionRef>,
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
        /// Why out of order; `None` if it was this one's turn.
        reason: Option<Arc<str>>,
        /// The queues in which somebody of a lower class, who had come before, was passed.
        over: Vec<QueueId>,
        /// Where its queue's interleaving stands after this.
        turn: Option<u32>,
    },
    /// The called person was called again.
    TicketRecalled {
        /// The ticket.
        ticket: TicketId,
        /// The counter.
        counter: CounterId,
        /// The how-manieth call of this ticket, from 1.
        call: u32,
        /// The how-manieth since it was in the line.
        round: u32,
        /// Until when the person is expected.
        deadline: Timestamp,
    },
    /// Service began, or goes on.
    TicketStarted {
        /// The ticket.
        ticket: TicketId,
        /// The counter.
        counter: CounterId,
    },
    /// The call was taken back: the ticket is in its old place.
    TicketPutBack {
        /// The ticket.
        ticket: TicketId,
    },
    /// The called person was served.
    TicketFinished {
        /// The ticket.
        ticket: TicketId,
        /// The counter, which is free again.
        counter: CounterId,
        /// Milliseconds that it kept counters busy; `None` if an older program decided it.
        slot_ms: Option<i64>,
        /// Whether that is too long to be true, and nothing is to be learned from it.
        implausible: bool,
        /// The visit that this ends; `None` if an older program decided it.
        visit: Option<Box<VisitRecord>>,
    },
    /// The called person did not come.
    TicketMissed {
        /// The ticket.
        ticket: TicketId,
        /// The counter, which is free again.
        counter: CounterId,
        /// Until when they may return; `None` if they may not.
        until: Option<Timestamp>,
    },
    /// A missed one is in the line again.
    TicketReturned {
        /// The ticket.
        ticket: TicketId,
        /// Its new place.
        rank: Rank,
    },
    /// A ticket is out of the line for a while; its counter, if it had one, is free.
    TicketHeld {
        /// The ticket.
        ticket: TicketId,
        /// Why, and until when.
        hold: Hold,
        /// Milliseconds of service so far.
        worked_ms: i64,
    },
    /// A held one is in the line again, at its own place.
    TicketResumed {
        /// The ticket.
        ticket: TicketId,
    },
    /// A ticket waits in another queue.
    TicketTransferred {
        /// The ticket.
        ticket: TicketId,
        /// The queue.
        queue: QueueId,
        /// Its place there.
        rank: Rank,
    },
    /// The place was given up, or is void.
    TicketClosed {
        /// The ticket.
        ticket: TicketId,
        /// Why.
        reason: CloseReason,
        /// In staff's words.
        note: Option<Arc<str>>,
        /// The visit that this ends; `None` if an older program decided it.
        visit: Option<Box<VisitRecord>>,
    },
    /// A ticket is again what it was before it was finished with, missed or closed.
    TicketRestored {
        /// All of it.
        ticket: Box<Ticket>,
        /// The day whose ended visit no longer is one; `None` if the ticket had not ended.
        retracts: Option<Day>,
    },
    /// A ticket has another priority class.
    TicketPrioritised {
        /// The ticket.
        ticket: TicketId,
        /// Its new place.
        rank: Rank,
        /// Why.
        reason: Arc<str>,
    },
    /// Something was noted about the holder.
    TicketMarked {
        /// The ticket.
        ticket: TicketId,
        /// What.
        mark: Mark,
    },
    /// The holder of a ticket is no longer known. Does not say who it was.
    HolderForgotten {
        /// The ticket.
        ticket: TicketId,
    },
    /// Something was reached that the holder is to be told, with all that the message needs.
    NotificationTriggered(NotificationTrigger),
}

impl Event {
    /// The end of a ticket; what it says of the visit is filled in where it is decided.
    pub(crate) fn ticket_closed(
        ticket: TicketId,
        reason: CloseReason,
        note: Option<Arc<str>>,
    ) -> Event {
        Event::TicketClosed { ticket, reason, note, visit: None }
    }

    /// The ticket it is about.
    pub fn ticket(&self) -> Option<TicketId> {
        match self {
            Event::TicketTaken { ticket, .. }
            | Event::TicketShown { ticket, .. }
            | Event::TicketCalled { ticket, .. }
            | Event::TicketRecalled { ticket, .. }
            | Event::TicketStarted { ticket, .. }
            | Event::TicketPutBack { ticket }
            | Event::TicketFinished { ticket, .. }
            | Event::TicketMissed { ticket, .. }
            | Event::TicketReturned { ticket, .. }
            | Event::TicketHeld { ticket, .. }
            | Event::TicketResumed { ticket }
            | Event::TicketTransferred { ticket, .. }
            | Event::TicketClosed { ticket, .. }
            | Event::TicketPrioritised { ticket, .. }
            | Event::TicketMarked { ticket, .. }
            | Event::HolderForgotten { ticket } => Some(*ticket),
            Event::TicketCarried { ticket } | Event::TicketRestored { ticket, .. } => {
                Some(ticket.id)
            }
            Event::NotificationTriggered(milestone) => Some(milestone.ticket),
            Event::DayClosed { .. }
            | Event::DayOpened { .. }
            | Event::CounterOpened { .. }
            | Event::CounterPaused { .. }
            | Event::CounterClosed { .. }
            | Event::QueueSet { .. }
            | Event::QueueTold { .. }
            | Event::QueueCleared { .. }
            | Event::QueueSwept { .. } => None,
        }
    }
}
