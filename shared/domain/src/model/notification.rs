//! What is to be told to whoever holds a ticket, and what a ticket remembers of having told it.

use crate::estimate::Estimate;
use crate::model::ids::{Number, Person, TicketId, TicketKey};
use crate::model::quoted_wait::QuotedWait;
use crate::model::time::{Day, MINUTE_MS, Timestamp};
use std::sync::Arc;

/// Something the holder of a ticket is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationTrigger {
    /// Whose ticket.
    pub ticket: TicketId,
    /// The business day, which makes the ticket unique in the site.
    pub day: Day,
    /// Whom to tell.
    pub person: Person,
    /// What opens the ticket to its holder, for a link in the message; `None` where there is none.
    pub key: Option<TicketKey>,
    /// The number.
    pub number: Number,
    /// The queue's name as customers read it.
    pub queue_name: Arc<str>,
    /// What was reached.
    pub kind: NotificationKind,
    /// The how-manieth of its kind for this ticket, from 1; of a call, the how-manieth call.
    pub occurrence: u32,
    /// The how-manieth milestone of this ticket, from 1: a later one makes an earlier one needless.
    /// 0 if an older program decided it.
    pub order: u32,
    /// When.
    pub at: Timestamp,
    /// When it stops being true; not to be sent after that.
    pub valid_until: Timestamp,
}

/// What can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationKind {
    /// A number was given out (取号成功). Told in the answer to the scan, not by a template.
    Joined(QuotedWait),
    /// Few are ahead (即将叫号).
    Near(QuotedWait),
    /// Nobody is ahead.
    Next(QuotedWait),
    /// A counter called (叫号).
    Called {
        /// The counter's name as customers read it.
        counter_name: Arc<str>,
        /// The how-manieth call, from 1.
        call: u32,
    },
    /// It called again (再次叫号).
    Recalled {
        /// The counter's name as customers read it.
        counter_name: Arc<str>,
        /// The how-manieth call, from 1.
        call: u32,
    },
    /// They did not come (过号).
    Missed {
        /// Until when they may return, if they may.
        until: Option<Timestamp>,
        /// How many places back that is, if the rule is one of places.
        places: Option<u32>,
    },
    /// They are in the line again.
    Returned {
        /// Through what.
        through: ReturnCause,
        /// How it stands.
        told: QuotedWait,
    },
    /// It will take longer than was said.
    Slipped(QuotedWait),
    /// Nobody is called for now (暂停叫号).
    Halted(QuotedWait),
    /// The queue has ended for today (今日已结束).
    QueueClosed,
}

/// Through what somebody is in the line again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnCause {
    /// They returned after a miss.
    Return,
    /// They were transferred.
    Transfer,
    /// The call was taken back.
    PutBack,
}

/// How many kinds there are.
const KIND_COUNT: usize = 10;

/// The most templates for one ticket.
pub const MAX_TEMPLATES_PER_TICKET: u32 = 5;

/// Of these, kept for being called.
const TEMPLATES_RESERVED_FOR_CALLS: u32 = 2;

/// Between two templates, other than a call: a minute.
const MIN_TEMPLATE_INTERVAL_MS: i64 = 60_000;

/// Of a longer wait nobody is told so soon after anything else.
const MIN_SLIP_INTERVAL_MS: i64 = 30 * MINUTE_MS;

/// What a ticket remembers of what its holder was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotificationHistory {
    /// How many milestones.
    pub order: u32,
    /// How many of them as templates.
    pub template_count: u32,
    /// When the last template was decided.
    pub last_template_at: Option<Timestamp>,
    /// When their turn comes, as they were told last.
    pub expected_turn_at: Option<Timestamp>,
    /// How often each kind, in the order of the kinds.
    pub count_by_kind: [u32; KIND_COUNT],
    /// The last call that they were told.
    pub last_call: u32,
}

impl NotificationKind {
    /// The word for it, as it stands in the key.
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

    /// Whether WeChat is asked to send a template for it.
    pub fn is_template(&self) -> bool {
        !matches!(self, NotificationKind::Joined(_))
    }

    /// What is told of the wait, if anything.
    pub(crate) fn quoted_wait(&self) -> Option<&QuotedWait> {
        match self {
            NotificationKind::Joined(told)
            | NotificationKind::Near(told)
            | NotificationKind::Next(told)
            | NotificationKind::Returned { told, .. }
            | NotificationKind::Slipped(told) => Some(told),
            _ => None,
        }
    }

    /// When the turn comes by what is told here.
    pub(crate) fn expected_turn_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.quoted_wait()?.estimate.map(|Estimate { low, .. }| at.plus_minutes(low))
    }
}

impl NotificationHistory {
    /// How often a kind was told.
    pub(crate) fn count(&self, kind: &NotificationKind) -> u32 {
        self.count_by_kind[kind.index()]
    }

    /// Whether the budget and the spacing leave room for it now. Being called needs no spacing, and
    /// the last of the budget is kept for it.
    pub(crate) fn allows(&self, kind: &NotificationKind, at: Timestamp) -> bool {
        let apart =
            self.last_template_at.is_none_or(|last| at.since_ms(last) >= MIN_TEMPLATE_INTERVAL_MS);
        match kind {
            NotificationKind::Joined(_) => true,
            NotificationKind::Called { .. } => self.template_count < MAX_TEMPLATES_PER_TICKET,
            // It puts right what was said a moment ago.
            NotificationKind::Returned { through: ReturnCause::PutBack, .. } => {
                self.template_count < MAX_TEMPLATES_PER_TICKET - 1
            }
            NotificationKind::Recalled { .. } | NotificationKind::Missed { .. } => {
                apart && self.template_count < MAX_TEMPLATES_PER_TICKET - 1
            }
            _ => {
                apart
                    && self.template_count < MAX_TEMPLATES_PER_TICKET - TEMPLATES_RESERVED_FOR_CALLS
            }
        }
    }

    /// From when a longer wait may be told; `None` if the budget has no room for it.
    pub(crate) fn slip_allowed_from(&self) -> Option<Timestamp> {
        let room = self.template_count < MAX_TEMPLATES_PER_TICKET - TEMPLATES_RESERVED_FOR_CALLS;
        room.then(|| {
            self.last_template_at
                .map_or(Timestamp(i64::MIN), |last| last.plus_ms(MIN_SLIP_INTERVAL_MS))
        })
    }

    /// Takes in that a milestone was decided.
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
