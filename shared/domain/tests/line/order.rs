//! Who is next: classes, turns, the bound; and where those stand who come back.

use crate::fixture::{
    MINUTE_MS, SiteFixture, call, finish, given, given_with_rules, miss, open, return_ticket,
    rules, take, take_class,
};
use paihao_domain::{
    Act, CallPolicy, CounterId, CounterTicket, LetPassLimit, MISSED_LANE_CLASS, MissedPolicy,
    MissedRules, ORDINARY_CLASS, PositionChangeCause, QueueId, QueueRules, Rules, TicketId,
    TicketStatus,
};

fn rules_with(change: impl FnOnce(&mut QueueRules)) -> Rules {
    let mut rules = rules();
    change(rules.queues.get_mut(&QueueId::new("a")).unwrap());
    rules
}

/// Calls and finishes with everybody, first to last.
fn serve_all(hall: &mut SiteFixture) -> Vec<String> {
    let mut numbers = Vec::new();
    while let Ok((outcome, _)) = hall.when(call("1")).0 {
        let paihao_domain::Outcome::Called { number, .. } = outcome else { panic!() };
        numbers.push(number.to_string());
        hall.at_once(finish("1")).then();
    }
    numbers
}

#[test]
fn a_better_class_goes_first_and_within_one_who_came_first() {
    let classes = [ORDINARY_CLASS, 7, 0, ORDINARY_CLASS, 0];
    let acts = classes.map(|class| take_class("a", class));
    let mut hall =
        given_with_rules(rules_with(|a| a.max_passes = 100), [open("1")].into_iter().chain(acts));
    assert_eq!(hall.waiting("a"), ["A003", "A005", "A001", "A004", "A002"]);
    assert_eq!(serve_all(&mut hall), ["A003", "A005", "A001", "A004", "A002"]);
}

#[test]
fn whoever_was_passed_as_often_as_may_be_goes_first() {
    let first = [take_class("a", 7), take_class("a", 7)];
    let later = (0..8).map(|_| take_class("a", 0));
    let mut hall = given([open("1")].into_iter().chain(first).chain(later));
    // Four go before both; then both have been passed four times.
    let order = serve_all(&mut hall);
    assert_eq!(order[..6], ["A003", "A004", "A005", "A006", "A001", "A002"]);
}

#[test]
fn the_bound_holds_over_the_queues_of_a_counter() {
    let mut hall = given([open("2"), take_class("a", 7)]);
    (0..6).for_each(|_| drop(hall.when(take_class("b", 0)).then()));
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(hall.when(call("2")).then_called());
        hall.when(finish("2")).then();
    }
    assert_eq!(numbers, ["B001", "B002", "B003", "B004", "A001"]);
}

fn interleaved_rules(missed_lane: bool) -> Rules {
    rules_with(|a| a.policy = CallPolicy::Interleave { first: 2, second: 1, missed_lane })
}

#[test]
fn two_of_the_own_class_and_one_of_the_others_in_turn() {
    let acts =
        (0..6).map(|_| take_class("a", ORDINARY_CLASS)).chain((0..3).map(|_| take_class("a", 6)));
    let mut hall = given_with_rules(interleaved_rules(false), [open("1")].into_iter().chain(acts));
    let order = serve_all(&mut hall);
    assert_eq!(order, ["A001", "A002", "A007", "A003", "A004", "A008", "A005", "A006", "A009"]);
}

#[test]
fn as_many_of_each_once_the_others_are_more() {
    let acts =
        (0..2).map(|_| take_class("a", ORDINARY_CLASS)).chain((0..4).map(|_| take_class("a", 6)));
    let mut hall = given_with_rules(interleaved_rules(false), [open("1")].into_iter().chain(acts));
    assert_eq!(serve_all(&mut hall), ["A001", "A003", "A002", "A004", "A005", "A006"]);
}

