//! Ticket and its states.

use crate::estimate::DisplayedRange;
use crate::model::actor::ActorRef;
use crate::model::ids::{CounterId, Number, Person, QueueId, TicketId, TicketKey};
use crate::model::notification::NotificationHistory;
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::rare::{HasUsual, Rare};
use crate::model::time::Timestamp;
use crate::model::visit_progress::{ForecastBasis, VisitProgress};
use std::sync::Arc;

/// Ticket of a business day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Identifier within the site and business day.
    pub id: TicketId,
    /// Secret that opens the ticket for its bearer; `None` if an older program gave it out.
    pub key: Option<TicketKey>,
    /// Number on the ticket. Never changes.
    pub number: Number,
    /// Queue of the ticket.
    pub queue: QueueId,
    /// Holder; `None` for someone without WeChat.
    pub person: Option<Person>,
    /// Time at which it was taken.
    pub taken_at: Timestamp,
    /// Effective arrival when it was taken.
    pub arrived: Timestamp,
    /// Place in the line.
    pub rank: Rank,
    /// Wait quoted when it was taken.
    pub quoted: QuotedWait,
    /// Forecast behind that quote.
    pub basis: Option<ForecastBasis>,
    /// State, with the values that belong to it.
    pub state: Rare<TicketState>,
    /// Counts of calls, misses, holds and transfers.
    pub counts: Rare<TicketCounts>,
    /// Facts about the holder beside the state.
    pub marks: Rare<Marks>,
    /// Notifications so far.
    pub notifications: Rare<NotificationHistory>,
    /// Quotes since then, if they say anything else.
    pub requoted: LaterQuotes,
    /// Running record of the visit.
    pub progress: VisitProgress,
    /// What was before that state.
    pub past: Rare<TicketPast>,
}

/// What a holder was quoted last, if it is not what they were quoted when they took the ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaterQuotes(Option<Box<Requoted>>);

/// Quotes of a ticket that differ from the one when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Requoted {
    /// Range that the holder was quoted last.
    displayed: Option<DisplayedRange>,
    /// Time of the turn by the wait quoted last.
    expected_turn_at: Option<Timestamp>,
}

/// What was before the present state of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPast {
    /// Person whom the ticket named before the account migrated; it is the same one.
    pub former_person: Option<Person>,
    /// Milliseconds of service before it was suspended.
    pub worked_ms: i64,
    /// Former state of the ticket, from before its last step towards an end, for undoing that step.
    pub undo_point: Option<Arc<UndoPoint>>,
}

impl HasUsual for TicketPast {
    const USUAL: &'static TicketPast =
        &TicketPast { former_person: None, worked_ms: 0, undo_point: None };
}

/// Ticket as it was before it was finished, missed or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoPoint {
    /// The whole ticket at that time.
    pub ticket: Ticket,
    /// Time of the step that ended this state.
    pub at: Timestamp,
    /// Actor who took that step.
    pub by: Option<ActorRef>,
}

/// Counts of a ticket's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TicketCounts {
    /// Calls, recalls included.
    pub calls: u32,
    /// Misses.
    pub misses: u32,
    /// Holds of any kind.
    pub holds: u32,
    /// Holds for letting others pass.
    pub let_pass: u32,
    /// Transfers.
    pub transfers: u32,
}

impl HasUsual for TicketCounts {
    const USUAL: &'static TicketCounts =
        &TicketCounts { calls: 0, misses: 0, holds: 0, let_pass: 0, transfers: 0 };
}

/// Facts about a holder beside the state of the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// The holder has checked in (报到).
    pub arrived: bool,
    /// Size of the party; 0 if unknown.
    pub party: u32,
    /// Number ahead at which the holder asked for the "near" notice.
    pub notify_ahead: Option<u32>,
    /// The holder is on the way (我马上到).
    pub coming: bool,
    /// Staff have lifted the limit of numbers for the holder, for the day on which it was taken.
    pub limit_lifted: bool,
}

impl HasUsual for Marks {
    const USUAL: &'static Marks =
        &Marks { arrived: false, party: 0, notify_ahead: None, coming: false, limit_lifted: false };
}

