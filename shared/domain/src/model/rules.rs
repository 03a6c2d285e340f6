//! Rules of a site, set by its owner: queues, counters and the order of calls.

use crate::model::ids::{CounterId, QueueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Priority class of tickets without priority; the smaller class goes first.
pub const ORDINARY_CLASS: u8 = 5;

/// Priority class of the lane for returns after a miss, in queues with such a lane.
pub const MISSED_LANE_CLASS: u8 = 9;

/// Rules of one site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Rules of its queues.
    pub queues: BTreeMap<QueueId, QueueRules>,
    /// Rules of its counters.
    pub counters: BTreeMap<CounterId, CounterRules>,
    /// `true` if one login may have several counters open.
    pub several_counters: bool,
}

/// Rules of one queue. [`QueueRules::new`] gives the usual ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRules {
    /// Name that customers read: 存取款.
    pub name: Arc<str>,
    /// Prefix of its numbers: `A`.
    pub prefix: Arc<str>,
    /// Minutes that one customer keeps a counter busy, until the queue's own history gives a better
    /// value.
    pub minutes: u32,
    /// Seconds that a called customer has to come.
    pub grace_seconds: u32,
    /// `true` if the queue is open until staff set another state.
    pub open: bool,
    /// Priority class of its tickets, 0 to 8; the smaller class goes first.
    pub class: u8,
    /// Order of calls.
    pub policy: CallPolicy,
    /// Largest number of later tickets of a better class that may be called first (strict policy).
    pub max_passes: u32,
    /// Largest number of waiting tickets; `None` for no limit.
    pub capacity: Option<u32>,
    /// Largest number of tickets a day, without those that were given up before they were called;
    /// `None` for no limit.
    pub daily_cap: Option<u32>,
    /// Largest number of tickets a day that one person takes, given up or not; `None` for no limit.
    pub daily_per_person: Option<u32>,
    /// Rules for missed calls.
    pub missed: MissedRules,
    /// Placement of tickets that are transferred here.
    pub transfer: Placement,
    /// `true` if its tickets are carried over the end of a business day.
    pub carry_over: bool,
    /// `true` if a call also starts the service.
    pub start_on_call: bool,
    /// `true` if the system marks a called ticket as missed at its deadline.
    pub auto_miss: bool,
    /// `true` if the system calls once more before that.
    pub auto_recall: bool,
    /// Number of calls before a miss, the first one included.
    pub calls: u32,
    /// Number of times that a holder may let others pass (暂离).
    pub let_pass: u32,
    /// Longest time of letting others pass, in minutes.
    pub let_pass_minutes: u32,
    /// Number ahead, or fewer, at which a holder gets the "near" notice, unless they chose another
    /// number.
    pub near: u32,
}

/// Order of calls in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallPolicy {
    /// The best class first; within it, the earliest arrival.
    Strict,
    /// `first` of the queue's own class (and better), then `second` of the others, in turn; as many
    /// of each once the others are more. With `missed_lane`, then one who returned after a miss.
    Interleave {
        /// Calls of the queue's own class and better.
        first: u32,
        /// Calls of the other classes.
        second: u32,
        /// `true` if returns after a miss have a lane of their own.
        missed_lane: bool,
    },
}

/// Rules for missed calls (过号).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedRules {
    /// Placement on return.
    pub policy: MissedPolicy,
    /// Number of returns allowed.
    pub returns: u32,
    /// Minutes in which a return is allowed; never beyond the end of the day.
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
        /// Further places with each further miss.
        grow: u32,
    },
    /// 保留 n 分钟: back at the front until the deadline, then void.
    HoldMinutes,
    /// 重排到队尾: to the end of the line.
    Tail,
}

/// Placement of a ticket that comes into a line from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Before all tickets of the same class.
    Front,
    /// By its original arrival, as if it had come here at first.
    Arrival,
    /// Behind all tickets of the same class.
    Tail,
}

/// Rules of one counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRules {
    /// Name that customers read: 3号窗口.
    pub name: Arc<str>,
    /// Queues that it serves.
    pub queues: Vec<QueueId>,
    /// `true` if the system calls the next ticket when the counter is free.
    pub auto_next: bool,
}

impl QueueRules {
    /// Usual rules: strict classes with a bound of four, three places back after a miss, two
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
            daily_per_person: None,
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

    /// Places that a ticket goes back after so many misses, if the rule counts places.
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
    /// Counter that calls on request only.
    pub fn new(name: &str, queues: Vec<QueueId>) -> CounterRules {
        CounterRules { name: name.into(), queues, auto_next: false }
    }
}

impl Rules {
    /// Counters that serve a queue.
    pub fn counters_of<'a>(
        &'a self,
        queue: &'a QueueId,
    ) -> impl Iterator<Item = &'a CounterId> + 'a {
        self.counters.iter().filter(|(_, rules)| rules.queues.contains(queue)).map(|(id, _)| id)
    }
}
