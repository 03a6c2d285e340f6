//! Tests of the limits of a day's numbers: for a queue, and for each person.

use crate::fixture::{
    SiteFixture, call, finish, given_with_rules, manager, miss, open, rules, take,
};
use crate::random_steps::{all_rules, run_steps, steps};
use paihao_domain::{
    Act, Actor, ActorRef, CloseReason, Decision, Event, Mark, Person, QueueId, Refusal, Rules,
    Site, TicketId, TicketState,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn limited(daily_cap: Option<u32>, daily_per_person: Option<u32>) -> Rules {
    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    (a.daily_cap, a.daily_per_person) = (daily_cap, daily_per_person);
    rules
}

fn leave(ticket: u32) -> Act {
    Act::Leave { ticket: TicketId(ticket), reason: None }
}

fn refused(fixture: &mut SiteFixture, act: Act) -> Refusal {
    fixture.when(act).then_refused()
}

#[test]
fn one_phone_that_takes_and_leaves_uses_up_neither_the_day_nor_others() {
    let mut fixture = given_with_rules(limited(Some(3), Some(2)), []);
    for taken in 1..=2 {
        fixture.when(take("ann", "a")).then_holding();
        fixture.when(leave(taken)).then();
    }
    let queue = QueueId::new("a");
    assert_eq!(refused(&mut fixture, take("ann", "a")), Refusal::PersonLimit(queue.clone()));
    assert_eq!(fixture.when(take("ann", "b")).then_holding().0, "B001", "another queue");
    for (person, number) in [("ben", "A003"), ("cai", "A004"), ("dan", "A005")] {
        assert_eq!(fixture.when(take(person, "a")).then_holding().0, number);
    }
    assert_eq!(refused(&mut fixture, take("eva", "a")), Refusal::QueueFull(queue));
}

#[test]
fn whoever_was_called_counts_also_if_they_leave_then() {
    let steps = [open("1"), take("ann", "a"), call("1"), miss("1"), leave(1)];
    let mut fixture = given_with_rules(limited(Some(1), None), steps);
    let full = Refusal::QueueFull(QueueId::new("a"));
    assert_eq!(refused(&mut fixture, take("ben", "a")), full);
    let served = [open("1"), take("ann", "a"), call("1"), finish("1")];
    let mut fixture = given_with_rules(limited(Some(1), None), served);
    assert_eq!(refused(&mut fixture, take("ben", "a")), full);
}

#[test]
fn a_number_that_is_shown_again_is_no_further_one() {
    let mut fixture = given_with_rules(limited(None, Some(1)), [take("ann", "a")]);
    for _ in 0..5 {
        assert_eq!(fixture.when(take("ann", "a")).then_holding().0, "A001");
    }
}

#[test]
fn staff_give_a_number_to_whom_the_bound_refuses_one() {
    let mut fixture = given_with_rules(limited(None, Some(1)), [take("ann", "a"), leave(1)]);
    let limit = Refusal::PersonLimit(QueueId::new("a"));
    assert_eq!(refused(&mut fixture, take("ann", "a")), limit);
    assert_eq!(fixture.when_as(manager(), take("ann", "a")).then_holding().0, "A002");
    fixture.when(leave(2)).then();
    assert_eq!(refused(&mut fixture, take("ann", "a")), limit);
}

fn lift(ticket: u32) -> Act {
    Act::Mark { ticket: TicketId(ticket), mark: Mark::LimitLifted }
}

#[test]
fn staff_lift_the_bound_for_one_person_one_queue_and_the_day() {
    let mut rules = limited(None, Some(1));
    rules.queues.get_mut(&QueueId::new("b")).unwrap().daily_per_person = Some(1);
    let given = [take("ann", "a"), leave(1), take("ben", "a"), leave(2)];
    let mut fixture = given_with_rules(rules, given);
    let limit = Refusal::PersonLimit(QueueId::new("a"));
    assert_eq!(refused(&mut fixture, take("ann", "a")), limit);
    fixture.when_as(manager(), lift(1)).then();
    for taken in 3..=5 {
        assert_eq!(fixture.when(take("ann", "a")).then_holding().0, format!("A{taken:03}"));
        fixture.when(leave(taken)).then();
    }
    assert_eq!(refused(&mut fixture, take("ben", "a")), limit, "for one person");
    fixture.when(take("ann", "b")).then_holding();
    fixture.when(leave(6)).then();
    let of_b = Refusal::PersonLimit(QueueId::new("b"));
    assert_eq!(refused(&mut fixture, take("ann", "b")), of_b, "and for one queue");
    fixture.start_day(20_001);
    fixture.when(take("ann", "a")).then_holding();
    fixture.when(leave(1)).then();
    assert_eq!(refused(&mut fixture, take("ann", "a")), limit, "until the day ends");
}

#[test]
fn a_bound_is_lifted_where_it_is_reached_and_once() {
    let mut fixture = given_with_rules(limited(None, Some(2)), [take("ann", "a"), leave(1)]);
    let is_refused = |fixture: &mut SiteFixture, ticket: u32| {
        let refusal = fixture.when_as(manager(), lift(ticket)).then_refused();
        matches!(refusal, Refusal::WrongState { .. })
    };
    assert!(is_refused(&mut fixture, 1), "they may take another one");
    fixture.when(take("ann", "a")).then_holding();
    fixture.when_as(manager(), lift(2)).then();
    assert!(is_refused(&mut fixture, 1) && is_refused(&mut fixture, 2), "it is lifted");
    // An end that is taken back does not bring the bound back.
    fixture.when(leave_by_staff(2)).then();
    fixture.when(Act::Undo(TicketId(2))).then();
    fixture.when(leave(2)).then();
    assert_eq!(fixture.when(take("ann", "a")).then_holding().0, "A003");
    // Nobody is left for whom it is lifted.
    fixture.when(Act::Forget { person: Person::new("ann") }).then();
    assert!(is_refused(&mut fixture, 1));
}

#[test]
fn a_bound_that_is_lifted_by_an_ended_ticket_stays_lifted_when_its_end_is_taken_back() {
    let given = [take("ann", "a"), leave_by_staff(1)];
    let mut fixture = given_with_rules(limited(None, Some(1)), given);
    fixture.when_as(manager(), lift(1)).then();
    fixture.when_as(manager(), Act::Undo(TicketId(1))).then();
    fixture.when(leave(1)).then();
    assert_eq!(fixture.when(take("ann", "a")).then_holding().0, "A002");
}

#[test]
fn the_bound_begins_anew_with_the_day_and_a_carried_number_is_none_of_it() {
    let mut rules = limited(Some(1), Some(1));
    rules.queues.get_mut(&QueueId::new("a")).unwrap().carry_over = true;
    let mut fixture = given_with_rules(rules, [take("ann", "a"), leave(1), take("ben", "a")]);
    fixture.start_day(20_001);
    // Ben's number of yesterday neither counts nor, given up, makes room for one more.
    assert_eq!(fixture.when(take("ann", "a")).then_holding().1, 1);
    fixture.when(leave(2)).then();
    assert_eq!(refused(&mut fixture, take("cai", "a")), Refusal::QueueFull(QueueId::new("a")));
}

#[test]
fn an_end_that_staff_take_back_counts_again() {
    let given = [take("ann", "a"), leave_by_staff(1)];
    let mut fixture = given_with_rules(limited(Some(1), None), given);
    fixture.when(Act::Undo(TicketId(1))).then();
    assert_eq!(refused(&mut fixture, take("ben", "a")), Refusal::QueueFull(QueueId::new("a")));
}

fn leave_by_staff(ticket: u32) -> Act {
    Act::Leave { ticket: TicketId(ticket), reason: Some("走了".into()) }
}

/// Numbers of today, counted from the tickets alone: of each person and prefix, and those of each
/// prefix that were not given up before a call.
fn count_tickets(
    site: &Site,
    carried: &BTreeSet<TicketId>,
) -> (BTreeMap<(Person, String), u32>, BTreeMap<String, u32>) {
    let (mut by_person, mut counted) = (BTreeMap::new(), BTreeMap::new());
    for ticket in site.tickets().filter(|ticket| !carried.contains(&ticket.id)) {
        let prefix = ticket.number.prefix.to_string();
        if let Some(person) = &ticket.person {
            *by_person.entry((person.clone(), prefix.clone())).or_default() += 1;
        }
        let by_hand = [CloseReason::ByCustomer, CloseReason::ByStaff];
        let given_up = matches!(&*ticket.state, TicketState::Closed { reason, .. } if by_hand.contains(reason));
        *counted.entry(prefix).or_default() += u32::from(!given_up || ticket.counts.calls > 0);
    }
    (by_person, counted)
}

fn limits() -> Rules {
    let mut rules = all_rules();
    for queue in rules.queues.values_mut() {
        (queue.daily_cap, queue.daily_per_person) = (Some(12), Some(2));
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_tallies_are_the_tickets_and_no_act_of_a_customer_passes_a_limit(steps in steps()) {
        let rules = limits();
        let mut carried = BTreeSet::new();
        run_steps(&rules, &steps, |_, after, decision: &Decision| {
            for event in &decision.events {
                match event {
                    Event::DayOpened { .. } => carried.clear(),
                    Event::TicketCarried { ticket } => drop(carried.insert(ticket.id)),
                    _ => {}
                }
            }
            let (by_person, counted) = count_tickets(after, &carried);
            for (queue, queue_rules) in &rules.queues {
                let prefix = queue_rules.prefix.to_string();
                let expected = counted.get(&prefix).copied().unwrap_or(0);
                assert_eq!(after.counted_today(&rules, queue), expected, "{queue:?}");
                for person in (0..crate::random_steps::PEOPLE).map(crate::random_steps::person_id) {
                    let key = (person.clone(), prefix.clone());
                    let expected = by_person.get(&key).copied().unwrap_or(0);
                    assert_eq!(after.taken_by(&rules, queue, &person), expected);
                }
            }
            for event in &decision.events {
                let Event::TicketTaken { queue, person, .. } = event else { continue };
                assert!(after.counted_today(&rules, queue) <= 12);
                let by_customer = matches!(decision.by, Some(ActorRef::Customer));
                if let Some(person) = person.as_ref().filter(|_| by_customer) {
                    let is_lifted = after.is_limit_lifted(&rules, queue, person);
                    assert!(after.taken_by(&rules, queue, person) <= 2 || is_lifted);
                }
            }
        });
    }
}

#[test]
fn the_usual_rules_bind_nobody_and_the_actor_is_who_counts() {
    let mut fixture = given_with_rules(rules(), []);
    for taken in 1..=20 {
        fixture.when_as(Actor::Customer(Person::new("ann")), take("ann", "a")).then_holding();
        fixture.when(leave(taken)).then();
    }
}
