//! Tests of visit records: a scenario for each way in which a visit ends.

use crate::fixture::{
    CommandResult, MINUTE_MS, call, finish, given, given_with_rules, miss, open, return_ticket,
    rules, start, take,
};
use crate::fixture::{manager, take_class};
use paihao_domain::{
    Act, CloseReason, CounterId, Day, Event, ForecastBasis, ForecastMethod, ForecastModel,
    LetPassLimit, Observation, ObservationEnd, OvertakeCounts, QueueId, TicketId, Timestamp,
    VisitOutcome, VisitRecord,
};
use std::sync::Arc;

/// Visits that these events end.
fn ended_visits(result: CommandResult) -> Vec<VisitRecord> {
    let visit_of = |event: Event| match event {
        Event::TicketFinished { visit, .. } | Event::TicketClosed { visit, .. } => {
            Some(*visit.expect("every end has a visit record"))
        }
        _ => None,
    };
    result.then_events().into_iter().filter_map(visit_of).collect()
}

fn single_ended_visit(result: CommandResult) -> VisitRecord {
    let mut ended = ended_visits(result);
    assert_eq!(ended.len(), 1, "{ended:?}");
    ended.remove(0)
}

/// Time so many minutes after the fixture's start.
fn at(minutes: i64) -> Timestamp {
    Timestamp(1_000_000_000 + minutes * MINUTE_MS)
}

fn call_this(counter: &str, ticket: u32) -> Act {
    let reason = Some(Arc::from("老人"));
    Act::CallTicket { counter: CounterId::new(counter), ticket: TicketId(ticket), reason }
}

#[test]
fn the_record_of_a_served_visit_has_its_times_and_its_quote() {
    let mut fixture =
        given([open("1"), take("ann", "a"), call("1"), take("ben", "a"), finish("1")]);
    fixture.advance_ms(MINUTE_MS);
    fixture.when(call("1")).then();
    fixture.advance_ms(MINUTE_MS);
    fixture.when(start("1")).then();
    fixture.advance_ms(4 * MINUTE_MS);
    let visit = single_ended_visit(fixture.when(finish("1")));
    assert_eq!((visit.day, visit.end), (Day(20_000), VisitOutcome::Served));
    assert_eq!((visit.queue.as_str(), visit.counter.unwrap().as_str()), ("a", "1"));
    assert_eq!((visit.taken_at, visit.called_at), (at(4), Some(at(7))));
    assert_eq!((visit.started_at, visit.ended_at), (Some(at(9)), at(14)));
    assert_eq!((visit.slot_ms, visit.serving_ms), (Some(7 * MINUTE_MS), Some(5 * MINUTE_MS)));
    assert_eq!((visit.counts.calls, visit.counts.misses), (1, 0));
    // Counter 1 had called a minute before: four or five of the owner's five minutes are left.
    let ForecastBasis { predicted_s, median_s, method } = visit.basis.unwrap();
    assert!((200..300).contains(&predicted_s) && median_s == predicted_s && method == 3);
    assert!(visit.quoted.cold && visit.quoted.estimate.unwrap().high >= 5);
    assert_eq!(visit.overtaken, OvertakeCounts::default());
}

#[test]
fn service_time_excludes_breaks_and_the_way_to_the_counter() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), start("1")]);
    let suspend = Act::Suspend {
        served: crate::fixture::served("1"),
        reason: "补材料".into(),
        affinity: false,
    };
    fixture.when(suspend).then();
    fixture.advance_ms(20 * MINUTE_MS);
    let resume = Act::ResumeAtCounter { counter: CounterId::new("1"), ticket: TicketId(1) };
    fixture.when(resume).then();
    let visit = single_ended_visit(fixture.when(finish("1")));
    assert_eq!((visit.slot_ms, visit.serving_ms), (Some(3 * MINUTE_MS), Some(2 * MINUTE_MS)));
    assert_eq!(visit.comparable_wait_s(), None, "held on the way");
}

