//! What the owner decided about a site: its queues and counters, and how their lines move.

use crate::model::ids::{CounterId, QueueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The priority class of those who have no priority; smaller goes first.
pub const ORDINARY_CLASS: u8 = 5;

/// The class of the lane for those who return after a miss, where a queue has such a lane.
pub const MISSED_LANE_CLASS: u8 = 9;

/// The rules of one site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Its queues.
    pub queues: BTreeMap<QueueId, QueueRules>,
    /// Its counters.
    pub counters: BTreeMap<CounterId, CounterRules>,
    /// Whether one login may have several counters.
    pub several_counters: bool,
}

/// The rules of one queue. [`QueueRules::new`] gives the usual ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRules {
    /// What customers read: 存取款.
    pub name: Arc<str>,
    /// In front of its numbers: `A`.
    pub prefix: Arc<str>,
    /// Minutes one customer keeps a counter busy, until the queue's own history says better.
    pub minutes: u32,
    /// Seconds a called customer has to come.
    pub grace_seconds: u32,
    /// Whether it is open until somebody says otherwise.
    pub open: bool,
    /// The priority class of its tickets, 0 to 8; smaller goes first.
    pub class: u8,
    /// Who is next.
    pub policy: CallPolicy,
    /// How many people of a better class who came later may go before somebody (strict policy).
    pub max_passes: u32,
    /// How many may wait at once; `None` is any number.
    pub capacity: Option<u32>,
    /// How many numbers a day; `None` is any number.
    pub daily_cap: Option<u32>,
    /// What becomes of those who did not come.
    pub missed: MissedRules,
    /// Where those stand who are transferred here.
    pub transfer: Placement,
    /// Whether its tickets go on over the end of a business day.
    pub carry_over: bool,
    /// Whether being called is being served.
    pub start_on_call: bool,
    /// Whether the system marks the called as missed when their time is over.
    pub auto_miss: bool,
    /// Whether the system calls once more before that.
    pub auto_recall: bool,
    /// How often somebody is called before they are missed, the first time included.
    pub calls: u32,
    /// How often somebody may have others go first (暂离).
    pub let_pass: u32,
    /// For how many minutes at most.
    pub let_pass_minutes: u32,
    /// With so many ahead, or fewer, somebody is near, unless they chose another number.
    pub near: u32,
}

/// Who is next in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallPolicy {
    /// The best class first; within it, who came first.
    Strict,
    /// `new` of the queue's own class (and better) and then `second` of the others, in turn; as
    /// many of each once the others are more. With `missed_lane` then one who returned after a miss.
    Interleave {
        /// Of the queue's own class and better.
        first: u32,
        /// Of the other classes.
        second: u32,
        /// Whether those who return after a miss have a lane of their own.
        missed_lane: bool,
    },
}

/// What becomes of those who did not come (过号).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedRules {
    /// Where they stand when they return.
    pub policy: MissedPolicy,
    /// How often they may return.
    pub returns: u32,
    /// For how many minutes, or until the end of the day.
    pub minutes: u32,
}

/// The four rules for missed numbers that exist in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissedPolicy {
    /// 过号作废: the number is void.
    Void,
    /// 顺延 k 位: back `k` places, and `grow` more with each further miss.
    AfterK {
        /// Places at the first miss.
        k: u32,
        /// More with each further one.
        grow: u32,
    },
    /// 保留 n 分钟: back at the front until the deadline, then void.
    HoldMinutes,
    /// 重排到队尾: to the end of the line.
    Tail,
}

/// A place in a line that somebody comes into from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Before everybody of the same class.
    Front,
    /// As if they had come here at first.
    Arrival,
    /// Behind everybody of the same class.
    Tail,
}

/// The rules of one counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRules {
    /// What customers read: 3号窗口.
    pub name: Arc<str>,
    /// Whom it serves.
    pub queues: Vec<QueueId>,
    /// Whether the system calls the next one when it is free.
    pub auto_next: bool,
}

impl QueueRules {
    /// The usual rules: strict classes with a bound of four, three places back after a miss, two
    /// returns within thirty minutes, five minutes a customer.
    pub fn new(name: &str, prefix: &str) -> QueueRules {
        QueueRules {
            name: name.into(),
            prefix: prefix.into(),
            minutes: 5,
            grace_seconds: 180,
            open: true,
            class: ORDINARY_CLASS,
            policy: CallPolicy::Strict,
            max_passes: 4,
            capacity: None,
            daily_cap: None,
            missed: MissedRules {
                policy: MissedPolicy::AfterK { k: 3, grow: 0 },
                returns: 2,
                minutes: 30,
            },
            transfer: Placement::Arrival,
            carry_over: false,
            start_on_call: false,
            auto_miss: false,
            auto_recall: false,
            calls: 3,
            let_pass: 2,
            let_pass_minutes: 30,
            near: 3,
        }
    }

    /// How many places back somebody returns after so many misses, if the rule is one of places.
    pub fn places_back(&self, misses: u32) -> Option<u32> {
        let own_lane = matches!(self.policy, CallPolicy::Interleave { missed_lane: true, .. });
        match self.missed.policy {
            MissedPolicy::AfterK { k, grow } if !own_lane => {
                Some(k + grow * misses.saturating_sub(1))
            }
            _ => None,
        }
    }
}

impl CounterRules {
    /// A counter that calls when somebody presses.
    pub fn new(name: &str, queues: Vec<QueueId>) -> CounterRules {
        CounterRules { name: name.into(), queues, auto_next: false }
    }
}

impl Rules {
    /// The counters that serve a queue.
    pub fn counters_of<'a>(
        &'a self,
        queue: &'a QueueId,
    ) -> impl Iterator<Item = &'a CounterId> + 'a {
        self.counters.iter().filter(|(_, rules)| rules.queues.contains(queue)).map(|(id, _)| id)
    }
}
