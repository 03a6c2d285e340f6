//! Tests of a person who is known by another openid, since the account of the site migrated.

use crate::fixture::{
    SiteFixture, api, api_manager, call, customer, finish, given, manager, miss, open, start, take,
};
use paihao_domain::{
    Act, Actor, CloseReason, Command, CommandId, CounterId, Event, NotificationTrigger, Outcome,
    Person, Refusal, Role, StandingState, TicketId, TicketState,
};

fn person(name: &str) -> Person {
    Person::new(name)
}

fn migrate(from: &str, to: &str) -> Act {
    Act::MigrateHolder { from: person(from), to: person(to) }
}

fn migrated(ticket: u32, to: &str) -> Event {
    Event::HolderMigrated { ticket: TicketId(ticket), person: person(to) }
}

fn duplicate(ticket: u32) -> Event {
    let (ticket, reason) = (TicketId(ticket), CloseReason::Duplicate);
    Event::TicketClosed { ticket, reason, note: None, visit: None }
}

fn nameless(ticket: u32) -> Event {
    Event::HolderForgotten { ticket: TicketId(ticket) }
}

/// Events of a migration, without visit records and without the notices that others get.
fn migration_events(fixture: &mut SiteFixture, from: &str, to: &str) -> Vec<Event> {
    let mut events = fixture.when(migrate(from, to)).then_events();
    events.retain(|event| !matches!(event, Event::NotificationTriggered(_)));
    for event in &mut events {
        if let Event::TicketClosed { visit, .. } = event {
            *visit = None;
        }
    }
    events
}

/// Ticket that a person holds.
fn held(fixture: &SiteFixture, name: &str) -> Option<u32> {
    fixture.site.live_ticket_of(&person(name)).map(|ticket| ticket.id.0)
}

#[test]
fn a_ticket_keeps_its_place_and_is_that_of_the_new_openid() {
    let mut fixture = given([open("1"), take("ben", "a"), take("ann", "a"), call("1")]);
    let before = fixture.ticket(2).clone();
    let (outcome, events) = fixture.when(migrate("ann", "ann'")).0.unwrap();
    assert_eq!(events, [migrated(2, "ann'")]);
    let Outcome::TicketChanged { ticket, standing, .. } = outcome else { panic!("{outcome:?}") };
    let ahead = standing.wait.map(|wait| wait.ahead);
    assert_eq!((ticket, standing.state, ahead), (TicketId(2), StandingState::Waiting, Some(0)));
    let after = fixture.ticket(2);
    assert_eq!(after.past.former_person, Some(person("ann")));
    assert_eq!((after.rank, after.key, &after.number), (before.rank, before.key, &before.number));

    // The new openid holds it, and the former one nothing.
    assert_eq!(fixture.when(take("ann'", "a")).then_holding(), ("A002".into(), 0));
    let show = |name: &str| Act::Show { person: person(name) };
    assert_eq!(fixture.when(show("ann")).then_refused(), Refusal::NoTicketHeld);
    let leave = Act::Leave { ticket: TicketId(2), reason: None };
    let refused = fixture.when_as(customer("ann"), leave.clone()).then_refused();
    assert_eq!(refused, Refusal::NotYourTicket);
    fixture.when(finish("1"));
    let called = fixture.when(call("1")).then_events();
    let told = called.iter().find_map(|event| match event {
        Event::NotificationTriggered(NotificationTrigger { ticket, person, .. }) => {
            Some((*ticket, person.clone()))
        }
        _ => None,
    });
    assert_eq!(told, Some((TicketId(2), person("ann'"))));
    fixture.when_as(customer("ann'"), leave).then();
}

#[test]
fn a_migration_that_is_repeated_changes_nothing() {
    let mut fixture = given([take("ann", "a")]);
    let command = Command {
        id: CommandId([7; 16]),
        fingerprint: 0,
        actor: manager(),
        act: migrate("ann", "ann'"),
        day: None,
    };
    let first = fixture.when_command(command.clone()).then();
    let site = fixture.site.clone();
    assert_eq!(fixture.when_command(command).0, Ok((first, Vec::new())));
    assert_eq!(fixture.when(migrate("ann", "ann'")).then_refused(), Refusal::PersonUnknown);
    let same = fixture.when(migrate("ann'", "ann'")).then_refused();
    assert!(matches!(same, Refusal::OutOfRange(_)), "{same:?}");
    assert_eq!(fixture.site, site);
}

#[test]
fn every_ticket_of_the_day_is_migrated_and_its_end_can_be_undone() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
    fixture.when(take("ann", "a"));
    assert_eq!(
        migration_events(&mut fixture, "ann", "ann'"),
        [migrated(1, "ann'"), migrated(2, "ann'")]
    );
    let state = format!("{:?}", fixture.site);
    assert!(!state.contains(" person: Some(ann)"), "{state}");
    fixture.when(Act::Withdraw { person: person("ann'") }).then();
    fixture.when(Act::Undo(TicketId(1))).then();
    assert_eq!(held(&fixture, "ann'"), Some(1));
    assert_eq!(fixture.ticket(1).past.former_person, Some(person("ann")));
}

