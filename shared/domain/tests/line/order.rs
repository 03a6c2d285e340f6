//! Tests of the order of calls: classes, interleaving, the bound on passing, and places on return.

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

/// Calls and finishes all tickets, and returns their numbers in order.
fn serve_all(fixture: &mut SiteFixture) -> Vec<String> {
    let mut numbers = Vec::new();
    while let Ok((outcome, _)) = fixture.when(call("1")).0 {
        let paihao_domain::Outcome::Called { number, .. } = outcome else { panic!() };
        numbers.push(number.to_string());
        fixture.at_once(finish("1")).then();
    }
    numbers
}

#[test]
fn a_better_class_goes_first_and_within_one_who_came_first() {
    let classes = [ORDINARY_CLASS, 7, 0, ORDINARY_CLASS, 0];
    let acts = classes.map(|class| take_class("a", class));
    let mut fixture =
        given_with_rules(rules_with(|a| a.max_passes = 100), [open("1")].into_iter().chain(acts));
    assert_eq!(fixture.waiting("a"), ["A003", "A005", "A001", "A004", "A002"]);
    assert_eq!(serve_all(&mut fixture), ["A003", "A005", "A001", "A004", "A002"]);
}

#[test]
fn a_ticket_passed_as_often_as_allowed_goes_first() {
    let first = [take_class("a", 7), take_class("a", 7)];
    let later = (0..8).map(|_| take_class("a", 0));
    let mut fixture = given([open("1")].into_iter().chain(first).chain(later));
    // Four go before both; then both have been passed four times.
    let order = serve_all(&mut fixture);
    assert_eq!(order[..6], ["A003", "A004", "A005", "A006", "A001", "A002"]);
}

#[test]
fn the_bound_holds_over_the_queues_of_a_counter() {
    let mut fixture = given([open("2"), take_class("a", 7)]);
    (0..6).for_each(|_| drop(fixture.when(take_class("b", 0)).then()));
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(fixture.when(call("2")).then_called());
        fixture.when(finish("2")).then();
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
    let mut fixture =
        given_with_rules(interleaved_rules(false), [open("1")].into_iter().chain(acts));
    let order = serve_all(&mut fixture);
    assert_eq!(order, ["A001", "A002", "A007", "A003", "A004", "A008", "A005", "A006", "A009"]);
}

#[test]
fn as_many_of_each_once_the_others_are_more() {
    let acts =
        (0..2).map(|_| take_class("a", ORDINARY_CLASS)).chain((0..4).map(|_| take_class("a", 6)));
    let mut fixture =
        given_with_rules(interleaved_rules(false), [open("1")].into_iter().chain(acts));
    assert_eq!(serve_all(&mut fixture), ["A001", "A003", "A002", "A004", "A005", "A006"]);
}

#[test]
fn returns_after_a_miss_have_a_lane_of_their_own() {
    let acts = (0..5).map(|_| take_class("a", ORDINARY_CLASS));
    let mut fixture =
        given_with_rules(interleaved_rules(true), [open("1")].into_iter().chain(acts));
    fixture.when(call("1")).then();
    fixture.when(miss("1")).then();
    fixture.when(return_ticket(1)).then();
    assert_eq!(fixture.ticket(1).rank.class, MISSED_LANE_CLASS);
    assert_eq!(serve_all(&mut fixture), ["A002", "A001", "A003", "A004", "A005"]);
}

/// Site in which Ann was missed once and returned, in a line of five others.
fn after_one_return(policy: MissedPolicy) -> SiteFixture {
    let missed = MissedRules { policy, returns: 2, minutes: 30 };
    let people = ["ann", "ben", "cai", "dan", "eva", "fen"].map(|name| take(name, "a"));
    let mut fixture =
        given_with_rules(rules_with(|a| a.missed = missed), [open("1")].into_iter().chain(people));
    fixture.when(call("1")).then();
    fixture.when(miss("1")).then();
    fixture.when(return_ticket(1)).then();
    fixture
}

#[test]
fn a_missed_ticket_returns_by_the_rule_of_its_queue() {
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
    let mut fixture = after_one_return(MissedPolicy::AfterK { k: 1, grow: 2 });
    assert_eq!(fixture.waiting("a")[1], "A001");
    let counter = CounterId::new("1");
    let call_first = Act::CallTicket { counter, ticket: TicketId(1), reason: Some("在".into()) };
    fixture.when(call_first.clone()).then();
    fixture.when(miss("1")).then();
    fixture.when(return_ticket(1)).then();
    assert_eq!(fixture.waiting("a")[3], "A001");
    fixture.when(call_first).then();
    fixture.when(miss("1")).then();
    assert_eq!(fixture.state(1), TicketStatus::Closed, "two returns, and no third");
}

#[test]
fn the_cause_of_a_longer_wait_can_be_shown() {
    let fixture = after_one_return(MissedPolicy::AfterK { k: 3, grow: 0 });
    let changes_of =
        |ticket| fixture.site.position_changes_of(fixture.site.ticket(TicketId(ticket)).unwrap());
    let changes_of = |ticket| {
        let changes = changes_of(ticket).into_iter();
        changes.map(|m| (m.number.to_string(), m.cause, m.ahead_delta, m.own)).collect::<Vec<_>>()
    };
    let waiting = fixture.waiting("a");
    let back = ("A001".to_owned(), PositionChangeCause::Return);
    let position = waiting.iter().position(|number| number == "A001").unwrap();
    assert_eq!(position, 3);
    for (i, number) in waiting.iter().enumerate() {
        let ticket = number[1..].parse().unwrap();
        let expected = match i.cmp(&position) {
            std::cmp::Ordering::Less => vec![],
            std::cmp::Ordering::Equal => vec![(back.0.clone(), back.1, 0, true)],
            std::cmp::Ordering::Greater => vec![(back.0.clone(), back.1, 1, false)],
        };
        assert_eq!(changes_of(ticket), expected, "{number}");
    }
}