#[test]
fn those_who_were_missed_have_a_lane_of_their_own() {
    let acts = (0..5).map(|_| take_class("a", ORDINARY_CLASS));
    let mut hall = given_with_rules(interleaved_rules(true), [open("1")].into_iter().chain(acts));
    hall.when(call("1")).then();
    hall.when(miss("1")).then();
    hall.when(return_ticket(1)).then();
    assert_eq!(hall.ticket(1).rank.class, MISSED_LANE_CLASS);
    assert_eq!(serve_all(&mut hall), ["A002", "A001", "A003", "A004", "A005"]);
}

/// Ann, missed once and back, in a line of five others.
fn after_one_return(policy: MissedPolicy) -> SiteFixture {
    let missed = MissedRules { policy, returns: 2, minutes: 30 };
    let people = ["ann", "ben", "cai", "dan", "eva", "fen"].map(|name| take(name, "a"));
    let mut hall =
        given_with_rules(rules_with(|a| a.missed = missed), [open("1")].into_iter().chain(people));
    hall.when(call("1")).then();
    hall.when(miss("1")).then();
    hall.when(return_ticket(1)).then();
    hall
}

#[test]
fn a_missed_one_comes_back_as_the_queue_has_it() {
    let after_k = MissedPolicy::AfterK { k: 3, grow: 0 };
    assert_eq!(
        after_one_return(after_k).waiting("a"),
        ["A002", "A003", "A004", "A001", "A005", "A006"]
    );
    assert_eq!(after_one_return(MissedPolicy::HoldMinutes).waiting("a")[0], "A001");
    assert_eq!(after_one_return(MissedPolicy::Tail).waiting("a")[5], "A001");
}

#[test]
fn places_back_grow_with_each_miss_and_then_the_number_ends() {
    let mut hall = after_one_return(MissedPolicy::AfterK { k: 1, grow: 2 });
    assert_eq!(hall.waiting("a")[1], "A001");
    let counter = CounterId::new("1");
    let again = Act::CallTicket { counter, ticket: TicketId(1), reason: Some("在".into()) };
    hall.when(again.clone()).then();
    hall.when(miss("1")).then();
    hall.when(return_ticket(1)).then();
    assert_eq!(hall.waiting("a")[3], "A001");
    hall.when(again).then();
    hall.when(miss("1")).then();
    assert_eq!(hall.state(1), TicketStatus::Closed, "two returns, and no third");
}

#[test]
fn the_cause_of_a_longer_wait_is_there_to_be_shown() {
    let hall = after_one_return(MissedPolicy::AfterK { k: 3, grow: 0 });
    let of = |ticket| hall.site.position_changes_of(hall.site.ticket(TicketId(ticket)).unwrap());
    let told = |ticket| {
        let moves = of(ticket).into_iter();
        moves.map(|m| (m.number.to_string(), m.cause, m.ahead_delta, m.own)).collect::<Vec<_>>()
    };
    let (waiting, back) = (hall.waiting("a"), ("A001".to_owned(), PositionChangeCause::Return));
    let place = waiting.iter().position(|number| number == "A001").unwrap();
    assert_eq!(place, 3);
    for (i, number) in waiting.iter().enumerate() {
        let ticket = number[1..].parse().unwrap();
        let expected = match i.cmp(&place) {
            std::cmp::Ordering::Less => vec![],
            std::cmp::Ordering::Equal => vec![(back.0.clone(), back.1, 0, true)],
            std::cmp::Ordering::Greater => vec![(back.0.clone(), back.1, 1, false)],
        };
        assert_eq!(told(ticket), expected, "{number}");
    }
}

