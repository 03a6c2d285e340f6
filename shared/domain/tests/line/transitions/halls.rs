//! The halls in which a guard fails.

use super::rows::queue_a;
use super::scene::*;
use crate::hall::{
    Hall, MINUTE, call, finish, given_by, manager, open, rules, served, staff, take,
};
use paihao_domain::{
    Act, CounterId, Interval, MissedPolicy, MissedRules, Now, Person, QueueId, QueueState, Served,
    TicketId, Timestamp, Today, Until,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn set(state: QueueState) -> Hall {
    let mut hall = hall(rules(), "M");
    hall.when(Act::SetQueue { queue: QueueId::new("a"), state }).then();
    hall
}

pub(super) fn halted() -> Hall {
    let mut hall = ann(rules(), "M", "waiting");
    let state = QueueState::Halted;
    hall.when(Act::SetQueue { queue: QueueId::new("a"), state }).then();
    hall
}

pub(super) fn full(capacity: Option<u32>, daily_cap: Option<u32>) -> Hall {
    let mut rules = rules();
    let a = queue_a(&mut rules);
    (a.capacity, a.daily_cap) = (capacity, daily_cap);
    given_by(rules, [take("ben", "a")])
}

/// Counter 1 is open, two wait for five minutes each, and the queue closes in so many minutes.
pub(super) fn closes_in(minutes: i64) -> Hall {
    let mut hall = hall(rules(), "A");
    hall.when(take("ben", "a")).then();
    hall.when(take("cai", "a")).then();
    let at = hall.now.at;
    let open = Interval { from: at.plus_ms(-MINUTE), to: at.plus_ms(minutes * MINUTE) };
    let hours = BTreeMap::from([(QueueId::new("a"), vec![open])]);
    let lasts = Interval { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
    hall.now = Now::of(at, Arc::new(Today { day: hall.now.day(), lasts, hours }));
    hall
}

pub(super) fn nobody(queue: &str) -> Act {
    Act::Take { queue: QueueId::new(queue), person: None, via: None, class: None, key: None }
}

pub(super) fn with_class() -> Act {
    let person = Some(Person::new("ann"));
    Act::Take { queue: QueueId::new("a"), person, via: None, class: Some(0), key: None }
}

pub(super) fn on_break() -> Hall {
    let mut hall = ann(rules(), "M", "waiting");
    hall.when(Act::BreakCounter(CounterId::new("1"))).then();
    hall
}

pub(super) fn at_three() -> Hall {
    let mut hall = ann(rules(), "M", "waiting");
    hall.when(open("3")).then();
    hall
}

pub(super) fn call_at_three() -> Act {
    let reason = Some("老人".into());
    Act::CallThis { counter: CounterId::new("3"), ticket: ANN, reason }
}

/// Ann waits, and somebody else has been called.
pub(super) fn two_waiting() -> Hall {
    let mut hall = ann(rules(), "M", "waiting");
    let (counter, reason) = (CounterId::new("1"), Some("老人".into()));
    hall.when(Act::CallThis { counter, ticket: TicketId(2), reason }).then();
    hall
}

pub(super) fn recalled() -> Hall {
    let mut hall = ann(rules(), "M", "called");
    hall.when(Act::Recall(served("1"))).then();
    hall.when(Act::Recall(served("1"))).then();
    hall.later(MINUTE);
    hall
}

pub(super) fn later(state: &str, ms: i64) -> Hall {
    later_by("M", state, ms)
}

pub(super) fn later_by(column: &str, state: &str, ms: i64) -> Hall {
    let mut hall = ann(rules(), column, state);
    hall.later(ms);
    hall
}

pub(super) fn miss_another() -> Act {
    Act::Miss(Served { counter: CounterId::new("1"), number: Some("A009".into()) })
}

pub(super) fn void(state: &str) -> Hall {
    let mut rules = rules();
    let missed = queue_a(&mut rules).missed;
    queue_a(&mut rules).missed = MissedRules { policy: MissedPolicy::Void, ..missed };
    ann(rules, "M", state)
}

pub(super) fn cleared() -> Hall {
    let mut hall = ann(rules(), "M", "missed");
    hall.when(Act::ClearQueue(QueueId::new("a"))).then();
    hall
}

pub(super) fn passed_twice() -> Hall {
    let mut hall = ann(rules(), "M", "waiting");
    for _ in 0..2 {
        hall.when(let_pass(Until::Tap)).then();
        hall.when(Act::Resume(ANN)).then();
    }
    hall
}

pub(super) fn suspended_two_open() -> Hall {
    let mut hall = ann(rules(), "M", "suspended");
    hall.when(open("2")).then();
    hall
}

pub(super) fn suspended_busy() -> Hall {
    let mut hall = ann(rules(), "M", "suspended");
    hall.when(call("1")).then();
    hall
}

pub(super) fn undo_others() -> Hall {
    let mut hall = ann(rules(), "S", "serving");
    hall.at_once_as(manager(), finish("1")).then();
    hall
}

pub(super) fn undo_busy() -> Hall {
    let mut hall = ann(rules(), "M", "done");
    hall.when(call("1")).then();
    hall
}

pub(super) fn undo_again() -> Hall {
    let mut hall = ann(rules(), "M", "done");
    hall.when(take("ann", "a")).then();
    hall
}

pub(super) fn class_nine() -> Act {
    Act::Prioritise { ticket: ANN, class: 9, reason: "军人".into() }
}

pub(super) fn elsewhere() -> Hall {
    let mut hall = given_by(rules(), []);
    hall.when_as(staff("desk", &["1", "2"]), open("2")).then();
    hall
}
