//! Tests of the independence of business days.

use crate::fixture::{call, given, open, take};
use paihao_domain::{CounterId, Day, Event, Refusal};

#[test]
fn numbers_begin_again_on_a_new_day_and_yesterdays_tickets_are_over() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), call("1")]);
    fixture.start_day(20_001);
    assert_eq!(fixture.when(take("ann", "a")).then_holding(), ("A001".into(), 0));
    assert_eq!(fixture.waiting("a"), ["A001"]);
    assert_eq!(fixture.at_counter("1"), None);
    assert_eq!(fixture.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
}

#[test]
fn the_first_decision_of_a_day_opens_it() {
    let mut fixture = given([]);
    let events = fixture.when(take("ann", "a")).then_events();
    assert_eq!(events[0], Event::DayOpened { day: Day(20_000), carrying: 0 });
    let events = fixture.when(take("ben", "a")).then_events();
    assert!(!events.iter().any(|event| matches!(event, Event::DayOpened { .. })));
}

#[test]
fn a_refusal_begins_no_day() {
    let mut fixture = given([take("ann", "a")]);
    fixture.start_day(20_001);
    fixture.when(call("1")).then_refused();
    assert_eq!(fixture.site.day(), Some(Day(20_000)));
}

#[test]
fn a_replica_whose_clock_is_behind_does_not_bring_yesterday_back() {
    let mut fixture = given([take("ann", "a")]);
    fixture.start_day(19_999);
    assert_eq!(fixture.when(take("ben", "a")).then_holding(), ("A002".into(), 1));
    assert_eq!(fixture.site.day(), Some(Day(20_000)));
}

#[test]
fn a_day_needs_nothing_from_before() {
    let mut lived = given([open("1"), take("ann", "a"), call("1")]);
    lived.start_day(20_001);
    let mut fresh = given([]);
    fresh.now = lived.now.clone();
    // The same decision, applied to a site with a past and to one without.
    let command = paihao_domain::Command {
        id: paihao_domain::CommandId([7; 16]),
        fingerprint: 0,
        actor: crate::fixture::customer("ben"),
        act: take("ben", "a"),
    };
    lived.when_command(command.clone()).then();
    fresh.when_command(command).then();
    assert_eq!(lived.site, fresh.site);
}
