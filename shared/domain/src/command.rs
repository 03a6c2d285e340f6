//! What people ask of a site.

use crate::ids::{CommandId, CounterId, Person, QueueId, TicketId, Via};
use crate::ticket::CloseReason;

/// A wish, with an identity that survives being delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The same for every delivery of the same wish.
    pub id: CommandId,
    /// A hash of the request's content: the same id with another fingerprint is somebody's mistake
    /// and is refused rather than answered with the first one's outcome.
    pub fingerprint: u64,
    /// What is asked.
    pub act: Act,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Take a number (取号). Somebody who holds a live one is shown that one again.
    Take {
        /// In which queue.
        queue: QueueId,
        /// Who; `None` for someone without WeChat.
        person: Option<Person>,
        /// Through which scan session.
        via: Option<Via>,
    },
    /// Give the place up.
    Leave {
        /// Which ticket.
        ticket: TicketId,
        /// On whose wish.
        reason: CloseReason,
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
    /// A counter begins to serve.
    OpenCounter(CounterId),
    /// A counter stops serving.
    CloseCounter(CounterId),
    /// A counter calls whoever is next (叫号).
    CallNext(CounterId),
    /// The called person has been served.
    Finish(Served),
    /// The called person did not come (过号).
    Miss(Served),
}

/// Whom a counter speaks of when it has done with somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The counter.
    pub counter: CounterId,
    /// The number that the asker saw there, so that a late press does not end somebody else's
    /// service; `None` for whoever is there.
    pub number: Option<String>,
}