#[test]
fn every_move_is_told_to_those_whom_it_touches() {
    let people = ["ann", "ben", "cai", "dan", "eve"].map(|name| take(name, "a"));
    let mut hall = given([open("1")].into_iter().chain(people));
    let told = |hall: &SiteFixture, ticket| {
        let ticket = hall.site.ticket(TicketId(ticket)).unwrap();
        let moves = hall.site.position_changes_of(ticket).into_iter();
        moves.map(|moved| (moved.cause, moved.ahead_delta)).collect::<Vec<_>>()
    };
    // Somebody before them lets others pass, and is back.
    hall.when(Act::LetPass { ticket: TicketId(2), until: LetPassLimit::OnRequest }).then();
    assert_eq!(told(&hall, 3), [(PositionChangeCause::Hold, -1)]);
    assert_eq!(told(&hall, 1), []);
    hall.when(Act::Resume(TicketId(2))).then();
    assert_eq!(told(&hall, 3), [(PositionChangeCause::Hold, -1), (PositionChangeCause::Resume, 1)]);
    // Somebody from behind goes before all, and one is called out of order.
    let reason = Some("老人".into());
    hall.when(Act::Prioritise { ticket: TicketId(5), class: 0, reason: "老人".into() }).then();
    let counter = CounterId::new("1");
    hall.when(Act::CallTicket { counter, ticket: TicketId(4), reason }).then();
    let since = [(PositionChangeCause::Priority, 1), (PositionChangeCause::OutOfOrder, 0)];
    assert_eq!(told(&hall, 1), since);
    assert_eq!(told(&hall, 3)[2..], since);
    // Who changes place themselves is told of that, and no more of what was before.
    hall.when(Act::Prioritise { ticket: TicketId(3), class: 1, reason: "孕妇".into() }).then();
    assert_eq!(told(&hall, 3), [(PositionChangeCause::Priority, 0)]);
    assert_eq!(told(&hall, 2)[2..], [since[0], since[1], (PositionChangeCause::Priority, 1)]);
}

#[test]
fn whoever_lets_others_pass_is_back_in_place_after_them() {
    let people = ["ann", "ben", "cai", "dan"].map(|name| take(name, "a"));
    let mut hall = given([open("1")].into_iter().chain(people));
    let until = LetPassLimit::Others(2);
    hall.when(Act::LetPass { ticket: TicketId(1), until }).then();
    assert_eq!(hall.when(call("1")).then_called(), "A002");
    assert_eq!(hall.state(1), TicketStatus::Held);
    hall.when(finish("1")).then();
    assert_eq!(hall.when(call("1")).then_called(), "A003");
    assert_eq!(
        (hall.state(1), hall.waiting("a")),
        (TicketStatus::Waiting, vec!["A001".into(), "A004".into()])
    );
}

#[test]
fn time_brings_the_held_back_calls_again_misses_and_ends() {
    let mut rules =
        rules_with(|a| (a.auto_recall, a.auto_miss, a.grace_seconds) = (true, true, 60));
    rules.counters.get_mut(&CounterId::new("1")).unwrap().auto_next = true;
    let mut hall = given_with_rules(rules, [open("1"), take("ann", "a")]);
    let until = LetPassLimit::Minutes(5);
    hall.when(Act::LetPass { ticket: TicketId(1), until }).then();
    assert_eq!(hall.run_due_commands(), [], "nobody waits, and nothing is due");
    hall.advance_ms(5 * MINUTE_MS);
    assert_eq!(hall.run_due_commands(), [Act::Resume(TicketId(1))]);
    assert_eq!(hall.run_due_commands(), [call("1")]);
    let served = CounterTicket { counter: CounterId::new("1"), number: Some("A001".into()) };
    hall.advance_ms(MINUTE_MS);
    assert_eq!(hall.run_due_commands(), [Act::Recall(served.clone())]);
    hall.advance_ms(MINUTE_MS);
    assert_eq!(hall.run_due_commands(), [Act::Miss(served)]);
    hall.advance_ms(30 * MINUTE_MS);
    assert_eq!(hall.run_due_commands(), [Act::Expire(TicketId(1))]);
    assert_eq!(hall.run_due_commands(), []);
    assert_eq!(paihao_domain::next_due_at(&hall.site, &hall.rules, &hall.now), None);
}

#[test]
fn a_transferred_one_keeps_number_and_arrival() {
    let mut hall = given([open("1"), take("ann", "a"), take("ben", "b"), call("1")]);
    let (ticket, queue) = (TicketId(1), QueueId::new("b"));
    hall.when(Act::Transfer { ticket, queue }).then();
    assert_eq!(hall.waiting("b"), ["A001", "B001"]);
    assert_eq!((hall.ticket(1).counts.hops, hall.at_counter("1")), (1, None));
}
