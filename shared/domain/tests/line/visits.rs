//! What is left of a visit when it has ended: given / when / then for each way to end it.

use crate::fixture::{
    CommandResult, MINUTE_MS, call, finish, given, given_with_rules, miss, open, return_ticket,
    rules, start, take,
};
use crate::fixture::{manager, take_class};
use paihao_domain::{
    Act, CloseReason, CounterId, Day, Event, ForecastBasis, ForecastModel, LetPassLimit,
    Observation, ObservationEnd, OvertakeCounts, QueueId, TicketId, Timestamp, VisitOutcome,
    VisitRecord,
};
use std::sync::Arc;

/// The visits that these events end.
fn ended_visits(told: CommandResult) -> Vec<VisitRecord> {
    let of = |event: Event| match event {
        Event::TicketFinished { visit, .. } | Event::TicketClosed { visit, .. } => {
            Some(*visit.expect("every end says what it ends"))
        }
        _ => None,
    };
    told.then_events().into_iter().filter_map(of).collect()
}

fn single_ended_visit(told: CommandResult) -> VisitRecord {
    let mut ended = ended_visits(told);
    assert_eq!(ended.len(), 1, "{ended:?}");
    ended.remove(0)
}

/// Minutes after the given moments began.
fn at(minutes: i64) -> Timestamp {
    Timestamp(1_000_000_000 + minutes * MINUTE_MS)
}

fn call_this(counter: &str, ticket: u32) -> Act {
    let reason = Some(Arc::from("老人"));
    Act::CallTicket { counter: CounterId::new(counter), ticket: TicketId(ticket), reason }
}

#[test]
fn a_served_visit_says_when_what_happened_and_what_was_told() {
    let mut hall = given([open("1"), take("ann", "a"), call("1"), take("ben", "a"), finish("1")]);
    hall.advance_ms(MINUTE_MS);
    hall.when(call("1")).then();
    hall.advance_ms(MINUTE_MS);
    hall.when(start("1")).then();
    hall.advance_ms(4 * MINUTE_MS);
    let visit = single_ended_visit(hall.when(finish("1")));
    assert_eq!((visit.day, visit.end), (Day(20_000), VisitOutcome::Served));
    assert_eq!((visit.queue.as_str(), visit.counter.unwrap().as_str()), ("a", "1"));
    assert_eq!((visit.taken_at, visit.called_at), (at(4), Some(at(7))));
    assert_eq!((visit.started_at, visit.ended_at), (Some(at(9)), at(14)));
    assert_eq!((visit.slot_ms, visit.serving_ms), (Some(7 * MINUTE_MS), Some(5 * MINUTE_MS)));
    assert_eq!((visit.counts.calls, visit.counts.misses), (1, 0));
    // Counter 1 had called a minute before: four or five of the owner's five minutes are left.
    let ForecastBasis { predicted_s, median_s, method } = visit.basis.unwrap();
    assert!((200..300).contains(&predicted_s) && median_s == predicted_s && method == 2);
    assert!(visit.quoted.cold && visit.quoted.estimate.unwrap().high >= 5);
    assert_eq!(visit.overtaken, OvertakeCounts::default());
}

#[test]
fn a_break_in_the_service_is_not_service_and_the_way_to_the_counter_neither() {
    let mut hall = given([open("1"), take("ann", "a"), call("1"), start("1")]);
    let suspend = Act::Suspend {
        served: crate::fixture::served("1"),
        reason: "补材料".into(),
        affinity: false,
    };
    hall.when(suspend).then();
    hall.advance_ms(20 * MINUTE_MS);
    let resume = Act::ResumeAtCounter { counter: CounterId::new("1"), ticket: TicketId(1) };
    hall.when(resume).then();
    let visit = single_ended_visit(hall.when(finish("1")));
    assert_eq!((visit.slot_ms, visit.serving_ms), (Some(3 * MINUTE_MS), Some(2 * MINUTE_MS)));
    assert_eq!(visit.comparable_wait_s(), None, "held on the way");
}

