//! Tests of sites under wrong clocks: how far the day goes on, and how a site that stands in a
//! future day is led back.

use crate::fixture::{
    MINUTE_MS, SiteFixture, call, customer, given, given_with_rules, manager, miss, open, rules,
    take,
};
use paihao_domain::{
    Act, CounterId, CounterTicket, Day, DecisionInput, Event, NotificationKind, Outcome, QueueId,
    Refusal, Role, Site, TicketId, TicketState, due_commands, next_due_at,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Day of the fixture.
const TODAY: i32 = 20_000;

/// Moves the clock by whole days, as one that is right or wrong.
fn move_clock(fixture: &mut SiteFixture, days: i32, confirmed: bool) {
    let at = fixture.now.at.plus_ms(i64::from(days) * DAY_MS);
    let day = Day(fixture.now.day().0 + days);
    fixture.now = DecisionInput::on_day(day, at).with_confirmation(confirmed);
}

/// Hall with people who wait, one who is called, and one who was missed.
fn hall() -> SiteFixture {
    let mut fixture = given([open("1"), open("2"), take("ann", "a"), take("ben", "a")]);
    for act in [take("cid", "b"), call("1"), miss("1"), call("1"), take("dan", "a")] {
        fixture.when(act).then();
    }
    fixture
}

/// Tickets that have not ended, by number.
fn live_numbers(site: &Site) -> BTreeSet<String> {
    let live = site.tickets().filter(|ticket| ticket.is_live());
    live.map(|ticket| ticket.number.to_string()).collect()
}

fn reset(force: bool) -> Act {
    Act::ResetDay { force }
}

proptest! {
    #[test]
    fn the_day_goes_on_by_one_at_most_unless_the_clock_is_confirmed(
        days in -400..400_i32,
        confirmed: bool,
        step in 0..4_usize,
    ) {
        let mut fixture = hall();
        let before = fixture.site.clone();
        move_clock(&mut fixture, days, confirmed);
        let goes_on = days > 0 && (days == 1 || confirmed);
        let due = due_commands(&fixture.site, &fixture.rules, &fixture.now);
        if days > 1 && !confirmed {
            prop_assert!(due.is_empty());
            prop_assert!(next_due_at(&fixture.site, &fixture.rules, &fixture.now).is_none());
        }
        let act = [take("eve", "a"), open("3"), Act::CloseDay, call("2")][step].clone();
        let result = fixture.at_once(act);
        if days > 1 && !confirmed {
            prop_assert_eq!(result.then_refused(), Refusal::DayUnconfirmed);
            prop_assert_eq!(&fixture.site, &before);
        }
        let day = fixture.site.day().unwrap().0;
        prop_assert!(day == TODAY || (goes_on && day == TODAY + days), "{day}");
    }

    /// A wrong clock leads the site into the future; people come, and somebody leads it back.
    #[test]
    fn a_reset_keeps_every_ticket_and_no_notice_has_the_key_of_an_earlier_one(
        days in 1..6_i32,
        carries: bool,
        then in 0..8_i32,
    ) {
        let mut all_rules = rules();
        all_rules.queues.get_mut(&QueueId::new("a")).unwrap().carry_over = carries;
        let acts = [open("1"), take("ann", "a"), take("ben", "a"), take("cid", "b"), call("1")];
        let mut fixture = given_with_rules(all_rules, acts);
        let mut keys = NoticeKeys::default();
        // Some of the acts are refused, as where a counter is busy still.
        let mut run = |fixture: &mut SiteFixture, acts: &[Act]| {
            acts.iter().try_for_each(|act| match fixture.when(act.clone()).0 {
                Ok((_, events)) => keys.add(events),
                Err(_) => Ok(()),
            })
        };
        run(&mut fixture, &[take("dan", "a")])?;
        move_clock(&mut fixture, days, true);
        run(&mut fixture, &[open("1"), take("eve", "a"), take("fay", "a"), call("1"), take("gil", "b")])?;
        let wrong = fixture.site.clone();
        prop_assert_eq!(wrong.day(), Some(Day(TODAY + days)));

        move_clock(&mut fixture, -days, true);
        prop_assert_eq!(
            fixture.when_as(customer("ann"), reset(false)).then_refused(),
            Refusal::NotAllowed(Role::Customer)
        );
        let events = fixture.when(reset(false)).then_events();
        prop_assert_eq!(events, [Event::DayReset { from: Day(TODAY + days), day: Day(TODAY) }]);
        prop_assert_eq!(fixture.site.day(), Some(Day(TODAY)));
        prop_assert_eq!(live_numbers(&fixture.site), live_numbers(&wrong));
        // Once is enough.
        for force in [false, true] {
            prop_assert_eq!(fixture.when(reset(force)).then_refused(), Refusal::NotDue);
        }
        // Nobody waits for days: the deadlines are those of a call of a moment ago.
        for ticket in fixture.site.tickets() {
            if let TicketState::Called { deadline, .. } = *ticket.state {
                prop_assert!(deadline.since_ms(fixture.now.at) < 60 * MINUTE_MS);
            }
        }
        run(&mut fixture, &[take("hal", "a"), miss("1"), call("1")])?;
        // The days that were used up come, and go.
        for _ in 0..then {
            move_clock(&mut fixture, 1, true);
            let again = [open("1"), take("ida", "a"), take("joe", "a"), call("1"), take("kim", "b")];
            run(&mut fixture, &again)?;
        }
        let begins_again = fixture.site.tickets().any(|ticket| ticket.id == TicketId(1));
        prop_assert!(then <= days || carries || begins_again);
        prop_assert_eq!(Site::from_parts(fixture.site.to_parts()), fixture.site);
    }
}

/// Keys of the notices so far.
#[derive(Default)]
struct NoticeKeys(BTreeSet<(Day, TicketId, &'static str, u32)>);

impl NoticeKeys {
    fn add(&mut self, events: Vec<Event>) -> Result<(), TestCaseError> {
        for event in events {
            let Event::NotificationTriggered(trigger) = event else { continue };
            let kind = trigger.kind.name();
            let key = (trigger.day, trigger.ticket, kind, trigger.occurrence);
            prop_assert!(self.0.insert(key), "{key:?} was sent before");
        }
        Ok(())
    }
}

#[test]
fn a_site_that_stands_right_is_not_reset() {
    let mut fixture = hall();
    let before = fixture.site.clone();
    for force in [false, true] {
        assert_eq!(fixture.at_once(reset(force)).then_refused(), Refusal::NotDue);
    }
    move_clock(&mut fixture, 1, true);
    assert_eq!(fixture.at_once(reset(false)).then_refused(), Refusal::NotDue);
    assert_eq!(fixture.site, before);
}

#[test]
fn a_word_of_a_manager_ends_a_day_that_no_clock_confirms() {
    for days in [2, 14] {
        let mut fixture = hall();
        move_clock(&mut fixture, days, false);
        assert_eq!(fixture.at_once(reset(false)).then_refused(), Refusal::DayUnconfirmed);
        let (outcome, events) = fixture.at_once(reset(true)).0.unwrap();
        assert_eq!(outcome, Outcome::DayOpened(Day(TODAY + days)));
        assert!(events.iter().any(Event::opens_day));
        assert_eq!(fixture.site.day(), Some(Day(TODAY + days)));
    }
}

#[test]
fn a_clock_that_nothing_confirms_leads_no_site_back() {
    let mut fixture = hall();
    move_clock(&mut fixture, -3, false);
    assert_eq!(fixture.at_once(reset(false)).then_refused(), Refusal::DayUnconfirmed);
    fixture.at_once_as(manager(), reset(true)).then();
    assert_eq!(fixture.site.day(), Some(Day(TODAY - 3)));
}

#[test]
fn nobody_waits_for_a_time_that_a_wrong_clock_wrote() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), take("cid", "a")]);
    let right = fixture.now.clone();
    fixture.now.at = right.at.plus_ms(5 * 60 * MINUTE_MS);
    fixture.when(call("1")).then();
    fixture.now = right;
    // A recall is allowed some seconds after the call, and a call leads to notices for others.
    let served = CounterTicket { counter: CounterId::new("1"), number: None };
    fixture.when(Act::Recall(served)).then();
    fixture.when(miss("1")).then();
    let events = fixture.when(call("1")).then_events();
    let called = |event: &Event| {
        matches!(event, Event::NotificationTriggered(trigger)
        if matches!(trigger.kind, NotificationKind::Called { .. }))
    };
    assert!(events.iter().any(called));
}