/// States of a ticket, each with the values that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketState {
    /// In the line and callable. Counts as ahead of others.
    Waiting,
    /// Called to a counter.
    Called {
        /// Counter that called.
        counter: CounterId,
        /// Time of the first call of this round of calls.
        at: Timestamp,
        /// Ordinal of the call among those of the ticket, from 1.
        call: u32,
        /// Ordinal of the call since the ticket left the line, from 1.
        round: u32,
        /// Time of the last call.
        last: Timestamp,
        /// Time by which the holder is expected.
        deadline: Timestamp,
    },
    /// Being served.
    Serving {
        /// Counter that serves.
        counter: CounterId,
        /// Time at which the counter was taken up: the call, or the resumption.
        since: Timestamp,
        /// Time at which service began.
        at: Timestamp,
    },
    /// Out of the line for a while, with its place kept.
    Held {
        /// Start of the hold.
        at: Timestamp,
        /// Cause and end of the hold.
        hold: Box<Hold>,
    },
    /// Missed: the holder did not come in time and may return.
    Missed {
        /// Time of the miss.
        at: Timestamp,
        /// Deadline for a return; `None` if the holder may not return.
        until: Option<Timestamp>,
    },
    /// Served. Final.
    Done {
        /// End of the service.
        at: Timestamp,
    },
    /// Given up or void. Final.
    Closed {
        /// Time of the closing.
        at: Timestamp,
        /// Reason of the closing.
        reason: CloseReason,
        /// Words of staff about it.
        note: Option<Arc<str>>,
    },
}

impl HasUsual for TicketState {
    const USUAL: &'static TicketState = &TicketState::Waiting;
}

/// Hold of a ticket and the conditions that end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Initiator of the hold.
    pub kind: HoldKind,
    /// Reason given by staff; empty when a holder lets others pass.
    pub reason: Arc<str>,
    /// Time at which it resumes by itself.
    pub until: Option<Timestamp>,
    /// Number of calls of its queue today at which it resumes by itself.
    pub after_calls: Option<u32>,
    /// The only counter that may resume the service.
    pub counter: Option<CounterId>,
}

/// Initiators of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldKind {
    /// The holder lets others pass (暂离 / 让号).
    LetPass,
    /// Staff took the ticket out of the line for a while.
    Staff,
    /// Staff interrupted the service (挂起).
    Suspended,
}

/// Reasons for closing a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The holder gave it up.
    ByCustomer,
    /// Staff took it out of the line.
    ByStaff,
    /// It was missed, and the holder did not return in time or had no return left.
    Expired,
    /// The business day ended.
    DayClosed,
    /// The queue was cleared.
    QueueCleared,
    /// The holder has another ticket.
    Duplicate,
}

