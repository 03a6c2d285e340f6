//! Events of a site: the vocabulary of its ledger.

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

/// Decision on one command, with everything that followed from it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Id of the command.
    pub command: CommandId,
    /// Fingerprint of the command.
    pub fingerprint: u64,
    /// Time of the decision.
    pub at: Timestamp,
    /// Actor of the command; `None` if an older program decided it.
    pub by: Option<ActorRef>,
    /// Answer to the caller, now and on every repeat.
    pub outcome: Outcome,
    /// Events, in order.
    pub events: Vec<Event>,
}

impl Decision {
    /// Returns whether a business day begins in the decision.
    pub fn opens_day(&self) -> bool {
        self.events.iter().any(Event::opens_day)
    }
}

/// Event of a site. Its meaning never changes; a new meaning is a new event. An event is applied
/// without rules: everything that follows from it is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A business day ended. The tickets that are not carried over were closed before this.
    DayClosed {
        /// Day that ended.
        day: Day,
        /// Number of tickets voided.
        voided: u32,
        /// Number of tickets carried over.
        carried: u32,
    },
    /// A new business day began: the state of the day before no longer counts.
    DayOpened {
        /// Day that began.
        day: Day,
        /// Number of carried-over tickets that come with the following decisions, before anything
        /// else.
        carrying: u32,
    },
    /// A counter began to serve, or ended its break.
    CounterOpened {
        /// Counter that opened.
        counter: CounterId,
        /// Login at the counter.
        login: Option<Arc<str>>,
    },
    /// A counter began a break.
    CounterPaused {
        /// Counter on a break.
        counter: CounterId,
    },
    /// A counter stopped serving.
    CounterClosed {
        /// Counter that closed.
        counter: CounterId,
    },
    /// A queue was opened, paused, halted or closed.
    QueueSet {
        /// Queue that changed.
        queue: QueueId,
        /// New state.
        state: QueueState,
        /// Number of holders to be notified by the following decisions.
        unnotified: u32,
    },
    /// A batch of those holders was notified, or no longer needs to be.
    QueueBatchNotified {
        /// Queue of the batch.
        queue: QueueId,
        /// Number of holders in the batch.
        people: u32,
    },
    /// A queue was cleared. Its tickets were closed before this.
    QueueCleared {
        /// Queue that was cleared.
        queue: QueueId,
        /// Number of tickets voided.
        voided: u32,
        /// Number of those that the following decisions close.
        remaining: u32,
    },
    /// A batch of those tickets was closed, or has left meanwhile.
    QueueBatchCleared {
        /// Queue of the batch.
        queue: QueueId,
        /// Number of tickets in the batch.
        tickets: u32,
    },
    /// A site whose business day lay in the future stands in the present one again. Everything else
    /// stays as it is.
    DayReset {
        /// Day in the future.
        from: Day,
        /// Present day.
        day: Day,
    },
    /// A number was given out.
    TicketTaken {
        /// New ticket.
        ticket: TicketId,
        /// Queue of the ticket.
        queue: QueueId,
        /// Number on the ticket.
        number: Number,
        /// Holder of the ticket.
        person: Option<Person>,
        /// Place in the line.
        rank: Rank,
        /// Wait quoted to the holder.
        quoted: QuotedWait,
        /// Forecast behind that quote; `None` if there was none, or if an older program decided it.
        basis: Option<ForecastBasis>,
        /// Scan session of the request.
        scan_session: Option<ScanSessionRef>,
        /// Key of the ticket; `None` if an older program gave it out.
        key: Option<TicketKey>,
    },
    /// A ticket of the day before was carried over unchanged.
    TicketCarried {
        /// The whole ticket.
        ticket: Box<Ticket>,
    },
    /// A holder asked again and was shown the ticket.
    TicketShown {
        /// Ticket shown.
        ticket: TicketId,
        /// Wait quoted this time.
        quoted: QuotedWait,
        /// Scan session of the request.
        scan_session: Option<ScanSessionRef>,
    },
    /// A counter called a ticket.
    TicketCalled {
        /// Ticket called.
        ticket: TicketId,
        /// Counter that called.
        counter: CounterId,
        /// Ordinal of the call among those of the ticket, from 1.
        call: u32,
        /// Time by which the holder is expected.
        deadline: Timestamp,
        /// Reason for a call out of order; `None` if it was the ticket's turn.
        reason: Option<Arc<str>>,
        /// Queues in which an earlier ticket of a lower class was passed over.
        passed_over: Vec<QueueId>,
        /// Step of the queue's interleaving after this call.
        interleave_step: Option<u32>,
    },
    /// A called ticket was called again.
    TicketRecalled {
        /// Ticket called.
        ticket: TicketId,
        /// Counter that called.
        counter: CounterId,
        /// Ordinal of the call among those of the ticket, from 1.
        call: u32,
        /// Ordinal of the call since the ticket left the line.
        round: u32,
        /// Time by which the holder is expected.
        deadline: Timestamp,
    },
    /// Service began, or was resumed.
    TicketStarted {
        /// Ticket served.
        ticket: TicketId,
        /// Counter that serves.
        counter: CounterId,
    },
    /// A call was taken back: the ticket takes its old place.
    TicketPutBack {
        /// Ticket of the call.
        ticket: TicketId,
    },
    /// A called ticket was served.
    TicketFinished {
        /// Ticket served.
        ticket: TicketId,
        /// Counter, which is free again.
        counter: CounterId,
        /// Milliseconds for which it kept counters busy; `None` if an older program decided it.
        slot_ms: Option<i64>,
        /// `true` if that is too long to be plausible, and no forecast may learn from it.
        implausible: bool,
        /// Record of the visit that this ends; `None` if an older program decided it.
        visit: Option<Box<VisitRecord>>,
    },
    /// A called holder did not come.
    TicketMissed {
        /// Ticket missed.
        ticket: TicketId,
        /// Counter, which is free again.
        counter: CounterId,
        /// Deadline for a return; `None` if the holder may not return.
        until: Option<Timestamp>,
    },
    /// A missed ticket waits in the line again.
    TicketReturned {
        /// Ticket returned.
        ticket: TicketId,
        /// New place in the line.
        rank: Rank,
    },
    /// A ticket left the line for a while; its counter, if it had one, is free.
    TicketHeld {
        /// Ticket held.
        ticket: TicketId,
        /// Cause and end of the hold.
        hold: Hold,
        /// Milliseconds of service so far.
        worked_ms: i64,
    },
    /// A held ticket waits in the line again, at its own place.
    TicketResumed {
        /// Ticket resumed.
        ticket: TicketId,
    },
    /// A ticket waits in another queue.
    TicketTransferred {
        /// Ticket transferred.
        ticket: TicketId,
        /// New queue.
        queue: QueueId,
        /// Place in its line.
        rank: Rank,
    },
    /// A ticket was given up or voided.
    TicketClosed {
        /// Ticket closed.
        ticket: TicketId,
        /// Reason of the closing.
        reason: CloseReason,
        /// Note by staff.
        note: Option<Arc<str>>,
        /// Record of the visit that this ends; `None` if an older program decided it.
        visit: Option<Box<VisitRecord>>,
    },
    /// A ticket was restored to its state before it was finished, missed or closed.
    TicketRestored {
        /// The whole ticket.
        ticket: Box<Ticket>,
        /// Day whose visit record is retracted; `None` if the ticket had not ended.
        retracts: Option<Day>,
    },
    /// A ticket has another priority class.
    TicketPrioritised {
        /// Ticket changed.
        ticket: TicketId,
        /// New place in the line.
        rank: Rank,
        /// Reason of the change.
        reason: Arc<str>,
    },
    /// A fact about the holder was noted.
    TicketMarked {
        /// Ticket of the holder.
        ticket: TicketId,
        /// Fact noted.
        mark: Mark,
    },
    /// The holder of a ticket was forgotten. The event does not name them.
    HolderForgotten {
        /// Ticket of the holder.
        ticket: TicketId,
    },
    /// The holder of a ticket is known by another openid, since the account of the site migrated.
    HolderMigrated {
        /// Ticket of the holder.
        ticket: TicketId,
        /// The same person at the new account.
        person: Person,
    },
    /// A notification for the holder is due, with everything that the message needs.
    NotificationTriggered(NotificationTrigger),
}

impl Event {
    /// Returns whether the event begins a business day.
    pub fn opens_day(&self) -> bool {
        matches!(self, Event::DayOpened { .. })
    }

    /// Event that closes a ticket; the decision adds the visit record.
    pub(crate) fn ticket_closed(
        ticket: TicketId,
        reason: CloseReason,
        note: Option<Arc<str>>,
    ) -> Event {
        Event::TicketClosed { ticket, reason, note, visit: None }
    }

    /// Ticket that the event concerns.
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
            | Event::HolderForgotten { ticket }
            | Event::HolderMigrated { ticket, .. } => Some(*ticket),
            Event::TicketCarried { ticket } | Event::TicketRestored { ticket, .. } => {
                Some(ticket.id)
            }
            Event::NotificationTriggered(trigger) => Some(trigger.ticket),
            Event::DayClosed { .. }
            | Event::DayOpened { .. }
            | Event::DayReset { .. }
            | Event::CounterOpened { .. }
            | Event::CounterPaused { .. }
            | Event::CounterClosed { .. }
            | Event::QueueSet { .. }
            | Event::QueueBatchNotified { .. }
            | Event::QueueCleared { .. }
            | Event::QueueBatchCleared { .. } => None,
        }
    }
}
