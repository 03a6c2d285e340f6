//! Tests of opening and closing counters.

use crate::fixture::{
    MINUTE_MS, SiteFixture, api, call, close, finish, given, given_with_rules, manager, open,
    rules, staff, start, take,
};
use paihao_domain::{Act, Actor, CounterId, CounterState, Refusal};

#[test]
fn a_counter_calls_nobody_until_it_is_open() {
    let mut fixture = given([take("ann", "a")]);
    assert_eq!(fixture.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
    fixture.when(open("1")).then();
    assert_eq!(fixture.when(call("1")).then_called(), "A001");
}

#[test]
fn a_closed_counter_calls_nobody() {
    let mut fixture = given([open("1"), take("ann", "a"), close("1")]);
    assert_eq!(fixture.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
}

#[test]
fn an_unknown_counter_does_nothing() {
    let mut fixture = given([]);
    for act in [open("9"), close("9"), call("9"), finish("9"), crate::fixture::miss("9")] {
        let refused = fixture.when(act).then_refused();
        assert_eq!(refused, Refusal::UnknownCounter(CounterId::new("9")));
    }
}

fn one() -> CounterId {
    CounterId::new("1")
}

fn take_over(from: &str) -> Act {
    Act::TakeOver { counter: one(), from: from.into() }
}

/// Ways in which counter 1 stands, with the login that is there.
const STANDS: [(&str, Option<&str>); 7] = [
    ("closed", None),
    ("closed with a ticket", None),
    ("own", Some("desk")),
    ("open", Some("wang")),
    ("called", Some("wang")),
    ("serving", Some("wang")),
    ("break with a ticket", Some("wang")),
];

/// Site whose counter 1 stands so, while Ben waits.
fn standing(stand: &str) -> SiteFixture {
    let mut fixture = given_with_rules(rules(), [take("ann", "a"), take("ben", "a")]);
    let pause = || Act::BreakCounter(one());
    let (login, acts) = match stand {
        "closed" => ("wang", vec![close("1")]),
        "closed with a ticket" => ("wang", vec![call("1"), close("1")]),
        "own" => ("desk", vec![]),
        "open" => ("wang", vec![]),
        "called" => ("wang", vec![call("1")]),
        "serving" => ("wang", vec![call("1"), start("1")]),
        _ => ("wang", vec![call("1"), start("1"), pause()]),
    };
    for act in [open("1")].into_iter().chain(acts) {
        fixture.when_as(staff(login, &["1"]), act).then();
    }
    fixture
}

#[test]
fn a_counter_is_opened_unless_a_colleague_is_there_and_is_taken_over_from_the_one_who_was_seen() {
    for (stand, login) in STANDS {
        for act in [open("1"), take_over("wang"), take_over("li")] {
            for actor in [staff("desk", &["1"]), api(&["1"]), manager()] {
                let mut fixture = standing(stand);
                let case = format!("{act:?} of {stand} by {actor:?}");
                let at_counter = fixture.at_counter("1");
                let may = match (&actor, login) {
                    (Actor::Manager(_), _) | (_, None) => true,
                    (Actor::Staff { .. }, Some("desk")) => true,
                    (_, Some(login)) => act == take_over(login),
                };
                let result = fixture.when_as(actor.clone(), act.clone());
                if !may {
                    assert_eq!(result.then_refused(), Refusal::CounterTaken(one()), "{case}");
                    continue;
                }
                result.then();
                assert!(fixture.site.counter(&one()).is_open(), "{case}");
                assert_eq!(fixture.at_counter("1"), at_counter, "{case}: the ticket stays");
                if at_counter.is_some() {
                    fixture.when_as(actor, finish("1")).then();
                }
            }
            let mut fixture = standing(stand);
            let far = staff("far", &["3"]);
            let refusal = fixture.when_as(far, act).then_refused();
            assert_eq!(refusal, Refusal::NotYourCounter(one()), "{stand}");
        }
    }
}

#[test]
fn since_when_a_login_is_there_is_known_until_it_goes() {
    let mut fixture = given([]);
    let since = |fixture: &SiteFixture| fixture.site.counter(&one()).login_since;
    let (wang, li) = (staff("wang", &["1"]), staff("li", &["1"]));
    fixture.when_as(wang.clone(), open("1")).then();
    let came = Some(fixture.now.at);
    assert_eq!(since(&fixture), came);
    for act in [Act::BreakCounter(one()), open("1")] {
        fixture.when_as(wang.clone(), act).then();
        assert_eq!(since(&fixture), came, "a break changes nothing");
    }
    fixture.when_as(li.clone(), take_over("wang")).then();
    assert_eq!(since(&fixture), Some(fixture.now.at));
    assert_eq!(fixture.site.counter(&one()).login.as_deref(), Some("li"));
    let refusal = fixture.when_as(wang, close("1")).then_refused();
    assert_eq!(refusal, Refusal::NotYourCounter(one()));
    fixture.when_as(li, close("1")).then();
    assert_eq!(since(&fixture), None);
}

#[test]
fn staff_moved_to_another_counter_leave_none_behind() {
    for acts in [vec![], vec![call("1")], vec![call("1"), start("1")]] {
        let mut fixture = given([take("ann", "a")]);
        let (before, after) = (staff("desk", &["1"]), staff("desk", &["2"]));
        fixture.when_as(before.clone(), open("1")).then();
        acts.iter().for_each(|act| drop(fixture.when_as(before.clone(), act.clone()).then()));
        fixture.when_as(after, open("2")).then();
        let left = fixture.site.counter(&one());
        assert_eq!((left.state, &left.login), (CounterState::Offline, &None), "{acts:?}");
        // A colleague goes on with the ticket that is there.
        let colleague = staff("li", &["1"]);
        fixture.when_as(colleague.clone(), open("1")).then();
        if !acts.is_empty() {
            fixture.when_as(colleague, finish("1")).then();
        }
    }
}

#[test]
fn a_counter_that_the_owner_removed_keeps_nobody() {
    let mut fixture = given([]);
    let desk = staff("desk", &["1", "2"]);
    fixture.when_as(desk.clone(), open("1")).then();
    fixture.rules.counters.remove(&one());
    fixture.when_as(desk, open("2")).then();
    assert_eq!(fixture.site.counter(&one()).login, None);
}

#[test]
fn staff_have_one_counter_at_a_time_however_they_come_to_it() {
    let mut fixture = given([]);
    let desk = staff("desk", &["1", "2"]);
    fixture.when_as(desk.clone(), open("2")).then();
    fixture.when_as(staff("wang", &["1"]), open("1")).then();
    fixture.advance_ms(MINUTE_MS);
    let refusal = fixture.when_as(desk, take_over("wang")).then_refused();
    assert_eq!(refusal, Refusal::ElsewhereLoggedIn(CounterId::new("2")));
}
