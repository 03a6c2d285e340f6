//! What people ask of a site.

use crate::model::actor::Actor;
use crate::model::ids::{
    CommandId, CounterId, Person, QueueId, ScanSessionRef, TicketId, TicketKey,
};
use std::sync::Arc;

/// A wish, with an identity that survives being delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The same for every delivery of the same wish.
    pub id: CommandId,
    /// A hash of the request's content: the same id with another fingerprint is somebody's mistake
    /// and is refused rather than answered with the first one's outcome.
    pub fingerprint: u64,
    /// Who asks.
    pub actor: Actor,
    /// What is asked.
    pub act: Act,
}

impl Command {
    /// What the system asks for by itself. The text says all that tells it from others, so that
    /// whoever proposes the same proposes one command.
    pub(crate) fn by_system(text: &str, act: Act) -> Command {
        let id = CommandId::derived(text);
        Command { id, fingerprint: 0, actor: Actor::System, act }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Take a number (取号). Somebody who holds a live one is shown that one again; somebody whose
    /// number was missed is let back in with it.
    Take {
        /// In which queue.
        queue: QueueId,
        /// Who; `None` for someone without WeChat.
        person: Option<Person>,
        /// Through which scan session.
        via: Option<ScanSessionRef>,
        /// With which priority class; the queue's own if `None`.
        class: Option<u8>,
        /// What will open the ticket to its holder, if it is a new one.
        key: Option<TicketKey>,
    },
    /// Give the place up; staff say why.
    Leave {
        /// Which ticket.
        ticket: TicketId,
        /// Why; needed from everybody but its holder.
        reason: Option<Arc<str>>,
    },
    /// Ask how the ticket that somebody holds stands (我的号).
    Show {
        /// Who.
        person: Person,
    },
    /// Give up the ticket that one holds, without knowing which it is.
    Withdraw {
        /// Who.
        person: Person,
    },
    /// Know somebody no longer: a live ticket is closed, and no ticket of the day names them.
    Forget {
        /// Whom.
        person: Person,
    },
    /// A counter begins to serve, or goes on after a break.
    OpenCounter(CounterId),
    /// A counter serves nobody for a while.
    BreakCounter(CounterId),
    /// A counter stops serving.
    CloseCounter(CounterId),
    /// A counter calls whoever is next (叫号).
    CallNext(CounterId),
    /// A counter calls a certain ticket (指呼).
    CallTicket {
        /// The counter.
        counter: CounterId,
        /// The ticket.
        ticket: TicketId,
        /// Why; preset for one that was missed.
        reason: Option<Arc<str>>,
    },
    /// Call the called person again (重呼).
    Recall(CounterTicket),
    /// The called person is here.
    Start(CounterTicket),
    /// The call was a mistake.
    PutBack(CounterTicket),
    /// The person has been served.
    Finish(CounterTicket),
    /// The called person did not come (过号).
    Miss(CounterTicket),
    /// Let a missed one back in.
    Return(TicketId),
    /// A missed one is no longer let back in.
    Expire(TicketId),
    /// Let others pass, and keep the place (暂离).
    LetPass {
        /// Whose ticket.
        ticket: TicketId,
        /// What ends it.
        until: LetPassLimit,
    },
    /// Take somebody out of the line for a while.
    Hold {
        /// Whom.
        ticket: TicketId,
        /// Why.
        reason: Arc<str>,
        /// For how many minutes; `None` until somebody says otherwise.
        minutes: Option<u32>,
    },
    /// Be in the line again, at one's own place.
    Resume(TicketId),
    /// Interrupt the service (挂起).
    Suspend {
        /// Where, and whom.
        served: CounterTicket,
        /// Why.
        reason: Arc<str>,
        /// Whether only this counter goes on with it.
        affinity: bool,
    },
    /// Go on with an interrupted service.
    ResumeAtCounter {
        /// Where.
        counter: CounterId,
        /// Whom.
        ticket: TicketId,
    },
    /// Send somebody on to another queue (转号).
    Transfer {
        /// Whom.
        ticket: TicketId,
        /// Where to.
        queue: QueueId,
    },
    /// Take back that a ticket was finished, missed or closed.
    Undo(TicketId),
    /// Give a ticket another priority class (优先).
    Prioritise {
        /// Which.
        ticket: TicketId,
        /// The class, 0 first.
        class: u8,
        /// Why.
        reason: Arc<str>,
    },
    /// Note something about the holder.
    Mark {
        /// Whose ticket.
        ticket: TicketId,
        /// What.
        mark: Mark,
    },
    /// Open, pause, halt or close a queue.
    SetQueueState {
        /// Which.
        queue: QueueId,
        /// To what.
        state: QueueState,
    },
    /// Void every live ticket of a queue.
    ClearQueue(QueueId),
    /// Go on telling those of a queue that it was halted or closed.
    ContinueNotifyQueue(QueueId),
    /// Go on voiding the tickets of a queue that was cleared.
    ContinueClearQueue(QueueId),
    /// End a business day that is over.
    CloseDay,
    /// Tell those whose wait has become much longer.
    NotifySlipped(QueueId),
}

/// What ends somebody's letting pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetPassLimit {
    /// So many others have been called.
    Others(u32),
    /// So many minutes have gone.
    Minutes(u32),
    /// They say so; or the longest time is over.
    OnRequest,
}

/// What can be noted about a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// They are here (报到).
    Arrived,
    /// So many they are.
    Party(u32),
    /// They want to be told with so many ahead; `None`: as the queue does it.
    TellAt(Option<u32>),
}

/// What staff make of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// Numbers are given out and called.
    Open,
    /// No numbers are given out; calling goes on.
    Paused,
    /// Nobody is called; those in line are told.
    Halted,
    /// Neither; those in line are told, and keep their place.
    Closed,
}

/// Whom a counter speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterTicket {
    /// The counter.
    pub counter: CounterId,
    /// The number that the asker saw there, so that a late press does not end somebody else's
    /// service; `None` for whoever is there.
    pub number: Option<String>,
}
