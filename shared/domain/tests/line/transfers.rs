//! Tests of transfers of somebody who waits: the wrong queue was chosen.

use crate::fixture::{
    SiteFixture, call, finish, given, given_with_rules, manager, miss, open, return_ticket, rules,
    staff, take, take_class,
};
use paihao_domain::{
    Act, Actor, CallPolicy, CounterId, Placement, QueueId, QueueRules, Refusal, Rules, TicketId,
    TicketStatus,
};

const PLACEMENTS: [Placement; 3] = [Placement::Front, Placement::Arrival, Placement::Tail];

fn to(ticket: u32, queue: &str) -> Act {
    Act::Transfer { ticket: TicketId(ticket), queue: QueueId::new(queue) }
}

fn rules_with(change: impl FnOnce(&mut QueueRules)) -> Rules {
    let mut rules = rules();
    change(rules.queues.get_mut(&QueueId::new("b")).unwrap());
    rules
}

#[test]
fn whoever_waits_in_the_wrong_queue_goes_to_another_one_uncalled_as_early_as_they_came() {
    for placement in PLACEMENTS {
        let line = [take("ann", "b"), take("ben", "a"), take("cai", "b")];
        let mut fixture = given_with_rules(rules_with(|b| b.transfer = placement), line);
        let events = fixture.when(to(2, "b")).then_events();
        assert!(!events.is_empty());
        let expected = match placement {
            Placement::Tail => ["B001", "B002", "A001"],
            // Nobody who came before is passed, whatever the queue does for those who were served.
            Placement::Front | Placement::Arrival => ["B001", "A001", "B002"],
        };
        assert_eq!(fixture.waiting("b"), expected, "{placement:?}");
        let ticket = fixture.ticket(2);
        assert_eq!((ticket.counts.calls, ticket.counts.transfers), (0, 1));
        assert_eq!(ticket.status(), TicketStatus::Waiting);
        assert_eq!(fixture.waiting("a"), Vec::<String>::new());
    }
}

#[test]
fn a_place_that_was_lost_by_a_miss_is_not_won_back_by_a_transfer() {
    let mut fixture = given([
        open("1"),
        take("ann", "a"),
        take("ben", "b"),
        take("cai", "a"),
        take("dan", "a"),
        take("eve", "a"),
        take("fay", "a"),
        take("gus", "b"),
        call("1"),
        miss("1"),
        return_ticket(1),
    ]);
    assert_eq!(fixture.waiting("a"), ["A002", "A003", "A004", "A001", "A005"]);
    fixture.when(to(1, "b")).then();
    // Behind Ben, who came before those whom Ann let go first.
    assert_eq!(fixture.waiting("b"), ["B001", "A001", "B002"]);
}

#[test]
fn a_class_that_was_given_is_kept_and_that_of_the_queue_becomes_the_new_ones() {
    for (class, expected) in [(5, 3), (2, 2), (7, 7)] {
        let rules = rules_with(|b| b.class = 3);
        let mut fixture = given_with_rules(rules, [take("ann", "b"), take_class("a", class)]);
        fixture.when(to(2, "b")).then();
        assert_eq!(fixture.ticket(2).rank.class, expected);
    }
}

#[test]
fn a_lane_of_its_own_for_returns_ends_where_the_other_queue_has_none() {
    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    a.policy = CallPolicy::Interleave { first: 2, second: 1, missed_lane: true };
    let acts =
        [open("1"), take("ann", "a"), take("ben", "a"), call("1"), miss("1"), return_ticket(1)];
    let mut fixture = given_with_rules(rules, acts);
    assert_eq!(fixture.ticket(1).rank.class, 9);
    fixture.when(to(1, "b")).then();
    assert_eq!(fixture.ticket(1).rank.class, 5);
}

#[test]
fn nobody_is_transferred_to_where_they_wait() {
    let mut fixture = given([take("ann", "a")]);
    assert!(matches!(fixture.when(to(1, "a")).then_refused(), Refusal::WrongState { .. }));
}

/// Site with Ann's ticket at an end, of which the queue is gone by now.
fn ended_in_removed_queue(end: &str, by: &Actor) -> SiteFixture {
    let mut fixture = given([]);
    fixture.when_as(by.clone(), open("1")).then();
    fixture.when(take("ann", "a")).then();
    let leave = Act::Leave { ticket: TicketId(1), reason: Some("走了".into()) };
    let acts = match end {
        "done" => vec![call("1"), finish("1")],
        "missed" => vec![call("1"), miss("1")],
        "closed at the counter" => vec![call("1"), leave],
        _ => vec![leave],
    };
    acts.into_iter().for_each(|act| drop(fixture.at_once_as(by.clone(), act).then()));
    let queue = QueueId::new("a");
    fixture.rules.queues.remove(&queue);
    fixture.rules.counters.get_mut(&CounterId::new("1")).unwrap().queues.clear();
    fixture
}

#[test]
fn nothing_is_taken_back_into_a_queue_that_is_no_longer_there() {
    for end in ["done", "missed", "closed", "closed at the counter"] {
        for by in [manager(), staff("desk", &["1"])] {
            let mut fixture = ended_in_removed_queue(end, &by);
            let ticket = fixture.ticket(1);
            let option = fixture.site.undo_option(&fixture.rules, &by, ticket, &fixture.now);
            assert_eq!(option, None, "{end}");
            let refusal = fixture.at_once_as(by, Act::Undo(TicketId(1))).then_refused();
            assert_eq!(refusal, Refusal::UnknownQueue(QueueId::new("a")), "{end}");
        }
    }
}