#[test]
fn a_final_miss_ends_once_with_the_time_the_counter_waited() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1")]);
    assert_eq!(ended_visits(fixture.when(miss("1"))), [], "they may return");
    fixture.when(return_ticket(1)).then();
    fixture.when(call("1")).then();
    assert_eq!(ended_visits(fixture.when(miss("1"))), [], "and once more");
    fixture.advance_ms(31 * MINUTE_MS);
    let visit = single_ended_visit(fixture.when(Act::Expire(TicketId(1))));
    assert_eq!((visit.called_at, visit.ended_at), (Some(at(3)), at(39)));
    assert_eq!((visit.counts.misses, visit.slot_ms), (2, Some(MINUTE_MS)));

    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    a.missed.policy = paihao_domain::MissedPolicy::Void;
    let mut fixture =
        given_with_rules(rules, [open("1"), take("ann", "a"), take("ben", "a"), call("1")]);
    fixture.advance_ms(2 * MINUTE_MS);
    let visit = single_ended_visit(fixture.when(miss("1")));
    assert_eq!(visit.end, VisitOutcome::Closed(CloseReason::Expired));
    assert_eq!((visit.counts.misses, visit.slot_ms), (1, Some(3 * MINUTE_MS)));
    assert_eq!(visit.serving_ms, None);
    let slot_s = 180;
    let end = ObservationEnd::Called { waited_s: 120, slot_s, implausible: false };
    assert_eq!(visit.observation(), Some(Observation { ahead: 0, predicted: None, end }));
}

#[test]
fn an_undone_end_is_retracted_and_a_final_miss_is_undone_in_one_step() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1"), finish("1")]);
    let undone = fixture.when(Act::Undo(TicketId(1))).then_events();
    assert!(
        matches!(&undone[0], Event::TicketRestored { retracts: Some(Day(20_000)), .. }),
        "{undone:?}"
    );
    let again = single_ended_visit(fixture.when(finish("1")));
    assert_eq!(again.called_at, Some(at(3)));

    let mut fixture = given([open("1"), take("ann", "a"), call("1"), miss("1")]);
    let undone = fixture.when(Act::Undo(TicketId(1))).then_events();
    assert!(matches!(&undone[0], Event::TicketRestored { retracts: None, .. }), "it had not ended");

    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    a.missed.policy = paihao_domain::MissedPolicy::Void;
    let mut fixture = given_with_rules(rules, [open("1"), take("ann", "a"), call("1"), miss("1")]);
    let undone = fixture.when(Act::Undo(TicketId(1))).then_events();
    assert!(matches!(&undone[0], Event::TicketRestored { retracts: Some(_), .. }));
    assert_eq!(fixture.at_counter("1").as_deref(), Some("A001"), "they are called again");
}

#[test]
fn leaving_clearing_and_the_end_of_the_day_have_reasons_of_their_own() {
    let mut fixture = given([take("ann", "a"), take("ben", "a"), take("cai", "b")]);
    let visit = single_ended_visit(fixture.when(Act::Leave { ticket: TicketId(1), reason: None }));
    assert_eq!(visit.end, VisitOutcome::Closed(CloseReason::ByCustomer));
    assert_eq!((visit.called_at, visit.slot_ms, &visit.counter), (None, None, &None));
    let end = ObservationEnd::Cancelled;
    assert_eq!(visit.observation(), Some(Observation { ahead: 0, predicted: None, end }));
    let visit = single_ended_visit(fixture.when(Act::ClearQueue(QueueId::new("b"))));
    assert_eq!(visit.end, VisitOutcome::Closed(CloseReason::QueueCleared));
    assert_eq!(visit.observation(), None, "nobody chose to leave");
    fixture.start_day(20_001);
    let visit = single_ended_visit(fixture.when(Act::CloseDay));
    assert_eq!((visit.day, visit.end), (Day(20_000), VisitOutcome::Closed(CloseReason::DayClosed)));
}

#[test]
fn a_carried_over_visit_belongs_to_the_day_on_which_it_ends() {
    let mut rules = rules();
    rules.queues.get_mut(&QueueId::new("a")).unwrap().carry_over = true;
    let acts = [open("1"), take("ann", "a"), take("ben", "a"), call("1")];
    let mut fixture = given_with_rules(rules, acts);
    fixture.when(Act::Prioritise { ticket: TicketId(2), class: 0, reason: "军人".into() }).then();
    fixture.start_day(20_001);
    fixture.when(Act::CloseDay).then();
    let visit = single_ended_visit(fixture.when(finish("1")));
    assert_eq!((visit.day, visit.taken_at, visit.called_at), (Day(20_001), at(2), Some(at(4))));
}

