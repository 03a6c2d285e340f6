//! The halls in which a guard fails.

use super::rows::queue_a;
use super::scene::*;
use crate::fixture::{
    MINUTE_MS, SiteFixture, call, finish, given_with_rules, manager, open, rules, served, staff,
    take,
};
use paihao_domain::{
    Act, BusinessDay, CounterId, CounterTicket, DecisionInput, Interval, LetPassLimit,
    MissedPolicy, MissedRules, Person, QueueId, QueueState, TicketId, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn queue_in_state(state: QueueState) -> SiteFixture {
    let mut hall = open_site(rules(), "M");
    hall.when(Act::SetQueueState { queue: QueueId::new("a"), state }).then();
    hall
}

pub(super) fn halted() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "waiting");
    let state = QueueState::Halted;
    hall.when(Act::SetQueueState { queue: QueueId::new("a"), state }).then();
    hall
}

pub(super) fn full_queue(capacity: Option<u32>, daily_cap: Option<u32>) -> SiteFixture {
    let mut rules = rules();
    let a = queue_a(&mut rules);
    (a.capacity, a.daily_cap) = (capacity, daily_cap);
    given_with_rules(rules, [take("ben", "a")])
}

/// Counter 1 is open, two wait for five minutes each, and the queue closes in so many minutes.
pub(super) fn closes_in(minutes: i64) -> SiteFixture {
    let mut hall = open_site(rules(), "A");
    hall.when(take("ben", "a")).then();
    hall.when(take("cai", "a")).then();
    let at = hall.now.at;
    let open = Interval { from: at.plus_ms(-MINUTE_MS), to: at.plus_ms(minutes * MINUTE_MS) };
    let hours = BTreeMap::from([(QueueId::new("a"), vec![open])]);
    let lasts = Interval { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
    hall.now = DecisionInput::new(
        at,
        Arc::new(BusinessDay { day: hall.now.day(), interval: lasts, hours }),
    );
    hall
}

pub(super) fn take_without_person(queue: &str) -> Act {
    Act::Take { queue: QueueId::new(queue), person: None, via: None, class: None, key: None }
}

pub(super) fn take_with_class() -> Act {
    let person = Some(Person::new("ann"));
    Act::Take { queue: QueueId::new("a"), person, via: None, class: Some(0), key: None }
}

pub(super) fn on_break() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "waiting");
    hall.when(Act::BreakCounter(CounterId::new("1"))).then();
    hall
}

pub(super) fn third_counter_open() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "waiting");
    hall.when(open("3")).then();
    hall
}

pub(super) fn call_at_three() -> Act {
    let reason = Some("老人".into());
    Act::CallTicket { counter: CounterId::new("3"), ticket: ANN, reason }
}

/// Ann waits, and somebody else has been called.
pub(super) fn two_waiting() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "waiting");
    let (counter, reason) = (CounterId::new("1"), Some("老人".into()));
    hall.when(Act::CallTicket { counter, ticket: TicketId(2), reason }).then();
    hall
}

pub(super) fn recalled() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "called");
    hall.when(Act::Recall(served("1"))).then();
    hall.when(Act::Recall(served("1"))).then();
    hall.advance_ms(MINUTE_MS);
    hall
}

pub(super) fn ann_after(state: &str, ms: i64) -> SiteFixture {
    ann_after_by("M", state, ms)
}

pub(super) fn ann_after_by(column: &str, state: &str, ms: i64) -> SiteFixture {
    let mut hall = site_with_ann(rules(), column, state);
    hall.advance_ms(ms);
    hall
}

pub(super) fn miss_another() -> Act {
    Act::Miss(CounterTicket { counter: CounterId::new("1"), number: Some("A009".into()) })
}

pub(super) fn void_policy(state: &str) -> SiteFixture {
    let mut rules = rules();
    let missed = queue_a(&mut rules).missed;
    queue_a(&mut rules).missed = MissedRules { policy: MissedPolicy::Void, ..missed };
    site_with_ann(rules, "M", state)
}

pub(super) fn cleared() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "missed");
    hall.when(Act::ClearQueue(QueueId::new("a"))).then();
    hall
}

pub(super) fn passed_twice() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "waiting");
    for _ in 0..2 {
        hall.when(let_pass(LetPassLimit::OnRequest)).then();
        hall.when(Act::Resume(ANN)).then();
    }
    hall
}

pub(super) fn suspended_two_open() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "suspended");
    hall.when(open("2")).then();
    hall
}

pub(super) fn suspended_busy() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "suspended");
    hall.when(call("1")).then();
    hall
}

pub(super) fn finished_by_manager() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "S", "serving");
    hall.at_once_as(manager(), finish("1")).then();
    hall
}

pub(super) fn done_with_busy_counter() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "done");
    hall.when(call("1")).then();
    hall
}

pub(super) fn done_with_new_number() -> SiteFixture {
    let mut hall = site_with_ann(rules(), "M", "done");
    hall.when(take("ann", "a")).then();
    hall
}

pub(super) fn class_nine() -> Act {
    Act::Prioritise { ticket: ANN, class: 9, reason: "军人".into() }
}

pub(super) fn staff_at_second_counter() -> SiteFixture {
    let mut hall = given_with_rules(rules(), []);
    hall.when_as(staff("desk", &["1", "2"]), open("2")).then();
    hall
}