#[test]
fn whoever_is_missed_for_good_ends_once_with_the_time_the_counter_waited() {
    let mut hall = given([open("1"), take("ann", "a"), call("1")]);
    assert_eq!(ended_visits(hall.when(miss("1"))), [], "they may return");
    hall.when(return_ticket(1)).then();
    hall.when(call("1")).then();
    assert_eq!(ended_visits(hall.when(miss("1"))), [], "and once more");
    hall.advance_ms(31 * MINUTE_MS);
    let visit = single_ended_visit(hall.when(Act::Expire(TicketId(1))));
    assert_eq!((visit.called_at, visit.ended_at), (Some(at(3)), at(39)));
    assert_eq!((visit.counts.misses, visit.slot_ms), (2, Some(MINUTE_MS)));

    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    a.missed.policy = paihao_domain::MissedPolicy::Void;
    let mut hall =
        given_with_rules(rules, [open("1"), take("ann", "a"), take("ben", "a"), call("1")]);
    hall.advance_ms(2 * MINUTE_MS);
    let visit = single_ended_visit(hall.when(miss("1")));
    assert_eq!(visit.end, VisitOutcome::Closed(CloseReason::Expired));
    assert_eq!((visit.counts.misses, visit.slot_ms), (1, Some(3 * MINUTE_MS)));
    assert_eq!(visit.serving_ms, None);
    let slot_s = 180;
    let end = ObservationEnd::Called { waited_s: 120, slot_s, implausible: false };
    assert_eq!(visit.observation(), Some(Observation { ahead: 0, predicted_s: None, end }));
}

#[test]
fn an_undone_end_is_retracted_and_a_miss_for_good_is_undone_in_one_step() {
    let mut hall = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
    let undone = hall.when(Act::Undo(TicketId(1))).then_events();
    assert!(
        matches!(&undone[..], [Event::TicketRestored { retracts: Some(Day(20_000)), .. }]),
        "{undone:?}"
    );
    let again = single_ended_visit(hall.when(finish("1")));
    assert_eq!(again.called_at, Some(at(3)));

    let mut hall = given([open("1"), take("ann", "a"), call("1"), miss("1")]);
    let undone = hall.when(Act::Undo(TicketId(1))).then_events();
    assert!(matches!(&undone[0], Event::TicketRestored { retracts: None, .. }), "it had not ended");

    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    a.missed.policy = paihao_domain::MissedPolicy::Void;
    let mut hall = given_with_rules(rules, [open("1"), take("ann", "a"), call("1"), miss("1")]);
    let undone = hall.when(Act::Undo(TicketId(1))).then_events();
    assert!(matches!(&undone[0], Event::TicketRestored { retracts: Some(_), .. }));
    assert_eq!(hall.at_counter("1").as_deref(), Some("A001"), "they are called again");
}

#[test]
fn leaving_clearing_and_the_end_of_the_day_are_told_apart() {
    let mut hall = given([take("ann", "a"), take("ben", "a"), take("cai", "b")]);
    let visit = single_ended_visit(hall.when(Act::Leave { ticket: TicketId(1), reason: None }));
    assert_eq!(visit.end, VisitOutcome::Closed(CloseReason::ByCustomer));
    assert_eq!((visit.called_at, visit.slot_ms, &visit.counter), (None, None, &None));
    let end = ObservationEnd::Cancelled;
    assert_eq!(visit.observation(), Some(Observation { ahead: 0, predicted_s: None, end }));
    let visit = single_ended_visit(hall.when(Act::ClearQueue(QueueId::new("b"))));
    assert_eq!(visit.end, VisitOutcome::Closed(CloseReason::QueueCleared));
    assert_eq!(visit.observation(), None, "nobody chose to leave");
    hall.start_day(20_001);
    let visit = single_ended_visit(hall.when(Act::CloseDay));
    assert_eq!((visit.day, visit.end), (Day(20_000), VisitOutcome::Closed(CloseReason::DayClosed)));
}

#[test]
fn whoever_is_carried_over_the_night_ends_on_the_day_they_end() {
    let mut rules = rules();
    rules.queues.get_mut(&QueueId::new("a")).unwrap().carry_over = true;
    let acts = [open("1"), take("ann", "a"), take("ben", "a"), call("1")];
    let mut hall = given_with_rules(rules, acts);
    hall.when(Act::Prioritise { ticket: TicketId(2), class: 0, reason: "军人".into() }).then();
    hall.start_day(20_001);
    hall.when(Act::CloseDay).then();
    let visit = single_ended_visit(hall.when(finish("1")));
    assert_eq!((visit.day, visit.taken_at, visit.called_at), (Day(20_001), at(2), Some(at(4))));
}

