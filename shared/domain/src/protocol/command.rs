//! Commands to a site.

use crate::model::actor::Actor;
use crate::model::ids::{
    CommandId, CounterId, Person, QueueId, ScanSessionRef, TicketId, TicketKey,
};
use crate::model::time::Day;
use std::sync::Arc;

/// Request to a site, with an id that stays the same when it is delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Same for every delivery of the same request.
    pub id: CommandId,
    /// Hash of the request's content. The same id with another fingerprint is a mistake of the
    /// caller, and is refused rather than answered with the first outcome.
    pub fingerprint: u64,
    /// Authenticated sender.
    pub actor: Actor,
    /// Requested act.
    pub act: Act,
    /// Business day of the site on which the sender looked up the ticket that the act names. Ids
    /// and numbers begin again each day: on another day they may be those of another ticket.
    pub day: Option<Day>,
}

impl Command {
    /// Command that the system proposes itself. The text must hold everything that tells it from
    /// others, so that all replicas propose the same command.
    pub(crate) fn by_system(text: &str, act: Act) -> Command {
        let id = CommandId::derived(text);
        Command { id, fingerprint: 0, actor: Actor::System, act, day: None }
    }

    /// Binds the command to the business day of the site on which its ticket was looked up.
    pub fn on_day(self, day: Option<Day>) -> Command {
        Command { day, ..self }
    }
}

/// Acts that a command can request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Take a number (取号). A holder of a live ticket is shown that one again; a holder whose ticket
    /// was missed returns to the line with it.
    Take {
        /// Queue to join.
        queue: QueueId,
        /// Holder; `None` for someone without WeChat.
        person: Option<Person>,
        /// Scan session of the request.
        scan_session: Option<ScanSessionRef>,
        /// Priority class; the queue's own if `None`.
        class: Option<u8>,
        /// Key for the ticket, if it is a new one.
        key: Option<TicketKey>,
    },
    /// Give up a ticket; staff give a reason.
    Leave {
        /// Ticket to close.
        ticket: TicketId,
        /// Reason; required from everybody but the holder.
        reason: Option<Arc<str>>,
    },
    /// Read the state of the ticket that a person holds (我的号).
    Show {
        /// Holder of the ticket.
        person: Person,
    },
    /// Give up the ticket that a person holds, without naming it.
    Withdraw {
        /// Holder of the ticket.
        person: Person,
    },
    /// Forget a person: their live ticket is closed, and no ticket of the day names them.
    Forget {
        /// Person to forget.
        person: Person,
    },
    /// Name a person by the openid at the account to which theirs has migrated.
    MigrateHolder {
        /// Person at the former account.
        from: Person,
        /// The same person at the new account.
        to: Person,
    },
    /// Open a counter, or end its break.
    OpenCounter(CounterId),
    /// Take a counter over from a colleague whose login is there (接班).
    TakeOver {
        /// Counter to take over.
        counter: CounterId,
        /// Login that the sender saw there.
        from: Arc<str>,
    },
    /// Begin a break of a counter, after the ticket that is there.
    BreakCounter(CounterId),
    /// Close a counter, after the ticket that is there.
    CloseCounter(CounterId),
    /// Call the next ticket to a counter (叫号).
    CallNext(CounterId),
    /// Call a certain ticket to a counter (指呼).
    CallTicket {
        /// Counter that calls.
        counter: CounterId,
        /// Ticket to call.
        ticket: TicketId,
        /// Reason; preset for a missed ticket.
        reason: Option<Arc<str>>,
    },
    /// Call the called ticket again (重呼).
    Recall(CounterTicket),
    /// Start the service of the called ticket.
    Start(CounterTicket),
    /// Take back a call that was a mistake.
    PutBack(CounterTicket),
    /// Finish the service.
    Finish(CounterTicket),
    /// Mark the called ticket as missed (过号).
    Miss(CounterTicket),
    /// Return a missed ticket to the line.
    Return(TicketId),
    /// Close a missed ticket whose time to return is over.
    Expire(TicketId),
    /// Let others pass, with the place kept (暂离).
    LetPass {
        /// Ticket of the holder.
        ticket: TicketId,
        /// Limit of letting others pass.
        until: LetPassLimit,
    },
    /// Take a ticket out of the line for a while.
    Hold {
        /// Ticket to hold.
        ticket: TicketId,
        /// Reason of the hold.
        reason: Arc<str>,
        /// Length in minutes; `None` for a hold without an end.
        minutes: Option<u32>,
    },
    /// End a hold: the ticket takes its own place in the line.
    Resume(TicketId),
    /// Interrupt the service (挂起).
    Suspend {
        /// Counter and ticket.
        served: CounterTicket,
        /// Reason of the interruption.
        reason: Arc<str>,
        /// `true` if only this counter may resume the service.
        affinity: bool,
    },
    /// Resume an interrupted service.
    ResumeAtCounter {
        /// Counter that resumes.
        counter: CounterId,
        /// Ticket to serve.
        ticket: TicketId,
    },
    /// Transfer a ticket to another queue (转号).
    Transfer {
        /// Ticket to transfer.
        ticket: TicketId,
        /// Queue to which it goes.
        queue: QueueId,
    },
    /// Undo the finishing, missing or closing of a ticket.
    Undo(TicketId),
    /// Give a ticket another priority class (优先).
    Prioritise {
        /// Ticket to change.
        ticket: TicketId,
        /// New class, 0 first.
        class: u8,
        /// Reason of the change.
        reason: Arc<str>,
    },
    /// Note a fact about the holder.
    Mark {
        /// Ticket of the holder.
        ticket: TicketId,
        /// Fact to note.
        mark: Mark,
    },
    /// Open, pause, halt or close a queue.
    SetQueueState {
        /// Queue to change.
        queue: QueueId,
        /// New state.
        state: QueueState,
    },
    /// Void the live tickets of a queue.
    ClearQueue(QueueId),
    /// Notify the next batch of holders that their queue was halted or closed.
    ContinueNotifyQueue(QueueId),
    /// Void the next batch of tickets of a queue that was cleared.
    ContinueClearQueue(QueueId),
    /// End a business day that is over.
    CloseDay,
    /// Repair a site whose business day lies in the future, because of a wrong clock.
    ResetDay {
        /// `true` if whoever asks vouches for the clock; then a day that is over ends as well,
        /// however long it has been.
        force: bool,
    },
    /// Notify the holders of a queue whose wait has become much longer.
    NotifySlipped(QueueId),
}

