//! Tests of showing one's own ticket, giving it up, and being forgotten.

use crate::fixture::{call, finish, given, open, take};
use paihao_domain::{Act, CloseReason, CounterId, Event, Outcome, Person, Refusal, TicketId};

fn person(name: &str) -> Person {
    Person::new(name)
}

fn show(name: &str) -> Act {
    Act::Show { person: person(name) }
}

fn withdraw(name: &str) -> Act {
    Act::Withdraw { person: person(name) }
}

fn forget(name: &str) -> Act {
    Act::Forget { person: person(name) }
}

#[test]
fn a_holder_who_asks_gets_the_state_of_their_ticket() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), call("1")]);
    assert_eq!(fixture.when(show("ben")).then_holding(), ("A002".into(), 0));
    let Outcome::Holding { standing, new, .. } = fixture.when(show("ann")).then() else { panic!() };
    assert_eq!((standing.counter(), new), (Some(&CounterId::new("1")), false));
    assert_eq!(fixture.when(show("cai")).then_refused(), Refusal::NoTicketHeld);
    fixture.when(finish("1"));
    assert_eq!(fixture.when(show("ann")).then_refused(), Refusal::NoTicketHeld);
}

#[test]
fn a_holder_gives_up_their_ticket() {
    let mut fixture = given([open("1"), take("ann", "a"), take("ben", "a"), call("1")]);
    for (name, ticket) in [("ben", 2), ("ann", 1)] {
        let Outcome::Left { ticket: closed, .. } = fixture.when(withdraw(name)).then() else {
            panic!()
        };
        assert_eq!(closed, TicketId(ticket));
    }
    assert_eq!(fixture.site.counter(&CounterId::new("1")).serving, None, "the counter is free");
    assert_eq!(fixture.waiting("a"), Vec::<String>::new());
    assert_eq!(fixture.when(withdraw("ann")).then_refused(), Refusal::NoTicketHeld);
}

#[test]
fn a_forgotten_person_leaves_the_line_and_is_named_nowhere() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
    fixture.when(take("ben", "a"));
    fixture.when(take("ann", "a"));
    let (outcome, mut events) = fixture.when(forget("ann")).0.unwrap();
    if let Event::TicketClosed { visit, .. } = &mut events[1] {
        let visit = visit.take().unwrap();
        assert!(!format!("{visit:?}").contains("ann"), "{visit:?}");
    }
    assert_eq!(outcome, Outcome::Forgotten);
    let reason = CloseReason::ByCustomer;
    assert_eq!(
        events,
        [
            Event::HolderForgotten { ticket: TicketId(1) },
            Event::TicketClosed { ticket: TicketId(3), reason, note: None, visit: None },
            Event::HolderForgotten { ticket: TicketId(3) },
        ]
    );
    assert_eq!(fixture.waiting("a"), ["A002"]);
    let state = format!("{:?}", fixture.site);
    assert!(!state.contains("ann") && state.contains("ben"), "{state}");
    // A number that was taken stays taken: numbers do not come back.
    assert_eq!(fixture.when(take("ann", "a")).then_holding().0, "A004");
    assert_eq!(fixture.when(forget("cai")).then_refused(), Refusal::PersonUnknown);
}
