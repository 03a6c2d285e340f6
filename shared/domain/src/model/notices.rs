//! What is to be told to whoever holds a ticket, and what a ticket remembers of having told it.

use crate::estimate::Estimate;
use crate::model::ids::{Number, Person, TicketId, TicketKey};
use crate::model::ticket::Told;
use crate::model::time::{Day, MINUTE_MS, Timestamp};
use std::sync::Arc;

/// Something the holder of a ticket is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
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
    pub kind: MilestoneKind,
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
pub enum MilestoneKind {
    /// A number was given out (取号成功). Told in the answer to the scan, not by a template.
    Joined(Told),
    /// Few are ahead (即将叫号).
    Near(Told),
    /// Nobody is ahead.
    Next(Told),
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
        through: Through,
        /// How it stands.
        told: Told,
    },
    /// It will take longer than was said.
    Slipped(Told),
    /// Nobody is called for now (暂停叫号).
    Halted(Told),
    /// The queue has ended for today (今日已结束).
    QueueClosed,
}

/// Through what somebody is in the line again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// They returned after a miss.
    Return,
    /// They were transferred.
    Transfer,
    /// The call was taken back.
    PutBack,
}

/// How many kinds there are.
const KINDS: usize = 10;

/// The most templates for one ticket.
pub const TEMPLATES: u32 = 5;

/// Of these, kept for being called.
const KEPT_FOR_CALLS: u32 = 2;

/// Between two templates, other than a call: a minute.
const APART_MS: i64 = 60_000;

/// Of a longer wait nobody is told so soon after anything else.
const SLIP_AGAIN_MS: i64 = 30 * MINUTE_MS;

/// What a ticket remembers of what its holder was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notices {
    /// How many milestones.
    pub order: u32,
    /// How many of them as templates.
    pub templates: u32,
    /// When the last template was decided.
    pub last: Option<Timestamp>,
    /// When their turn comes, as they were told last.
    pub expected: Option<Timestamp>,
    /// How often each kind, in the order of the kinds.
    pub told: [u32; KINDS],
    /// The last call that they were told.
    pub call: u32,
}

impl MilestoneKind {
    /// The word for it, as it stands in the key.
    pub fn name(&self) -> &'static str {
        const NAMES: [&str; KINDS] = [
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
            MilestoneKind::Joined(_) => 0,
            MilestoneKind::Near(_) => 1,
            MilestoneKind::Next(_) => 2,
            MilestoneKind::Called { .. } => 3,
            MilestoneKind::Recalled { .. } => 4,
            MilestoneKind::Missed { .. } => 5,
            MilestoneKind::Returned { .. } => 6,
            MilestoneKind::Slipped(_) => 7,
            MilestoneKind::Halted(_) => 8,
            MilestoneKind::QueueClosed => 9,
        }
    }

    /// Whether WeChat is asked to send a template for it.
    pub fn is_template(&self) -> bool {
        !matches!(self, MilestoneKind::Joined(_))
    }

    /// What is told of the wait, if anything.
    pub(crate) fn told(&self) -> Option<&Told> {
        match self {
            MilestoneKind::Joined(told)
            | MilestoneKind::Near(told)
            | MilestoneKind::Next(told)
            | MilestoneKind::Returned { told, .. }
            | MilestoneKind::Slipped(told) => Some(told),
            _ => None,
        }
    }

    /// When the turn comes by what is told here.
    pub(crate) fn expected(&self, at: Timestamp) -> Option<Timestamp> {
        self.told()?.estimate.map(|Estimate { low, .. }| at.plus_minutes(low))
    }
}

impl Notices {
    /// How often a kind was told.
    pub(crate) fn count(&self, kind: &MilestoneKind) -> u32 {
        self.told[kind.index()]
    }

    /// Whether the budget and the spacing leave room for it now. Being called needs no spacing, and
    /// the last of the budget is kept for it.
    pub(crate) fn leave_room_for(&self, kind: &MilestoneKind, at: Timestamp) -> bool {
        let apart = self.last.is_none_or(|last| at.since_ms(last) >= APART_MS);
        match kind {
            MilestoneKind::Joined(_) => true,
            MilestoneKind::Called { .. } => self.templates < TEMPLATES,
            // It puts right what was said a moment ago.
            MilestoneKind::Returned { through: Through::PutBack, .. } => {
                self.templates < TEMPLATES - 1
            }
            MilestoneKind::Recalled { .. } | MilestoneKind::Missed { .. } => {
                apart && self.templates < TEMPLATES - 1
            }
            _ => apart && self.templates < TEMPLATES - KEPT_FOR_CALLS,
        }
    }

    /// From when a longer wait may be told; `None` if the budget has no room for it.
    pub(crate) fn slip_from(&self) -> Option<Timestamp> {
        let room = self.templates < TEMPLATES - KEPT_FOR_CALLS;
        room.then(|| self.last.map_or(Timestamp(i64::MIN), |last| last.plus_ms(SLIP_AGAIN_MS)))
    }

    /// Takes in that a milestone was decided.
    pub(crate) fn note(&mut self, kind: &MilestoneKind, order: u32, at: Timestamp) {
        self.order = order.max(self.order + 1);
        self.told[kind.index()] += 1;
        if kind.is_template() {
            self.templates += 1;
            self.last = Some(at);
        }
        if let Some(expected) = kind.expected(at) {
            self.expected = Some(expected);
        }
        if let MilestoneKind::Called { call, .. } | MilestoneKind::Recalled { call, .. } = kind {
            self.call = *call;
        }
    }
}