#[test]
fn each_way_to_be_overtaken_is_counted_for_whom_it_happened_to() {
    // Ann waits behind two; what happens after that goes before her or not.
    let mut hall = given([open("1"), take("x", "a"), take("y", "a"), take("ann", "a")]);
    hall.when(take("zoe", "a")).then();
    hall.when_as(manager(), take_class("a", 0)).then(); // 5 comes before all of them
    hall.when(call_this("1", 4)).then(); // zoe, from behind ann
    hall.when(miss("1")).then();
    hall.when(call_this("1", 4)).then(); // and again, standing there
    hall.when(finish("1")).then();
    hall.when(Act::LetPass { ticket: TicketId(1), until: LetPassLimit::OnRequest }).then();
    hall.when(Act::Resume(TicketId(1))).then(); // x is back before her
    hall.when(call("1")).then(); // 5
    hall.when(Act::PutBack(crate::fixture::served("1"))).then(); // and not called after all
    let visit = single_ended_visit(hall.when(Act::Leave { ticket: TicketId(3), reason: None }));
    let expected = OvertakeCounts {
        priority: 1,
        out_of_order: 1,
        returned: 1,
        resumed: 1,
        taken_back: 1,
        transferred: 0,
    };
    assert_eq!(visit.overtaken, expected);
    let x = single_ended_visit(hall.when(Act::Leave { ticket: TicketId(1), reason: None }));
    assert_eq!(x.overtaken.resumed, 0, "their own return overtakes nobody before them");
    assert_eq!(x.overtaken.total(), 4);
}

#[test]
fn a_longer_way_back_overtakes_only_those_in_between() {
    let people = ["a1", "a2", "a3", "a4"].map(|name| take(name, "a"));
    let mut hall = given(people);
    hall.when(Act::Prioritise { ticket: TicketId(3), class: 0, reason: "军人".into() }).then();
    hall.when(Act::Prioritise { ticket: TicketId(3), class: 2, reason: "误".into() }).then();
    let overtaken: Vec<_> =
        [1, 2, 3, 4].map(|id| hall.site.overtake_counts(hall.ticket(id)).priority).into();
    assert_eq!(overtaken, [1, 1, 0, 0]);
}

#[test]
fn what_was_learned_changes_what_the_next_person_is_told() {
    let mut hall = given([open("1"), take("x", "a"), call("1"), take("y", "a")]);
    let told = |told: CommandResult| match &told.then_events()[0] {
        Event::TicketTaken { told, basis, .. } => (*told, basis.unwrap()),
        other => panic!("{other:?}"),
    };
    let (cold, _) = told(hall.at_once(take("ann", "a")));
    let mut learned = ForecastModel::default();
    let end = ObservationEnd::Called { waited_s: 1_800, slot_s: 900, implausible: false };
    for _ in 0..40 {
        learned.learn(&QueueId::new("a"), &Observation { ahead: 1, predicted_s: Some(1_800), end });
    }
    hall.now = hall.now.clone().with_model(learned);
    let (warm, basis) = told(hall.at_once(take("ben", "a")));
    assert!(cold.cold && !warm.cold);
    assert!(warm.estimate.unwrap().low > 2 * cold.estimate.unwrap().low, "{cold:?} {warm:?}");
    assert_eq!(basis.median_s, basis.predicted_s, "what was predicted came true");
}

#[test]
fn a_promise_that_was_shortened_is_not_lengthened_in_front_of_its_holder() {
    let people = ["x", "y", "z", "ann"].map(|name| take(name, "a"));
    let mut hall = given([open("1"), open("2")].into_iter().chain(people));
    let shown = |hall: &crate::fixture::SiteFixture| {
        hall.site.current_quote(&hall.rules, hall.ticket(4), &hall.now)
    };
    let show = || Act::Show { person: paihao_domain::Person::new("ann") };
    hall.at_once(crate::fixture::close("2")).then();
    let long = shown(&hall).estimate.unwrap().high;
    hall.at_once(show()).then();
    hall.at_once(open("2")).then();
    hall.at_once(show()).then();
    let short = shown(&hall).estimate.unwrap().high;
    assert!(short < long, "{short} {long}");
    hall.at_once(crate::fixture::close("2")).then();
    assert_eq!(shown(&hall).estimate.unwrap().high, short, "a moment later");
    hall.advance_ms(2 * MINUTE_MS);
    assert!(shown(&hall).estimate.unwrap().high >= long);
}