#[test]
fn a_person_without_a_live_ticket_is_migrated_as_well() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
    assert_eq!(migration_events(&mut fixture, "ann", "ann'"), [migrated(1, "ann'")]);
    assert_eq!(held(&fixture, "ann'"), None);
}

#[test]
fn whoever_took_a_second_ticket_keeps_the_better_one() {
    // Acts between the two tickets and after them, the events, and the ticket that is kept.
    type Case = (&'static str, Vec<Act>, Vec<Act>, Vec<Event>, Option<u32>);
    let both = |first: u32, second: u32| vec![duplicate(first), migrated(second, "ann'")];
    let cases: [Case; 6] = [
        ("both wait", vec![], vec![], both(2, 1), Some(1)),
        ("the former is called", vec![call("1")], vec![], both(2, 1), Some(1)),
        (
            "the former was missed",
            vec![call("1"), miss("1")],
            vec![],
            vec![duplicate(1), migrated(1, "ann'")],
            Some(2),
        ),
        (
            "the new one is called",
            vec![call("1"), miss("1")],
            vec![call("1")],
            vec![duplicate(1), migrated(1, "ann'")],
            Some(2),
        ),
        (
            "the former is served, the new one called",
            vec![call("1"), start("1")],
            vec![call("2")],
            both(2, 1),
            Some(1),
        ),
        (
            "both are served",
            vec![call("1"), start("1")],
            vec![call("2"), start("2")],
            vec![nameless(2), migrated(1, "ann'")],
            Some(1),
        ),
    ];
    for (case, between, after, events, kept) in cases {
        let mut fixture = given([open("1"), open("2"), take("ann", "a")]);
        between.into_iter().for_each(|act| drop(fixture.when(act).then()));
        fixture.when(take("ann'", "a")).then();
        after.into_iter().for_each(|act| drop(fixture.when(act).then()));
        assert_eq!(migration_events(&mut fixture, "ann", "ann'"), events, "{case}");
        assert_eq!(held(&fixture, "ann'"), kept, "{case}");
        assert_eq!(held(&fixture, "ann"), None, "{case}");
    }
}

#[test]
fn a_service_of_the_former_openid_goes_on_without_a_name_if_the_new_one_is_served() {
    let mut fixture = given([open("1"), open("2"), take("ann'", "a"), take("ann", "a")]);
    fixture.when(call("1")).then();
    fixture.when(call("2")).then();
    fixture.when(start("2")).then();
    assert_eq!(
        migration_events(&mut fixture, "ann", "ann'"),
        [duplicate(1), migrated(2, "ann'")],
        "the service counts as much as the call, and the former ticket is kept"
    );
    assert_eq!(fixture.site.counter(&CounterId::new("1")).serving, None, "the counter is free");
}

#[test]
fn whoever_unfollows_either_account_is_forgotten() {
    for account in ["ann", "ann'"] {
        let mut fixture = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
        fixture.when(take("ann", "a"));
        fixture.when(migrate("ann", "ann'")).then();
        fixture.when(Act::Forget { person: person(account) }).then();
        let state = format!("{:?}", fixture.site);
        assert!(!state.contains("ann"), "{account}: {state}");
        assert_eq!(fixture.waiting("a"), Vec::<String>::new());
    }
}

#[test]
fn a_ticket_that_is_carried_over_stays_that_of_the_new_openid() {
    let mut rules = crate::fixture::rules();
    rules.queues.values_mut().for_each(|queue| queue.carry_over = true);
    let mut fixture = crate::fixture::given_with_rules(rules, [take("ann", "a")]);
    fixture.when(migrate("ann", "ann'")).then();
    fixture.start_day(20_001);
    fixture.when(Act::CloseDay).then();
    assert_eq!(held(&fixture, "ann'"), Some(1));
    fixture.when(Act::Forget { person: person("ann") }).then();
    let ticket = fixture.ticket(1);
    assert!(matches!(*ticket.state, TicketState::Closed { .. }) && ticket.person.is_none());
}

#[test]
fn only_a_manager_migrates() {
    for (actor, refused) in [
        (customer("ann"), Some(Role::Customer)),
        (crate::fixture::staff("desk", &["1"]), Some(Role::Staff)),
        (api(&["1"]), Some(Role::Api)),
        (Actor::System, Some(Role::System)),
        (api_manager(), None),
        (manager(), None),
    ] {
        let mut fixture = given([take("ann", "a")]);
        let result = fixture.when_as(actor, migrate("ann", "ann'")).0;
        assert_eq!(result.err(), refused.map(Refusal::NotAllowed));
    }
}
