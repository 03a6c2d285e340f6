//! Notifications for the holder of a ticket, and the ticket's history of them.

use crate::estimate::Estimate;
use crate::model::ids::{Number, Person, TicketId, TicketKey};
use crate::model::quoted_wait::QuotedWait;
use crate::model::rare::HasUsual;
use crate::model::time::{Day, MINUTE_MS, Timestamp};
use crate::protocol::command::QueueState;
use std::sync::Arc;

/// Notification for the holder of a ticket, with everything that the message needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationTrigger {
    /// Ticket that it concerns.
    pub ticket: TicketId,
    /// Business day, which makes the ticket unique within the site.
    pub day: Day,
    /// Recipient.
    pub person: Person,
    /// Key of the ticket, for the link in the message; `None` if the ticket has none.
    pub key: Option<TicketKey>,
    /// Number on the ticket.
    pub number: Number,
    /// Name of the queue that customers read.
    pub queue_name: Arc<str>,
    /// Kind of the notification, with its content.
    pub kind: NotificationKind,
    /// Ordinal among the ticket's notifications of this kind, from 1; for a call, the ordinal of
    /// the call.
    pub occurrence: u32,
    /// Ordinal among all notifications of the ticket, from 1: a later one makes an earlier one
    /// needless. 0 if an older program decided it.
    pub order: u32,
    /// Time of the decision.
    pub at: Timestamp,
    /// Time after which it is no longer true and must not be sent.
    pub valid_until: Timestamp,
}

/// Kinds of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationKind {
    /// A number was given out (取号成功). Sent in the reply to the scan, not as a template.
    Joined(QuotedWait),
    /// Few are ahead (即将叫号).
    Near(QuotedWait),
    /// Nobody is ahead.
    Next(QuotedWait),
    /// A counter called the ticket (叫号).
    Called {
        /// Name of the counter that customers read.
        counter_name: Arc<str>,
        /// Ordinal of the call, from 1.
        call: u32,
    },
    /// The counter called the ticket again (再次叫号).
    Recalled {
        /// Name of the counter that customers read.
        counter_name: Arc<str>,
        /// Ordinal of the call, from 1.
        call: u32,
    },
    /// The holder did not come (过号).
    Missed {
        /// Deadline for a return; `None` if the holder may not return.
        until: Option<Timestamp>,
        /// Places that the ticket goes back on return, if the queue's rule counts places.
        places: Option<u32>,
    },
    /// The ticket waits in the line again, or is as it was before.
    Returned {
        /// Cause of the return.
        cause: ReturnCause,
        /// Wait that is quoted with it.
        quoted: QuotedWait,
        /// Reason that staff gave.
        reason: Option<Arc<str>>,
        /// Name of the counter to which the holder has to go, if to one.
        counter_name: Option<Arc<str>>,
    },
    /// The wait has become much longer than quoted.
    Slipped(QuotedWait),
    /// The queue calls nobody for now (暂停叫号).
    Halted(QuotedWait),
    /// Staff took the ticket out of the line for a while, with its place kept (暂离 / 挂起).
    Held {
        /// `true` if a service was interrupted.
        suspended: bool,
        /// Reason that staff gave.
        reason: Arc<str>,
        /// Time at which the ticket resumes by itself.
        until: Option<Timestamp>,
        /// People ahead at its own place.
        quoted: QuotedWait,
    },
    /// The queue was closed or cleared.
    QueueClosed(QueueEnd),
    /// Staff took the ticket out of the line for good (作废).
    Removed {
        /// Reason that staff gave.
        reason: Option<Arc<str>>,
    },
}

/// Ways in which a queue ends for those who are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueEnd {
    /// It was closed, and may be opened again; the places are kept.
    Closed,
    /// It was closed after the last of today's opening hours (今日已结束).
    ForToday,
    /// It was cleared: the tickets are void.
    Cleared,
}

