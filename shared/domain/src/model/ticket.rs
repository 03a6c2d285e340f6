//! A ticket and the states it goes through.

use crate::model::actor::ActorRef;
use crate::model::ids::{CounterId, Number, Person, QueueId, TicketId, TicketKey};
use crate::model::notification::NotificationHistory;
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::time::Timestamp;
use crate::model::visit_progress::{ForecastBasis, VisitProgress};
use std::sync::Arc;

/// A ticket of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Which.
    pub id: TicketId,
    /// What opens it to its holder; `None` if an older program gave it out.
    pub key: Option<TicketKey>,
    /// What stands on it. Never changes.
    pub number: Number,
    /// The queue it waits in.
    pub queue: QueueId,
    /// Who holds it; `None` for someone without WeChat.
    pub person: Option<Person>,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Its effective arrival when it was taken.
    pub arrived: Timestamp,
    /// Its place in the line.
    pub rank: Rank,
    /// What its holder was told when taking it.
    pub quoted: QuotedWait,
    /// What that rested on.
    pub basis: Option<ForecastBasis>,
    /// Where it is on its way.
    pub state: TicketState,
    /// How often what has happened to it.
    pub counts: TicketCounts,
    /// What is known of its holder beside the state.
    pub marks: Marks,
    /// What its holder was told since.
    pub notifications: NotificationHistory,
    /// What it remembers for the end of the visit.
    pub progress: VisitProgress,
    /// Milliseconds of service before it was suspended.
    pub worked_ms: i64,
    /// What it was before its last step to an end, for undoing that.
    pub undo_point: Option<Arc<UndoPoint>>,
}

/// What a ticket was before somebody finished with it, missed or closed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoPoint {
    /// All of it then.
    pub ticket: Ticket,
    /// When it ceased to be so.
    pub at: Timestamp,
    /// On whose wish.
    pub by: Option<ActorRef>,
}

/// How often what has happened to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TicketCounts {
    /// Called, recalls included.
    pub calls: u32,
    /// Missed.
    pub misses: u32,
    /// Held, by whomever.
    pub holds: u32,
    /// Of these: let others pass.
    pub let_pass: u32,
    /// Transferred.
    pub hops: u32,
}

/// What is known of a holder beside the state of their ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// They are here (报到).
    pub arrived: bool,
    /// How many they are; 0 if nobody said.
    pub party: u32,
    /// They want to be told with so many ahead.
    pub tell_at: Option<u32>,
}

/// The states of a ticket, each with what is true in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketState {
    /// In the line, callable. Counts as ahead of others.
    Waiting,
    /// A counter asked for this person.
    Called {
        /// Which counter.
        counter: CounterId,
        /// When it called first.
        at: Timestamp,
        /// The how-manieth call of the ticket this is, from 1.
        call: u32,
        /// The how-manieth since it was in the line, from 1.
        round: u32,
        /// When it called last.
        last: Timestamp,
        /// Until when the person is expected.
        deadline: Timestamp,
    },
    /// Being served.
    Serving {
        /// Where.
        counter: CounterId,
        /// When the counter was taken up: the call, or the resumption.
        since: Timestamp,
        /// When service began.
        at: Timestamp,
    },
    /// Not in the line for a while, with its place kept.
    Held {
        /// Since when.
        at: Timestamp,
        /// Why, by whom, and until when.
        hold: Hold,
    },
    /// Did not come in time; may return.
    Missed {
        /// When that was said.
        at: Timestamp,
        /// Until when they may return; `None` if they may not.
        until: Option<Timestamp>,
    },
    /// Served. The end.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Given up or void. The end.
    Closed {
        /// When.
        at: Timestamp,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a ticket is held and what ends that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// On whose wish.
    pub kind: HoldKind,
    /// In staff's words.
    pub reason: Arc<str>,
    /// It resumes by itself then.
    pub until: Option<Timestamp>,
    /// It resumes by itself once its queue has made so many calls today.
    pub after_calls: Option<u32>,
    /// Only this counter resumes the service.
    pub counter: Option<CounterId>,
}

/// On whose wish a ticket is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldKind {
    /// Its holder lets others pass (暂离 / 让号).
    LetPass,
    /// Staff took it out of the line for a while.
    Staff,
    /// Staff interrupted the service (挂起).
    Suspended,
}

/// Why a ticket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Its holder gave it up.
    ByCustomer,
    /// Staff took it out.
    ByStaff,
    /// It was missed, and nobody returned in time or often enough.
    Expired,
    /// The business day ended.
    DayClosed,
    /// Its queue was cleared.
    QueueCleared,
    /// Its holder has another one.
    Duplicate,
}

/// The name of a state, without what is true in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "described at the stages of the same names")]
pub enum TicketStatus {
    Waiting,
    Called,
    Serving,
    Held,
    Missed,
    Done,
    Closed,
}

impl TicketStatus {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            TicketStatus::Waiting => "waiting",
            TicketStatus::Called => "called",
            TicketStatus::Serving => "serving",
            TicketStatus::Held => "held",
            TicketStatus::Missed => "missed",
            TicketStatus::Done => "done",
            TicketStatus::Closed => "closed",
        }
    }
}

impl Ticket {
    /// Its state.
    pub fn status(&self) -> TicketStatus {
        match self.state {
            TicketState::Waiting => TicketStatus::Waiting,
            TicketState::Called { .. } => TicketStatus::Called,
            TicketState::Serving { .. } => TicketStatus::Serving,
            TicketState::Held { .. } => TicketStatus::Held,
            TicketState::Missed { .. } => TicketStatus::Missed,
            TicketState::Done { .. } => TicketStatus::Done,
            TicketState::Closed { .. } => TicketStatus::Closed,
        }
    }

    /// Whether its holder still has a place here, and so may not take another number.
    pub fn is_live(&self) -> bool {
        match self.state {
            TicketState::Missed { until, .. } => until.is_some(),
            TicketState::Done { .. } | TicketState::Closed { .. } => false,
            _ => true,
        }
    }

    /// Whether an event has ended it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, TicketState::Done { .. } | TicketState::Closed { .. })
    }

    /// The counter that it keeps busy.
    pub fn at_counter(&self) -> Option<&CounterId> {
        match &self.state {
            TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } => {
                Some(counter)
            }
            _ => None,
        }
    }

    /// When time alone changes it, if the rules say so.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            TicketState::Called { deadline, .. } => Some(*deadline),
            TicketState::Missed { until, .. } => *until,
            TicketState::Held { hold, .. } => hold.until,
            _ => None,
        }
    }
}