impl Act {
    /// Returns `true` if the act is for a certain ticket, named by its id or its number.
    pub fn names_ticket(&self) -> bool {
        match self {
            Act::Leave { .. }
            | Act::CallTicket { .. }
            | Act::Return(_)
            | Act::Expire(_)
            | Act::LetPass { .. }
            | Act::Hold { .. }
            | Act::Resume(_)
            | Act::ResumeAtCounter { .. }
            | Act::Transfer { .. }
            | Act::Undo(_)
            | Act::Prioritise { .. }
            | Act::Mark { .. } => true,
            Act::Recall(served)
            | Act::Start(served)
            | Act::PutBack(served)
            | Act::Finish(served)
            | Act::Miss(served)
            | Act::Suspend { served, .. } => served.number.is_some(),
            Act::Take { .. }
            | Act::Show { .. }
            | Act::Withdraw { .. }
            | Act::Forget { .. }
            | Act::MigrateHolder { .. }
            | Act::OpenCounter(_)
            | Act::TakeOver { .. }
            | Act::BreakCounter(_)
            | Act::CloseCounter(_)
            | Act::CallNext(_)
            | Act::SetQueueState { .. }
            | Act::ClearQueue(_)
            | Act::ContinueNotifyQueue(_)
            | Act::ContinueClearQueue(_)
            | Act::CloseDay
            | Act::ResetDay { .. }
            | Act::NotifySlipped(_) => false,
        }
    }
}

/// Limit of letting others pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetPassLimit {
    /// Until this many others have been called.
    Others(u32),
    /// For this many minutes.
    Minutes(u32),
    /// Until the holder resumes, or the longest time allowed is over.
    OnRequest,
}

/// Facts about a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The holder has checked in (报到).
    Arrived,
    /// Size of the party.
    Party(u32),
    /// Number ahead at which the holder wants the "near" notice; `None` for the queue's own.
    NotifyAhead(Option<u32>),
    /// The holder is on the way.
    Coming,
    /// The holder may take further numbers of the queue today, whatever its limit for a person.
    LimitLifted,
}

/// States of a queue that staff can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// Numbers are given out and called.
    Open,
    /// No numbers are given out; calling goes on.
    Paused,
    /// Nobody is called; holders in line are notified.
    Halted,
    /// No numbers are given out and nobody is called; holders in line are notified and keep their
    /// place.
    Closed,
}

/// Counter and the ticket that the caller expects there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterTicket {
    /// Counter addressed.
    pub counter: CounterId,
    /// Number that the caller saw there, so that a late press does not end another ticket's
    /// service; `None` for any ticket.
    pub number: Option<String>,
}
