//! Sites in which a guard fails.

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
    let mut fixture = open_site(rules(), "M");
    fixture.when(Act::SetQueueState { queue: QueueId::new("a"), state }).then();
    fixture
}

pub(super) fn halted() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "waiting");
    let state = QueueState::Halted;
    fixture.when(Act::SetQueueState { queue: QueueId::new("a"), state }).then();
    fixture
}

pub(super) fn full_queue(capacity: Option<u32>, daily_cap: Option<u32>) -> SiteFixture {
    let mut rules = rules();
    let a = queue_a(&mut rules);
    (a.capacity, a.daily_cap) = (capacity, daily_cap);
    given_with_rules(rules, [take("ben", "a")])
}

/// Site at which ann has taken the one number that a person may, and left.
pub(super) fn ann_has_left() -> SiteFixture {
    let mut rules = rules();
    queue_a(&mut rules).daily_per_person = Some(1);
    let leave = Act::Leave { ticket: TicketId(1), reason: None };
    given_with_rules(rules, [take("ann", "a"), leave])
}

/// Site with counter 1 open and two waiting for five minutes each, whose queue closes in so many
/// minutes.
pub(super) fn closes_in(minutes: i64) -> SiteFixture {
    let mut fixture = open_site(rules(), "A");
    fixture.when(take("ben", "a")).then();
    fixture.when(take("cai", "a")).then();
    let at = fixture.now.at;
    let open = Interval { from: at.plus_ms(-MINUTE_MS), to: at.plus_ms(minutes * MINUTE_MS) };
    let hours = BTreeMap::from([(QueueId::new("a"), vec![open])]);
    let interval = Interval { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
    fixture.now = DecisionInput::new(
        at,
        Arc::new(BusinessDay { day: fixture.now.day(), interval, hours, shifts: BTreeMap::new() }),
    );
    fixture
}

pub(super) fn take_without_person(queue: &str) -> Act {
    Act::Take {
        queue: QueueId::new(queue),
        person: None,
        scan_session: None,
        class: None,
        key: None,
    }
}

pub(super) fn take_with_class() -> Act {
    let person = Some(Person::new("ann"));
    Act::Take { queue: QueueId::new("a"), person, scan_session: None, class: Some(0), key: None }
}

pub(super) fn on_break() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "waiting");
    fixture.when(Act::BreakCounter(CounterId::new("1"))).then();
    fixture
}

pub(super) fn third_counter_open() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "waiting");
    fixture.when(open("3")).then();
    fixture
}

pub(super) fn call_at_three() -> Act {
    let reason = Some("老人".into());
    Act::CallTicket { counter: CounterId::new("3"), ticket: ANN, reason }
}

/// Site in which Ann waits and another ticket has been called.
pub(super) fn two_waiting() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "waiting");
    let counter = CounterId::new("1");
    let reason = Some("老人".into());
    fixture.when(Act::CallTicket { counter, ticket: TicketId(2), reason }).then();
    fixture
}

pub(super) fn recalled() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "called");
    fixture.when(Act::Recall(served("1"))).then();
    fixture.when(Act::Recall(served("1"))).then();
    fixture.advance_ms(MINUTE_MS);
    fixture
}

pub(super) fn ann_after(state: &str, ms: i64) -> SiteFixture {
    ann_after_by("M", state, ms)
}

pub(super) fn ann_after_by(column: &str, state: &str, ms: i64) -> SiteFixture {
    let mut fixture = site_with_ann(rules(), column, state);
    fixture.advance_ms(ms);
    fixture
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
    let mut fixture = site_with_ann(rules(), "M", "missed");
    fixture.when(Act::ClearQueue(QueueId::new("a"))).then();
    fixture
}

pub(super) fn passed_twice() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "waiting");
    for _ in 0..2 {
        fixture.when(let_pass(LetPassLimit::OnRequest)).then();
        fixture.when(Act::Resume(ANN)).then();
    }
    fixture
}

pub(super) fn suspended_two_open() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "suspended");
    fixture.when(open("2")).then();
    fixture
}

pub(super) fn suspended_busy() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "suspended");
    fixture.when(call("1")).then();
    fixture
}

pub(super) fn finished_by_manager() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "S", "serving");
    fixture.at_once_as(manager(), finish("1")).then();
    fixture
}

pub(super) fn done_with_busy_counter() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "done");
    fixture.when(call("1")).then();
    fixture
}

pub(super) fn done_with_new_number() -> SiteFixture {
    let mut fixture = site_with_ann(rules(), "M", "done");
    fixture.when(take("ann", "a")).then();
    fixture
}

pub(super) fn class_nine() -> Act {
    Act::Prioritise { ticket: ANN, class: 9, reason: "军人".into() }
}

pub(super) fn staff_at_second_counter() -> SiteFixture {
    let mut fixture = given_with_rules(rules(), []);
    fixture.when_as(staff("desk", &["1", "2"]), open("2")).then();
    fixture
}