#[test]
fn every_position_change_is_shown_to_the_tickets_it_affects() {
    let people = ["ann", "ben", "cai", "dan", "eve"].map(|name| take(name, "a"));
    let mut fixture = given([open("1")].into_iter().chain(people));
    let changes_of = |fixture: &SiteFixture, ticket| {
        let ticket = fixture.site.ticket(TicketId(ticket)).unwrap();
        let changes = fixture.site.position_changes_of(ticket).into_iter();
        changes.map(|change| (change.cause, change.ahead_delta)).collect::<Vec<_>>()
    };
    // A ticket ahead lets others pass, and returns.
    fixture.when(Act::LetPass { ticket: TicketId(2), until: LetPassLimit::OnRequest }).then();
    assert_eq!(changes_of(&fixture, 3), [(PositionChangeCause::Hold, -1)]);
    assert_eq!(changes_of(&fixture, 1), []);
    fixture.when(Act::Resume(TicketId(2))).then();
    assert_eq!(
        changes_of(&fixture, 3),
        [(PositionChangeCause::Hold, -1), (PositionChangeCause::Resume, 1)]
    );
    // A ticket from behind goes before all, and one is called out of order.
    let reason = Some("老人".into());
    fixture.when(Act::Prioritise { ticket: TicketId(5), class: 0, reason: "老人".into() }).then();
    let counter = CounterId::new("1");
    fixture.when(Act::CallTicket { counter, ticket: TicketId(4), reason }).then();
    let since = [(PositionChangeCause::Priority, 1), (PositionChangeCause::OutOfOrder, 0)];
    assert_eq!(changes_of(&fixture, 1), since);
    assert_eq!(changes_of(&fixture, 3)[2..], since);
    // A ticket that changes its own place keeps that change alone.
    fixture.when(Act::Prioritise { ticket: TicketId(3), class: 1, reason: "孕妇".into() }).then();
    assert_eq!(changes_of(&fixture, 3), [(PositionChangeCause::Priority, 0)]);
    assert_eq!(
        changes_of(&fixture, 2)[2..],
        [since[0], since[1], (PositionChangeCause::Priority, 1)]
    );
}

#[test]
fn a_ticket_that_lets_others_pass_returns_to_its_place_after_them() {
    let people = ["ann", "ben", "cai", "dan"].map(|name| take(name, "a"));
    let mut fixture = given([open("1")].into_iter().chain(people));
    let until = LetPassLimit::Others(2);
    fixture.when(Act::LetPass { ticket: TicketId(1), until }).then();
    assert_eq!(fixture.when(call("1")).then_called(), "A002");
    assert_eq!(fixture.state(1), TicketStatus::Held);
    fixture.when(finish("1")).then();
    assert_eq!(fixture.when(call("1")).then_called(), "A003");
    assert_eq!(
        (fixture.state(1), fixture.waiting("a")),
        (TicketStatus::Waiting, vec!["A001".into(), "A004".into()])
    );
}

#[test]
fn time_alone_resumes_recalls_misses_and_expires() {
    let mut rules =
        rules_with(|a| (a.auto_recall, a.auto_miss, a.grace_seconds) = (true, true, 60));
    rules.counters.get_mut(&CounterId::new("1")).unwrap().auto_next = true;
    let mut fixture = given_with_rules(rules, [open("1"), take("ann", "a")]);
    let until = LetPassLimit::Minutes(5);
    fixture.when(Act::LetPass { ticket: TicketId(1), until }).then();
    assert_eq!(fixture.run_due_commands(), [], "nobody waits, and nothing is due");
    fixture.advance_ms(5 * MINUTE_MS);
    assert_eq!(fixture.run_due_commands(), [Act::Resume(TicketId(1))]);
    assert_eq!(fixture.run_due_commands(), [call("1")]);
    let served = CounterTicket { counter: CounterId::new("1"), number: Some("A001".into()) };
    fixture.advance_ms(MINUTE_MS);
    assert_eq!(fixture.run_due_commands(), [Act::Recall(served.clone())]);
    fixture.advance_ms(MINUTE_MS);
    assert_eq!(fixture.run_due_commands(), [Act::Miss(served)]);
    fixture.advance_ms(30 * MINUTE_MS);
    assert_eq!(fixture.run_due_commands(), [Act::Expire(TicketId(1))]);
    assert_eq!(fixture.run_due_commands(), []);
    assert_eq!(paihao_domain::next_due_at(&fixture.site, &fixture.rules, &fixture.now), None);
}

#[test]
fn a_transferred_ticket_keeps_number_and_arrival() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "b"), call("1")]);
    let ticket = TicketId(1);
    let queue = QueueId::new("b");
    fixture.when(Act::Transfer { ticket, queue }).then();
    assert_eq!(fixture.waiting("b"), ["A001", "B001"]);
    assert_eq!((fixture.ticket(1).counts.transfers, fixture.at_counter("1")), (1, None));
}