/// Name of a state, without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "described at the states of the same names")]
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
    /// Stable name of the status.
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
    /// Status of the ticket.
    pub fn status(&self) -> TicketStatus {
        match *self.state {
            TicketState::Waiting => TicketStatus::Waiting,
            TicketState::Called { .. } => TicketStatus::Called,
            TicketState::Serving { .. } => TicketStatus::Serving,
            TicketState::Held { .. } => TicketStatus::Held,
            TicketState::Missed { .. } => TicketStatus::Missed,
            TicketState::Done { .. } => TicketStatus::Done,
            TicketState::Closed { .. } => TicketStatus::Closed,
        }
    }

    /// Returns `true` while the holder has a place here and so may not take another number.
    pub fn is_live(&self) -> bool {
        match *self.state {
            TicketState::Missed { until, .. } => until.is_some(),
            TicketState::Done { .. } | TicketState::Closed { .. } => false,
            _ => true,
        }
    }

    /// Returns `true` if the ticket names this person, by the present openid or by the former.
    pub fn names(&self, person: &Person) -> bool {
        [&self.person, &self.past.former_person].into_iter().flatten().any(|named| named == person)
    }

    /// Range that the holder was quoted last.
    pub fn displayed(&self) -> Option<DisplayedRange> {
        match &self.requoted.0 {
            Some(requoted) => requoted.displayed,
            None => first_display(&self.quoted),
        }
    }

    /// Time of the turn by the wait quoted last.
    pub fn expected_turn_at(&self) -> Option<Timestamp> {
        match &self.requoted.0 {
            Some(requoted) => requoted.expected_turn_at,
            None => first_expected_turn(&self.quoted, self.taken_at),
        }
    }

    /// Sets what was quoted last. It takes no room if it is what was quoted when the ticket was
    /// taken.
    pub fn set_quotes(
        &mut self,
        displayed: Option<DisplayedRange>,
        expected_turn_at: Option<Timestamp>,
    ) {
        let is_first = displayed == first_display(&self.quoted)
            && expected_turn_at == first_expected_turn(&self.quoted, self.taken_at);
        let requoted = Requoted { displayed, expected_turn_at };
        self.requoted = LaterQuotes((!is_first).then(|| Box::new(requoted)));
    }

    /// Records that the holder was quoted a range.
    pub(crate) fn record_quote(&mut self, quote: &QuotedWait, at: Timestamp) {
        let Some(range) = quote.estimate else { return };
        let displayed = match self.displayed() {
            Some(displayed) => displayed.updated(range, quote.ahead, at),
            None => DisplayedRange::new(range, quote.ahead),
        };
        self.set_quotes(Some(displayed), self.expected_turn_at());
    }

    /// The ticket without what undoing its last step needs.
    pub(crate) fn without_undo_point(&self) -> Ticket {
        let mut ticket = self.clone();
        if ticket.past.undo_point.is_some() {
            ticket.past.undo_point = None;
            ticket.past.shrink();
        }
        ticket
    }

    /// Gives back the room of what has become the usual again.
    pub(crate) fn shrink(&mut self) {
        self.state.shrink();
        self.past.shrink();
        self.counts.shrink();
        self.marks.shrink();
        self.notifications.shrink();
        self.progress.steps.shrink();
    }

    /// Returns `true` if the ticket was served or closed.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.state, TicketState::Done { .. } | TicketState::Closed { .. })
    }

    /// Sets whom the ticket names, also in the state that undoing restores.
    pub(crate) fn set_holder(&mut self, person: Option<Person>, former: Option<Person>) {
        if let Some(before) = self.past.undo_point.as_mut().map(Arc::make_mut) {
            before.ticket.person.clone_from(&person);
            before.ticket.past.former_person.clone_from(&former);
        }
        (self.person, self.past.former_person) = (person, former);
    }

    /// Milliseconds of service that the ticket has had by a time.
    pub(crate) fn worked_ms_at(&self, at: Timestamp) -> i64 {
        let this_time = match &*self.state {
            TicketState::Called { at: since, .. } | TicketState::Serving { since, .. } => {
                at.since_ms(*since)
            }
            _ => 0,
        };
        self.past.worked_ms + this_time.max(0)
    }

    /// Counter that the ticket keeps busy.
    pub fn at_counter(&self) -> Option<&CounterId> {
        match &*self.state {
            TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } => {
                Some(counter)
            }
            _ => None,
        }
    }

    /// Time of the newest step of the ticket.
    pub(crate) fn last_step(&self) -> Timestamp {
        let state = match &*self.state {
            TicketState::Waiting => self.taken_at,
            TicketState::Called { last, .. } => *last,
            TicketState::Serving { at, .. }
            | TicketState::Held { at, .. }
            | TicketState::Missed { at, .. }
            | TicketState::Done { at }
            | TicketState::Closed { at, .. } => *at,
        };
        state.max(self.taken_at)
    }

    /// Lets the deadline come earlier.
    pub(crate) fn advance_deadline(&mut self, ms: i64) {
        let deadline = match &mut *self.state {
            TicketState::Called { deadline, .. } => Some(deadline),
            TicketState::Missed { until, .. } => until.as_mut(),
            TicketState::Held { hold, .. } => hold.until.as_mut(),
            _ => None,
        };
        if let Some(deadline) = deadline {
            *deadline = deadline.plus_ms(-ms);
        }
    }

    /// Time at which time alone changes the ticket, if the rules say so.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match &*self.state {
            TicketState::Called { deadline, .. } => Some(*deadline),
            TicketState::Missed { until, .. } => *until,
            TicketState::Held { hold, .. } => hold.until,
            _ => None,
        }
    }
}

/// Range that the quote of a new ticket shows.
fn first_display(quoted: &QuotedWait) -> Option<DisplayedRange> {
    quoted.estimate.map(|range| DisplayedRange::new(range, quoted.ahead))
}

/// Time of the turn by the quote of a new ticket.
fn first_expected_turn(quoted: &QuotedWait, taken_at: Timestamp) -> Option<Timestamp> {
    quoted.estimate.map(|estimate| taken_at.plus_minutes(estimate.low))
}