/// Causes for which a ticket waits in the line again, or is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnCause {
    /// Return after a miss.
    Return,
    /// Transfer from another queue.
    Transfer,
    /// Call that was taken back.
    PutBack,
    /// End of a hold.
    Resumed,
    /// End or miss that was taken back.
    Restored,
    /// Another priority class.
    Prioritised,
    /// The queue, which had been halted or closed, calls again.
    Reopened,
}

/// Number of names of kinds.
const KIND_COUNT: usize = 10;

/// Number of template messages to one ticket from which it gets no news of its progress: the calls
/// and the acts of others need the room.
pub const MAX_PROGRESS_TEMPLATES: u32 = 3;

/// Largest number of template messages for one ticket, whatever is done with it.
pub const MAX_TEMPLATES_PER_TICKET: u32 = 20;

/// Shortest interval between a template and one about the progress: one minute.
const MIN_TEMPLATE_INTERVAL_MS: i64 = 60_000;

/// Shortest interval between any template and a notice of a longer wait: 30 minutes.
const MIN_SLIP_INTERVAL_MS: i64 = 30 * MINUTE_MS;

/// Notifications of a ticket so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotificationHistory {
    /// Number of notifications.
    pub order: u32,
    /// Number of those sent as templates.
    pub template_count: u32,
    /// Time of the last template.
    pub last_template_at: Option<Timestamp>,
    /// Number of notifications of each kind, in the order of the kinds.
    pub count_by_kind: [u16; KIND_COUNT],
    /// Ordinal of the last call that the holder was notified of.
    pub last_call: u32,
    /// State of the queue in which nobody is called, if the holder was told of it and not of its
    /// end.
    pub told_stop: Option<QueueState>,
}

/// Most of those who wait were notified of their number alone.
impl HasUsual for NotificationHistory {
    const USUAL: &'static NotificationHistory = &NotificationHistory {
        order: 1,
        template_count: 0,
        last_template_at: None,
        count_by_kind: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        last_call: 0,
        told_stop: None,
    };
}

impl NotificationKind {
    /// Stable name of the kind, used in message keys. Kinds that older programs did not know have
    /// the name of the one that those take them for.
    pub fn name(&self) -> &'static str {
        const NAMES: [&str; KIND_COUNT] = [
            "joined",
            "near",
            "next",
            "called",
            "recalled",
            "missed",
            "returned",
            "slipped",
            "halted",
            "queue_closed",
        ];
        NAMES[self.index()]
    }

    fn index(&self) -> usize {
        match self {
            NotificationKind::Joined(_) => 0,
            NotificationKind::Near(_) => 1,
            NotificationKind::Next(_) => 2,
            NotificationKind::Called { .. } => 3,
            NotificationKind::Recalled { .. } => 4,
            NotificationKind::Missed { .. } => 5,
            NotificationKind::Returned { .. } => 6,
            NotificationKind::Slipped(_) => 7,
            NotificationKind::Halted(_) | NotificationKind::Held { .. } => 8,
            NotificationKind::QueueClosed(_) | NotificationKind::Removed { .. } => 9,
        }
    }

    /// Name of the kind as staff and holders see it.
    pub fn shown_name(&self) -> &'static str {
        match self {
            NotificationKind::Held { .. } => "held",
            NotificationKind::Removed { .. } => "removed",
            NotificationKind::QueueClosed(QueueEnd::Cleared) => "cleared",
            NotificationKind::Returned { cause: ReturnCause::Reopened, .. } => "reopened",
            NotificationKind::Joined(_)
            | NotificationKind::Near(_)
            | NotificationKind::Next(_)
            | NotificationKind::Called { .. }
            | NotificationKind::Recalled { .. }
            | NotificationKind::Missed { .. }
            | NotificationKind::Returned { .. }
            | NotificationKind::Slipped(_)
            | NotificationKind::Halted(_)
            | NotificationKind::QueueClosed(QueueEnd::Closed | QueueEnd::ForToday) => self.name(),
        }
    }

    /// Returns `true` for news of the progress, which nobody's act on the ticket has brought.
    fn is_progress(&self) -> bool {
        match self {
            NotificationKind::Near(_)
            | NotificationKind::Next(_)
            | NotificationKind::Slipped(_) => true,
            NotificationKind::Joined(_)
            | NotificationKind::Called { .. }
            | NotificationKind::Recalled { .. }
            | NotificationKind::Missed { .. }
            | NotificationKind::Returned { .. }
            | NotificationKind::Halted(_)
            | NotificationKind::Held { .. }
            | NotificationKind::QueueClosed(_)
            | NotificationKind::Removed { .. } => false,
        }
    }

    /// Returns `true` if the kind is sent as a WeChat template.
    pub fn is_template(&self) -> bool {
        !matches!(self, NotificationKind::Joined(_))
    }

    /// Wait that the notification quotes, if it quotes one.
    pub(crate) fn quoted_wait(&self) -> Option<&QuotedWait> {
        match self {
            NotificationKind::Joined(quote)
            | NotificationKind::Near(quote)
            | NotificationKind::Next(quote)
            | NotificationKind::Returned { quoted: quote, .. }
            | NotificationKind::Slipped(quote) => Some(quote),
            NotificationKind::Called { .. }
            | NotificationKind::Recalled { .. }
            | NotificationKind::Missed { .. }
            | NotificationKind::Halted(_)
            | NotificationKind::Held { .. }
            | NotificationKind::QueueClosed(_)
            | NotificationKind::Removed { .. } => None,
        }
    }

    /// Time of the turn by the quoted wait.
    pub(crate) fn expected_turn_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.quoted_wait()?.estimate.map(|Estimate { low, .. }| at.plus_minutes(low))
    }
}

