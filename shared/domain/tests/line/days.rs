//! Tests of the independence of business days.

use crate::fixture::{
    MINUTE_MS, call, given, given_with_rules, manager, miss, open, rules, start, take,
};
use paihao_domain::{
    Act, BusinessDay, COMMAND_RETENTION_MS, CloseReason, Command, CommandId, Counter, CounterId,
    Day, DecisionInput, Event, Interval, QueueId, Refusal, Rules, TicketState, Timestamp,
    VisitOutcome,
};
use std::collections::BTreeMap;
use std::sync::Arc;

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
        day: None,
    };
    // But for the commands of the last minutes, which may still be repeated.
    lived.advance_ms(COMMAND_RETENTION_MS);
    fresh.advance_ms(COMMAND_RETENTION_MS);
    lived.when_command(command.clone()).then();
    fresh.when_command(command).then();
    assert_eq!(lived.site, fresh.site);
}

/// Rules in which queue `a` is carried over the end of the day, and `b` is not.
fn carrying_rules() -> Rules {
    let mut rules = rules();
    rules.queues.get_mut(&QueueId::new("a")).unwrap().carry_over = true;
    rules
}

#[test]
fn a_command_that_is_repeated_after_the_turn_of_the_day_is_decided_once() {
    let acts = [open("1"), take("ann", "a"), take("ben", "a")];
    let mut fixture = given_with_rules(carrying_rules(), acts);
    let id = CommandId([7; 16]);
    let request =
        Command { id, fingerprint: 0, actor: manager(), act: call("1"), day: fixture.site.day() };
    let first = fixture.when_command(request.clone()).0.unwrap();
    fixture.start_day(20_001);
    // Before anything has opened the new day, and after something has.
    for _ in 0..2 {
        let (repeated, events) = fixture.when_command(request.clone()).0.unwrap();
        assert_eq!((repeated, events.len()), (first.0.clone(), 0));
        fixture.when(take(if events.is_empty() { "cai" } else { "dan" }, "a")).then();
    }
    assert_eq!(
        fixture.waiting("a").first().map(String::as_str),
        Some("A002"),
        "ben was not called"
    );
}

#[test]
fn who_was_missed_in_a_queue_that_is_carried_over_has_the_whole_time_to_return() {
    for carry_over in [true, false] {
        let mut rules = carrying_rules();
        rules.queues.get_mut(&QueueId::new("a")).unwrap().carry_over = carry_over;
        let mut fixture = given_with_rules(rules, [open("1"), take("ann", "a"), call("1")]);
        let minutes = i64::from(fixture.rules.queues[&QueueId::new("a")].missed.minutes);
        let turn = Timestamp(fixture.now.at.0 + 5 * MINUTE_MS);
        fixture.now = day_until(20_000, fixture.now.at, turn);
        fixture.when(miss("1")).then();
        let missed_at = fixture.now.at;
        fixture.now = DecisionInput::on_day(Day(20_001), turn.plus_ms(MINUTE_MS));
        fixture.run_due_commands();
        let Some(ticket) = fixture.site.tickets().next() else {
            assert!(!carry_over, "the ticket is gone");
            continue;
        };
        let until = missed_at.plus_ms(minutes * MINUTE_MS);
        assert_eq!(ticket.state, TicketState::Missed { at: missed_at, until: Some(until) });
        fixture.when(Act::Return(ticket.id)).then();
        assert_eq!(fixture.waiting("a"), ["A001"]);
    }
}

#[test]
fn counters_of_an_open_hall_stay_as_they_are_at_the_turn_of_the_day() {
    let acts = [open("1"), open("2"), open("3"), Act::BreakCounter(CounterId::new("2"))];
    let mut fixture = given_with_rules(carrying_rules(), acts);
    fixture.start_day(20_001);
    let before = fixture.site.clone();
    fixture.when(take("ann", "a")).then();
    for (id, stays) in [("1", true), ("2", true), ("3", false)] {
        let id = CounterId::new(id);
        let (was, is) = (before.counter(&id), fixture.site.counter(&id));
        let expected = if stays { was } else { Counter::default() };
        assert_eq!((is.state, is.login), (expected.state, expected.login), "{}", id.as_str());
    }

    // A hall whose hours are over is closed by the turn of the day.
    let mut closed = given_with_rules(carrying_rules(), [open("1"), take("ann", "a")]);
    let mut today = (*day_until(20_001, closed.now.at, Timestamp(i64::MAX)).today).clone();
    today.hours.insert(QueueId::new("a"), Vec::new());
    closed.now = DecisionInput::new(closed.now.at, Arc::new(today));
    closed.run_due_commands();
    assert_eq!(closed.site.counter(&CounterId::new("1")), Counter::default());
    assert_eq!(closed.waiting("a"), ["A001"], "the line is carried over all the same");
}

#[test]
fn who_is_being_served_at_the_end_of_the_day_has_been_served() {
    let acts = [open("1"), open("3"), take("ann", "a"), take("ben", "b"), call("1"), call("3")];
    let mut fixture = given(acts);
    fixture.when(start("1")).then();
    let begun = fixture.now.at;
    fixture.start_day(20_001);
    let events = fixture.when(take("cai", "a")).then_events();
    let ends: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::TicketFinished { ticket, visit: Some(visit), .. }
            | Event::TicketClosed { ticket, visit: Some(visit), .. } => Some((ticket.0, visit)),
            _ => None,
        })
        .collect();
    let [(1, ann), (2, ben)] = ends[..] else { panic!("{events:#?}") };
    assert_eq!((ann.end, ann.started_at), (VisitOutcome::Served, Some(begun)));
    assert_eq!(ben.end, VisitOutcome::Closed(CloseReason::DayClosed), "called, and never begun");
    let closed = events.iter().find(|event| matches!(event, Event::DayClosed { .. }));
    assert_eq!(closed, Some(&Event::DayClosed { day: Day(20_000), voided: 1, carried: 0 }));
}

/// Input at a time of a day that ends at `to`.
fn day_until(day: i32, at: Timestamp, to: Timestamp) -> DecisionInput {
    let interval = Interval { from: Timestamp(i64::MIN), to };
    DecisionInput::new(
        at,
        Arc::new(BusinessDay {
            day: Day(day),
            interval,
            hours: BTreeMap::new(),
            shifts: BTreeMap::new(),
        }),
    )
}
