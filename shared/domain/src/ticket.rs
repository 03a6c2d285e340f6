//! A ticket and the stages it goes through.

use crate::estimate::Estimate;
use crate::ids::{CounterId, Number, Person, QueueId, TicketId};
use crate::time::Timestamp;

/// A ticket of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Which.
    pub id: TicketId,
    /// What stands on it. Never changes.
    pub number: Number,
    /// The queue it waits in.
    pub queue: QueueId,
    /// Who holds it; `None` for someone without WeChat.
    pub person: Option<Person>,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Its place in the line.
    pub rank: Rank,
    /// What its holder was told when taking it.
    pub told: Told,
    /// Where it is on its way.
    pub stage: Stage,
}

/// A place in a line: smaller is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Priority class, 0 first.
    pub class: u8,
    /// Effective arrival: the one knob that returning, transferring and reordering turn. It never
    /// runs backwards within a site, whatever the replicas' clocks do, so that the order of the
    /// ledger is the order of the line.
    pub arrival: Timestamp,
    /// Breaks ties: the ticket's own sequence.
    pub sequence: u32,
}

/// What a holder was told of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// People ahead in the same queue.
    pub ahead: u32,
    /// How long, or `None` when no counter is open and nobody can say.
    pub estimate: Option<Estimate>,
}

/// The stages of a ticket, each with what is true in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// In the line, callable. Counts as ahead of others.
    Waiting,
    /// A counter asked for this person.
    Called {
        /// Which counter.
        counter: CounterId,
        /// When it called.
        at: Timestamp,
        /// The how-manieth call this is, from 1.
        call: u32,
        /// Until when the person is expected.
        deadline: Timestamp,
    },
    /// Did not come in time.
    Missed {
        /// When that was said.
        at: Timestamp,
    },
    /// Served. The end.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Given up. The end.
    Closed {
        /// When.
        at: Timestamp,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a ticket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Its holder gave it up.
    ByCustomer,
    /// Staff took it out.
    ByStaff,
}

impl Ticket {
    /// Whether its holder still has a place here, and so may not take another number.
    pub fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Called { .. })
    }
}