impl NotificationHistory {
    /// Number of notifications of this kind.
    pub(crate) fn count(&self, kind: &NotificationKind) -> u32 {
        self.count_by_kind[kind.index()].into()
    }

    /// Returns `true` if the budget and the spacing allow this kind now. They are for news of the
    /// progress, and for what the holder has just done and sees (`own`): what others do with the
    /// ticket is told at once, and always.
    pub(crate) fn allows(&self, kind: &NotificationKind, own: bool, at: Timestamp) -> bool {
        if !kind.is_template() {
            return true;
        }
        let is_spaced =
            self.last_template_at.is_none_or(|last| at.is_after(last, MIN_TEMPLATE_INTERVAL_MS));
        if kind.is_progress() || own {
            is_spaced && self.template_count < MAX_PROGRESS_TEMPLATES
        } else {
            self.template_count < MAX_TEMPLATES_PER_TICKET
        }
    }

    /// Earliest time for a notice of a longer wait; `None` if the budget is spent.
    pub(crate) fn slip_allowed_from(&self) -> Option<Timestamp> {
        let room = self.template_count < MAX_PROGRESS_TEMPLATES;
        room.then(|| {
            self.last_template_at
                .map_or(Timestamp(i64::MIN), |last| last.plus_ms(MIN_SLIP_INTERVAL_MS))
        })
    }

    /// Records a notification that was decided.
    pub(crate) fn record(&mut self, kind: &NotificationKind, order: u32, at: Timestamp) {
        self.order = order.max(self.order + 1);
        self.count_by_kind[kind.index()] += 1;
        if kind.is_template() {
            self.template_count += 1;
            self.last_template_at = Some(at);
        }
        if let NotificationKind::Called { call, .. } | NotificationKind::Recalled { call, .. } =
            kind
        {
            self.last_call = *call;
        }
        match kind {
            NotificationKind::Halted(_) => self.told_stop = Some(QueueState::Halted),
            NotificationKind::QueueClosed(QueueEnd::Closed | QueueEnd::ForToday) => {
                self.told_stop = Some(QueueState::Closed);
            }
            NotificationKind::Returned {
                cause: ReturnCause::Reopened | ReturnCause::Transfer,
                ..
            } => self.told_stop = None,
            _ => {}
        }
    }
}
