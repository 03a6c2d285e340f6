//! Tests of calls by the system itself: a person can always act before them.

use crate::fixture::{
    MINUTE_MS, SiteFixture, call, close, customer, finish, given_with_rules, manager, miss, open,
    rules, served, staff, start, take,
};
use crate::random_steps::{all_rules, run_steps, steps};
use paihao_domain::{
    Act, Actor, ActorRef, CounterId, CounterState, Decision, Event, QueueId, Refusal, Rules, Site,
    TicketId, TicketStatus, next_due_at,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Time from when a counter is free until the system calls there.
const ROOM_MS: i64 = 5_000;

const ANN: TicketId = TicketId(1);

fn auto_rules() -> Rules {
    let mut rules = rules();
    rules.counters.get_mut(&CounterId::new("1")).unwrap().auto_next = true;
    rules
}

fn counter() -> CounterId {
    CounterId::new("1")
}

fn take_break() -> Act {
    Act::BreakCounter(counter())
}

/// Calls that are due now.
fn due_calls(fixture: &SiteFixture) -> usize {
    let due = paihao_domain::due_commands(&fixture.site, &fixture.rules, &fixture.now);
    due.iter().filter(|command| matches!(command.act, Act::CallNext(_))).count()
}

/// Site whose counter 1 has Ann in a state, while Ben and Cai wait.
fn with_ann(rules: Rules, state: &str) -> SiteFixture {
    let mut acts = vec![open("1"), take("ann", "a"), take("ben", "a"), take("cai", "a")];
    match state {
        "called" => acts.push(call("1")),
        "serving" => acts.extend([call("1"), start("1")]),
        _ => {}
    }
    given_with_rules(rules, acts)
}

/// Acts that free the counter of Ann in a state, with their actors.
fn freeing_acts(state: &str) -> Vec<(&'static str, Actor, Act)> {
    let transfer = Act::Transfer { ticket: ANN, queue: QueueId::new("b") };
    let suspend = Act::Suspend { served: served("1"), reason: "补材料".into(), affinity: false };
    let remove = Act::Leave { ticket: ANN, reason: Some("走了".into()) };
    match state {
        "called" => vec![
            ("finish", manager(), finish("1")),
            ("miss", manager(), miss("1")),
            ("put back", manager(), Act::PutBack(served("1"))),
            ("transfer", manager(), transfer),
            ("leave", customer("ann"), Act::Leave { ticket: ANN, reason: None }),
            ("remove", manager(), remove),
        ],
        _ => vec![
            ("finish", manager(), finish("1")),
            ("suspend", manager(), suspend),
            ("transfer", manager(), transfer),
        ],
    }
}

#[test]
fn a_break_and_a_closing_are_possible_in_every_state_and_end_no_ticket() {
    for auto_next in [false, true] {
        for state in ["none", "called", "serving"] {
            for (act, expected) in
                [(take_break(), CounterState::Break), (close("1"), CounterState::Offline)]
            {
                let case = format!("{act:?}, {state}, automatic: {auto_next}");
                let rules = if auto_next { auto_rules() } else { rules() };
                let mut fixture = with_ann(rules, state);
                let before = fixture.at_counter("1");
                fixture.at_once(act).then();
                assert_eq!(fixture.site.counter(&counter()).state, expected, "{case}");
                assert_eq!(fixture.at_counter("1"), before, "{case}");
                let refusal = fixture.at_once(call("1")).then_refused();
                let is_stopped =
                    matches!(refusal, Refusal::CounterOnBreak(_) | Refusal::CounterClosed(_));
                assert!(is_stopped, "{case}: {refusal:?}");
                let ends = if before.is_some() { freeing_acts(state) } else { Vec::new() };
                for (end, by, act) in ends {
                    let mut fixture = fixture.copy();
                    fixture.at_once_as(by, act).then();
                    assert_eq!(fixture.at_counter("1"), None, "{case}: {end}");
                    assert_eq!(fixture.site.counter(&counter()).state, expected, "{case}: {end}");
                    fixture.advance_ms(MINUTE_MS);
                    assert_eq!(due_calls(&fixture), 0, "{case}: {end}");
                }
                fixture.advance_ms(MINUTE_MS);
                assert_eq!(due_calls(&fixture), 0, "{case}");
                fixture.at_once(open("1")).then();
                fixture.advance_ms(ROOM_MS);
                let is_free = fixture.at_counter("1").is_none();
                assert_eq!(due_calls(&fixture), usize::from(auto_next && is_free), "{case}");
            }
        }
    }
}

#[test]
fn whatever_frees_a_counter_leaves_room_for_a_person_before_the_next_call() {
    for state in ["called", "serving"] {
        for (name, by, act) in freeing_acts(state) {
            let mut fixture = with_ann(auto_rules(), state);
            fixture.at_once_as(by, act).then();
            let case = format!("{name} of {state}");
            for later_ms in [0, 1, ROOM_MS - 2] {
                fixture.advance_ms(later_ms);
                assert_eq!(due_calls(&fixture), 0, "{case}");
                fixture.copy().at_once(take_break()).then();
                fixture.copy().at_once(close("1")).then();
                let refusal = fixture.at_once_as(Actor::System, call("1")).then_refused();
                assert_eq!(refusal, Refusal::NotDue, "{case}");
            }
            let due = next_due_at(&fixture.site, &fixture.rules, &fixture.now);
            fixture.advance_ms(1);
            if name == "put back" {
                assert_eq!(due_calls(&fixture), 0, "{case}");
            } else {
                assert_eq!(due, Some(fixture.now.at), "{case}");
                assert_eq!(fixture.run_due_commands(), [call("1")], "{case}");
                assert!(fixture.at_counter("1").is_some(), "{case}");
            }
        }
    }
}

#[test]
fn whoever_opens_a_counter_has_a_moment_and_whoever_comes_later_is_called_at_once() {
    let mut fixture = given_with_rules(auto_rules(), [take("ann", "a"), open("1")]);
    assert_eq!(fixture.run_due_commands(), []);
    fixture.advance_ms(ROOM_MS);
    assert_eq!(fixture.run_due_commands(), [call("1")]);
    fixture.when(finish("1")).then();
    fixture.when(take("ben", "a")).then();
    assert_eq!(fixture.run_due_commands(), [call("1")]);
}

#[test]
fn after_a_call_is_put_back_the_system_waits_until_a_person_calls() {
    let goes_on: [(&str, &[Act]); 4] = [
        ("call next", &[call("1"), finish("1")]),
        ("call another", &[call_ben(), finish("1")]),
        ("open", &[open("1")]),
        ("break", &[take_break(), open("1")]),
    ];
    for (name, acts) in goes_on {
        let mut fixture = with_ann(auto_rules(), "called");
        fixture.at_once(Act::PutBack(served("1"))).then();
        assert!(fixture.site.is_auto_call_paused(&fixture.rules, &counter()), "{name}");
        for _ in 0..5 {
            fixture.advance_ms(10 * MINUTE_MS);
            assert_eq!(fixture.run_due_commands(), [], "{name}");
        }
        acts.iter().for_each(|act| drop(fixture.at_once(act.clone()).then()));
        assert!(!fixture.site.is_auto_call_paused(&fixture.rules, &counter()), "{name}");
        fixture.advance_ms(ROOM_MS);
        assert_eq!(fixture.run_due_commands(), [call("1")], "{name}");
    }
}

fn call_ben() -> Act {
    Act::CallTicket { counter: counter(), ticket: TicketId(2), reason: Some("老人".into()) }
}

#[test]
fn an_end_that_is_taken_back_is_not_followed_by_a_call_of_the_same_person() {
    let (desk, far) = (staff("desk", &["1"]), staff("far", &["2"]));
    let mut rules = auto_rules();
    rules.counters.get_mut(&CounterId::new("2")).unwrap().auto_next = true;
    let mut fixture = given_with_rules(rules, []);
    fixture.when_as(desk.clone(), open("1")).then();
    fixture.when_as(far, open("2")).then();
    fixture.when(take("ann", "a")).then();
    let remove = Act::Leave { ticket: ANN, reason: Some("走了".into()) };
    fixture.at_once_as(desk.clone(), remove).then();
    fixture.at_once_as(desk, Act::Undo(ANN)).then();
    assert_eq!(fixture.state(1), TicketStatus::Waiting);
    fixture.advance_ms(MINUTE_MS);
    assert_eq!(fixture.run_due_commands(), [call("2")], "another counter goes on");
}

#[test]
fn a_finish_can_be_taken_back_before_the_next_call_and_during_a_break() {
    for pause in [false, true] {
        let mut fixture = with_ann(auto_rules(), "serving");
        fixture.at_once(finish("1")).then();
        if pause {
            fixture.at_once(take_break()).then();
        }
        fixture.advance_ms(ROOM_MS - 1);
        assert_eq!(fixture.run_due_commands(), []);
        fixture.at_once(Act::Undo(ANN)).then();
        assert_eq!(fixture.at_counter("1").as_deref(), Some("A001"));
        fixture.advance_ms(MINUTE_MS);
        assert_eq!(fixture.run_due_commands(), [], "it is served again");
    }
}

#[test]
fn the_system_ends_no_service_with_a_call_that_comes_late() {
    for state in ["called", "serving"] {
        let mut fixture = with_ann(auto_rules(), state);
        fixture.advance_ms(MINUTE_MS);
        let refusal = fixture.at_once_as(Actor::System, call("1")).then_refused();
        assert_eq!(refusal, Refusal::NotDue, "{state}");
    }
    let mut fixture = with_ann(rules(), "none");
    fixture.advance_ms(MINUTE_MS);
    let refusal = fixture.at_once_as(Actor::System, call("1")).then_refused();
    assert_eq!(refusal, Refusal::NotDue, "the owner has not set it");
}

/// Checks the calls of a decision. `waiting_for_person` are the counters at which something was
/// taken back and nobody has called since.
fn check_calls(before: &Site, decision: &Decision, waiting_for_person: &mut BTreeSet<CounterId>) {
    let by_system = decision.by == Some(ActorRef::System);
    for event in &decision.events {
        match event {
            Event::DayOpened { .. } => waiting_for_person.clear(),
            Event::TicketPutBack { ticket } => {
                let counter = before.ticket(*ticket).and_then(|ticket| ticket.at_counter());
                waiting_for_person.extend(counter.cloned());
            }
            Event::TicketCalled { counter, .. } if by_system => {
                let was = before.counter(counter);
                assert!(was.is_open() && was.serving.is_none(), "{counter:?} was not free");
                assert!(!waiting_for_person.contains(counter), "{counter:?} waits for a person");
                let free_ms = was.free_since.map_or(i64::MAX, |since| decision.at.since_ms(since));
                // A time far in the future was written by a wrong clock.
                assert!(!(-5 * MINUTE_MS..ROOM_MS).contains(&free_ms), "after {free_ms} ms");
            }
            Event::TicketCalled { counter, .. } | Event::CounterOpened { counter, .. } => {
                waiting_for_person.remove(counter);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn in_every_history_the_system_leaves_room_for_a_person(steps in steps()) {
        let mut rules = all_rules();
        rules.counters.values_mut().for_each(|counter| counter.auto_next = true);
        let mut waiting_for_person = BTreeSet::new();
        run_steps(&rules, &steps, |before, _, decision| {
            check_calls(before, decision, &mut waiting_for_person);
        });
    }
}