#[test]
fn each_cause_of_overtaking_is_counted_for_the_ticket_overtaken() {
    // Ann waits behind two; some of the following overtake her.
    let mut fixture = given([open("1"), take("x", "a"), take("y", "a"), take("ann", "a")]);
    fixture.when(take("zoe", "a")).then();
    fixture.when_as(manager(), take_class("a", 0)).then(); // 5 comes before all of them
    fixture.when(call_this("1", 4)).then(); // zoe, from behind ann
    fixture.when(miss("1")).then();
    fixture.when(call_this("1", 4)).then(); // and again, standing there
    fixture.when(finish("1")).then();
    fixture.when(Act::LetPass { ticket: TicketId(1), until: LetPassLimit::OnRequest }).then();
    fixture.when(Act::Resume(TicketId(1))).then(); // x is back before her
    fixture.when(call("1")).then(); // 5
    fixture.when(Act::PutBack(crate::fixture::served("1"))).then(); // and not called after all
    let visit = single_ended_visit(fixture.when(Act::Leave { ticket: TicketId(3), reason: None }));
    let expected = OvertakeCounts {
        priority: 1,
        out_of_order: 1,
        returned: 1,
        resumed: 1,
        taken_back: 1,
        transferred: 0,
    };
    assert_eq!(visit.overtaken, expected);
    let x = single_ended_visit(fixture.when(Act::Leave { ticket: TicketId(1), reason: None }));
    assert_eq!(x.overtaken.resumed, 0, "their own return overtakes nobody before them");
    assert_eq!(x.overtaken.total(), 4);
}

#[test]
fn a_return_overtakes_only_the_tickets_in_between() {
    let people = ["a1", "a2", "a3", "a4"].map(|name| take(name, "a"));
    let mut fixture = given(people);
    fixture.when(Act::Prioritise { ticket: TicketId(3), class: 0, reason: "军人".into() }).then();
    fixture.when(Act::Prioritise { ticket: TicketId(3), class: 2, reason: "误".into() }).then();
    let overtaken: Vec<_> =
        [1, 2, 3, 4].map(|id| fixture.site.overtake_counts(fixture.ticket(id)).priority).into();
    assert_eq!(overtaken, [1, 1, 0, 0]);
}

#[test]
fn learned_values_change_the_next_quote() {
    let mut fixture = given([open("1"), take("x", "a"), call("1"), take("y", "a")]);
    let quote = |result: CommandResult| match &result.then_events()[0] {
        Event::TicketTaken { quoted, basis, .. } => (*quoted, basis.unwrap()),
        other => panic!("{other:?}"),
    };
    let (cold, _) = quote(fixture.at_once(take("ann", "a")));
    let mut learned = ForecastModel::default();
    let end = ObservationEnd::Called { waited_s: 1_800, slot_s: 900, implausible: false };
    for _ in 0..40 {
        learned.learn(
            &QueueId::new("a"),
            &Observation { ahead: 1, predicted: Some((ForecastMethod::Simulation, 1_800)), end },
        );
    }
    fixture.now = fixture.now.clone().with_model(learned);
    let (warm, basis) = quote(fixture.at_once(take("ben", "a")));
    assert!(cold.cold && !warm.cold);
    assert!(warm.estimate.unwrap().low > 2 * cold.estimate.unwrap().low, "{cold:?} {warm:?}");
    assert_eq!(basis.median_s, basis.predicted_s, "the prediction came true");
}

#[test]
fn a_shortened_promise_is_not_lengthened_at_once() {
    let people = ["x", "y", "z", "ann"].map(|name| take(name, "a"));
    let mut fixture = given([open("1"), open("2")].into_iter().chain(people));
    let shown = |fixture: &crate::fixture::SiteFixture| {
        fixture.site.current_quote(&fixture.rules, fixture.ticket(4), &fixture.now)
    };
    let show = || Act::Show { person: paihao_domain::Person::new("ann") };
    fixture.at_once(crate::fixture::close("2")).then();
    let long = shown(&fixture).estimate.unwrap().high;
    fixture.at_once(show()).then();
    fixture.at_once(open("2")).then();
    fixture.at_once(show()).then();
    let short = shown(&fixture).estimate.unwrap().high;
    assert!(short < long, "{short} {long}");
    fixture.at_once(crate::fixture::close("2")).then();
    assert_eq!(shown(&fixture).estimate.unwrap().high, short, "a moment later");
    fixture.advance_ms(2 * MINUTE_MS);
    assert!(shown(&fixture).estimate.unwrap().high >= long);
}
