//! Notifications for the holder of a ticket, and the ticket's history of them.

use crate::estimate::Estimate;
use crate::model::ids::{Number, Person, TicketId, TicketKey};
use crate::model::quoted_wait::QuotedWait;
use crate::model::time::{Day, MINUTE_MS, Timestamp};
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
    /// The ticket waits in the line again.
    Returned {
        /// Cause of the return.
        cause: ReturnCause,
        /// Wait that is quoted with it.
        quoted: QuotedWait,
    },
    /// The wait has become much longer than quoted.
    Slipped(QuotedWait),
    /// The queue calls nobody for now (暂停叫号).
    Halted(QuotedWait),
    /// The queue has ended for today (今日已结束).
    QueueClosed,
}

/// Causes for which a ticket waits in the line again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnCause {
    /// Return after a miss.
    Return,
    /// Transfer from another queue.
    Transfer,
    /// Call that was taken back.
    PutBack,
}

/// Number of kinds.
const KIND_COUNT: usize = 10;

/// Largest number of template messages for one ticket.
pub const MAX_TEMPLATES_PER_TICKET: u32 = 5;

/// Templates of that budget that are reserved for calls.
const TEMPLATES_RESERVED_FOR_CALLS: u32 = 2;

/// Shortest interval between two templates other than calls: one minute.
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
    /// Time of the turn by the wait quoted last.
    pub expected_turn_at: Option<Timestamp>,
    /// Number of notifications of each kind, in the order of the kinds.
    pub count_by_kind: [u32; KIND_COUNT],
    /// Ordinal of the last call that the holder was notified of.
    pub last_call: u32,
}

impl NotificationKind {
    /// Stable name of the kind, used in message keys.
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
            NotificationKind::Halted(_) => 8,
            NotificationKind::QueueClosed => 9,
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
            _ => None,
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
        self.count_by_kind[kind.index()]
    }

    /// Returns `true` if the budget and the spacing allow this kind now. A call needs no spacing,
    /// and the last template of the budget is reserved for it.
    pub(crate) fn allows(&self, kind: &NotificationKind, at: Timestamp) -> bool {
        let is_spaced =
            self.last_template_at.is_none_or(|last| at.since_ms(last) >= MIN_TEMPLATE_INTERVAL_MS);
        match kind {
            NotificationKind::Joined(_) => true,
            NotificationKind::Called { .. } => self.template_count < MAX_TEMPLATES_PER_TICKET,
            // It corrects a notification of a moment ago.
            NotificationKind::Returned { cause: ReturnCause::PutBack, .. } => {
                self.template_count < MAX_TEMPLATES_PER_TICKET - 1
            }
            NotificationKind::Recalled { .. } | NotificationKind::Missed { .. } => {
                is_spaced && self.template_count < MAX_TEMPLATES_PER_TICKET - 1
            }
            _ => {
                is_spaced
                    && self.template_count < MAX_TEMPLATES_PER_TICKET - TEMPLATES_RESERVED_FOR_CALLS
            }
        }
    }

    /// Earliest time for a notice of a longer wait; `None` if the budget is spent.
    pub(crate) fn slip_allowed_from(&self) -> Option<Timestamp> {
        let room = self.template_count < MAX_TEMPLATES_PER_TICKET - TEMPLATES_RESERVED_FOR_CALLS;
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
        if let Some(expected) = kind.expected_turn_at(at) {
            self.expected_turn_at = Some(expected);
        }
        if let NotificationKind::Called { call, .. } | NotificationKind::Recalled { call, .. } =
            kind
        {
            self.last_call = *call;
        }
    }
}
