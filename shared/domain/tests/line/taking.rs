//! Tests of taking a number and giving it up.

use crate::fixture::{MINUTE_MS, call, finish, given, miss, open, take};
use paihao_domain::{
    Act, CloseReason, Event, Outcome, QueueId, Refusal, TicketId, TicketState, TicketStatus,
};

#[test]
fn the_first_number_of_the_day_is_001_and_nobody_is_ahead() {
    let mut fixture = given([]);
    assert_eq!(fixture.when(take("ann", "a")).then_holding(), ("A001".into(), 0));
}

#[test]
fn each_queue_counts_by_itself_and_later_ones_stand_behind() {
    let mut fixture = given([take("ann", "a"), take("ben", "a")]);
    assert_eq!(fixture.when(take("cai", "b")).then_holding(), ("B001".into(), 0));
    assert_eq!(fixture.when(take("dan", "a")).then_holding(), ("A003".into(), 2));
    assert_eq!(fixture.waiting("a"), ["A001", "A002", "A003"]);
}

#[test]
fn a_holder_who_asks_again_is_shown_the_same_ticket() {
    let mut fixture = given([take("ann", "a"), take("ben", "a")]);
    assert_eq!(fixture.when(take("ben", "a")).then_holding(), ("A002".into(), 1));
    // The same holds for another queue: one live ticket a person and site.
    assert_eq!(fixture.when(take("ben", "b")).then_holding(), ("A002".into(), 1));
    assert_eq!(fixture.waiting("b"), Vec::<String>::new());
}

#[test]
fn a_called_holder_who_asks_again_gets_the_counter() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1")]);
    let Outcome::Holding { standing, new, .. } = fixture.when(take("ann", "a")).then() else {
        panic!()
    };
    assert_eq!((standing.counter().unwrap().as_str(), new), ("1", false));
}

#[test]
fn a_holder_who_was_served_or_left_may_take_a_new_number() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
    assert_eq!(fixture.when(take("ann", "a")).then_holding().0, "A002");
    let mut fixture = given([take("ann", "a"), leave(1)]);
    assert_eq!(fixture.when(take("ann", "a")).then_holding().0, "A002");
}

#[test]
fn a_missed_holder_who_asks_for_a_number_returns_with_their_own() {
    let people = ["ann", "ben", "cai", "dan", "eva"].map(|name| take(name, "a"));
    let mut fixture = given([open("1")].into_iter().chain(people).chain([call("1"), miss("1")]));
    assert_eq!(fixture.when(take("ann", "a")).then_holding(), ("A001".into(), 3));
    assert_eq!(fixture.waiting("a"), ["A002", "A003", "A004", "A001", "A005"]);
    // After the deadline it is a new number.
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), miss("1")]);
    fixture.advance_ms(31 * MINUTE_MS);
    assert_eq!(fixture.when(take("ann", "a")).then_holding(), ("A002".into(), 0));
    assert_eq!(fixture.state(1), TicketStatus::Closed);
}

#[test]
fn people_without_wechat_may_hold_several() {
    let nobody = Act::Take {
        queue: QueueId::new("a"),
        person: None,
        scan_session: None,
        class: None,
        key: None,
    };
    let mut fixture = given([nobody.clone()]);
    assert_eq!(fixture.when(nobody).then_holding(), ("A002".into(), 1));
}

#[test]
fn a_closed_or_unknown_queue_gives_no_number() {
    let mut fixture = given([]);
    assert_eq!(
        fixture.when(take("ann", "shut")).then_refused(),
        Refusal::QueueClosed(QueueId::new("shut"))
    );
    assert_eq!(
        fixture.when(take("ann", "z")).then_refused(),
        Refusal::UnknownQueue(QueueId::new("z"))
    );
}

#[test]
fn the_wait_is_quoted_only_while_a_counter_is_open() {
    let mut fixture = given([take("ann", "a")]);
    let estimate = |outcome| match outcome {
        Outcome::Holding { standing, .. } => {
            standing.wait.and_then(|wait| wait.estimate).map(|e| (e.low, e.high))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(estimate(fixture.when(take("ben", "a")).then()), None);
    fixture.when(open("1")).then();
    // Two ahead at five minutes each and one free counter: 10 to 14 minutes, quoted in fives.
    assert_eq!(estimate(fixture.when(take("cai", "a")).then()), Some((10, 15)));
}

#[test]
fn numbers_grow_past_999() {
    let mut fixture = given((1..=1000).map(|i| take(&format!("p{i}"), "a")));
    assert_eq!(fixture.when(take("last", "a")).then_holding(), ("A1001".into(), 1000));
}

#[test]
fn a_clock_that_runs_back_does_not_put_a_late_comer_in_front() {
    let mut fixture = given([take("ann", "a")]);
    fixture.now.at = fixture.now.at.plus_ms(-30 * MINUTE_MS);
    assert_eq!(fixture.when(take("ben", "a")).then_holding(), ("A002".into(), 1));
    assert_eq!(fixture.waiting("a"), ["A001", "A002"]);
}

#[test]
fn leaving_closes_the_gap_and_frees_the_counter() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), take("cai", "a")]);
    let left = fixture.when(leave(2)).then_events();
    let reason = CloseReason::ByCustomer;
    assert!(
        matches!(left[0], Event::TicketClosed { ticket: TicketId(2), reason: r, .. } if r == reason)
    );
    assert_eq!(fixture.waiting("a"), ["A001", "A003"]);
    fixture.when(call("1")).then_called();
    fixture.when(leave(1)).then();
    assert_eq!(fixture.at_counter("1"), None);
    assert_eq!(fixture.when(call("1")).then_called(), "A003");
}

#[test]
fn an_ended_or_unknown_ticket_cannot_be_left() {
    let mut fixture = given([take("ann", "a"), leave(1)]);
    assert!(matches!(fixture.when(leave(1)).then_refused(), Refusal::TicketEnded(_)));
    assert!(matches!(fixture.when(leave(9)).then_refused(), Refusal::UnknownTicket(_)));
    let ticket = fixture.site.ticket(TicketId(1)).unwrap();
    assert!(matches!(*ticket.state, TicketState::Closed { reason: CloseReason::ByCustomer, .. }));
}

fn leave(ticket: u32) -> Act {
    Act::Leave { ticket: TicketId(ticket), reason: None }
}
