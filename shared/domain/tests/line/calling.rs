//! Tests of calls and of the tickets called.

use crate::fixture::{SiteFixture, call, finish, given, miss, open, served, take};
use paihao_domain::{
    Act, CounterId, CounterTicket, Event, NotificationKind, QueueId, Refusal, TicketId, TicketState,
};

#[test]
fn first_come_first_served() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a")]);
    assert_eq!(fixture.when(call("1")).then_called(), "A001");
    fixture.when(finish("1")).then();
    assert_eq!(fixture.when(call("1")).then_called(), "A002");
}

#[test]
fn a_counter_of_several_queues_calls_the_earliest_arrival() {
    let mut fixture = given([open("2"), take("ann", "b"), take("ben", "a"), take("cai", "b")]);
    for number in ["B001", "A001", "B002"] {
        assert_eq!(fixture.when(call("2")).then_called(), number);
        fixture.when(finish("2")).then();
    }
}

#[test]
fn a_counter_calls_only_from_its_queues() {
    let mut fixture = given([open("3"), take("ann", "a")]);
    assert_eq!(fixture.when(call("3")).then_refused(), Refusal::NobodyWaiting(CounterId::new("3")));
}

#[test]
fn two_counters_never_call_the_same_person() {
    let mut fixture = given([open("1"), open("2"), take("ann", "a"), take("ben", "a")]);
    assert_eq!(fixture.when(call("1")).then_called(), "A001");
    assert_eq!(fixture.when(call("2")).then_called(), "A002");
    assert_eq!(fixture.waiting("a"), Vec::<String>::new());
}

#[test]
fn a_busy_counter_calls_no_other_ticket() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), call("1")]);
    let refused = fixture.when(call("1")).then_refused();
    assert!(matches!(refused, Refusal::CounterBusy { number, .. } if number.to_string() == "A001"));
    assert_eq!(fixture.waiting("a"), ["A002"]);
}

#[test]
fn a_called_holder_is_notified_of_the_counter_and_the_deadline() {
    let mut fixture = given([open("1"), take("ann", "a")]);
    let events = fixture.when(call("1")).then_events();
    let Some(Event::NotificationTriggered(trigger)) = events.last() else { panic!("{events:?}") };
    assert_eq!(trigger.person.as_str(), "ann");
    assert_eq!(trigger.number.to_string(), "A001");
    assert_eq!(&*trigger.queue_name, "存取款");
    assert_eq!(trigger.valid_until, fixture.now.at.plus_ms(180_000));
    let NotificationKind::Called { counter_name, call } = &trigger.kind else { panic!() };
    assert_eq!((&**counter_name, *call), ("1号窗口", 1));
}

#[test]
fn a_holder_without_wechat_gets_no_notification() {
    let take_without_person = Act::Take {
        queue: QueueId::new("a"),
        person: None,
        scan_session: None,
        class: None,
        key: None,
    };
    let mut fixture = given([open("1"), take_without_person]);
    let events = fixture.when(call("1")).then_events();
    assert!(matches!(events[..], [Event::TicketCalled { .. }]), "{events:?}");
}

#[test]
fn a_missed_ticket_leaves_the_line_and_the_counter_is_free() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), call("1"), miss("1")]);
    let state = &*fixture.site.ticket(TicketId(1)).unwrap().state;
    assert!(matches!(state, TicketState::Missed { .. }));
    assert_eq!(fixture.when(call("1")).then_called(), "A002");
}

#[test]
fn an_idle_counter_has_nobody_to_finish_with_or_to_miss() {
    let mut fixture = given([open("1")]);
    let idle = Refusal::CounterIdle(CounterId::new("1"));
    assert_eq!(fixture.when(finish("1")).then_refused(), idle);
    assert_eq!(fixture.when(miss("1")).then_refused(), idle);
}

#[test]
fn a_late_press_does_not_end_somebody_elses_service() {
    let mut fixture =
        given([open("1"), take("ann", "a"), take("ben", "a"), call("1"), finish("1"), call("1")]);
    let served = CounterTicket { counter: CounterId::new("1"), number: Some("A001".into()) };
    let refused = fixture.when(Act::Finish(served.clone())).then_refused();
    assert!(matches!(refused, Refusal::CounterBusy { .. }));
    assert_eq!(fixture.at_counter("1").as_deref(), Some("A002"));
    let counter_ticket = CounterTicket { number: Some("A002".into()), ..served };
    fixture.when(Act::Finish(counter_ticket)).then();
    assert_eq!(fixture.at_counter("1"), None);
}

#[test]
fn the_board_remembers_the_last_twenty_calls_newest_first() {
    let people = (1..=22).map(|i| take(&format!("p{i}"), "a"));
    let calls = (1..=22).flat_map(|_| [call("1"), finish("1")]);
    let fixture = given([open("1")].into_iter().chain(people).chain(calls));
    let board: Vec<_> = fixture.site.recent_calls().map(|call| call.number.to_string()).collect();
    assert_eq!(board.len(), 20);
    assert_eq!((board[0].as_str(), board[19].as_str()), ("A022", "A003"));
}

fn board(fixture: &SiteFixture) -> Vec<(String, u32)> {
    let calls = fixture.site.recent_calls();
    calls.map(|call| (call.number.to_string(), call.call)).collect()
}

#[test]
fn a_recall_takes_the_place_of_the_call_on_the_board() {
    let mut fixture =
        given([open("1"), take("ann", "a"), take("ben", "a"), call("1"), finish("1"), call("1")]);
    fixture.when(Act::Recall(served("1"))).then();
    assert_eq!(board(&fixture), [("A002".to_owned(), 2), ("A001".to_owned(), 1)]);
}

#[test]
fn a_call_that_was_a_mistake_leaves_the_board() {
    let mut fixture =
        given([open("1"), take("ann", "a"), take("ben", "a"), call("1"), finish("1"), call("1")]);
    fixture.when(Act::PutBack(served("1"))).then();
    assert_eq!(board(&fixture), [("A001".to_owned(), 1)]);
    // Called anew, it is on the board again.
    fixture.when(call("1")).then();
    assert_eq!(board(&fixture), [("A002".to_owned(), 2), ("A001".to_owned(), 1)]);
}
