//! What time brings is found without looking at everybody: held, over random histories, against a
//! look at everybody; and whoever sleeps until the next moment misses nothing.

use crate::hall::{call, close, finish, given_by, open, rules, take};
use paihao_domain::{
    Act, Actor, Answer, Command, CommandId, CounterId, Event, Interval, Model, Now, Policy,
    QueueId, Rules, Site, TEMPLATES, Ticket, TicketId, Timestamp, Today, Visit, VisitEnd, decide,
    due, is_slipped, next_due,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const MINUTE: i64 = 60_000;

/// Slow counters, so that people wait long and longer.
fn slow() -> Rules {
    let mut rules = rules();
    for queue in rules.queues.values_mut() {
        (queue.minutes, queue.auto_miss, queue.auto_recall) = (12, true, true);
    }
    rules.queues.get_mut(&QueueId::new("b")).unwrap().policy =
        Policy::Interleave { first: 2, second: 1, missed_lane: true };
    rules.counters.get_mut(&CounterId::new("3")).unwrap().auto_next = true;
    rules
}

/// Something that happens, and how many milliseconds later.
fn step() -> impl Strategy<Value = (Act, i64)> {
    let counter = || prop::sample::select(vec!["1", "2", "3"]);
    let queue = || prop::sample::select(vec!["a", "a", "a", "b"]);
    let ticket = || (1..90u32).prop_map(TicketId);
    let act = prop_oneof![
        12 => (0..80u8, queue()).prop_map(|(n, queue)| take(&format!("p{n}"), queue)),
        3 => queue().prop_map(|queue| Act::Take {
            queue: QueueId::new(queue), person: None, via: None, class: Some(2), key: None,
        }),
        3 => counter().prop_map(open),
        2 => counter().prop_map(close),
        3 => counter().prop_map(call),
        3 => counter().prop_map(finish),
        1 => (ticket(), 0..9u8).prop_map(|(ticket, class)| Act::Prioritise {
            ticket, class, reason: "军人".into(),
        }),
        1 => ticket().prop_map(|ticket| Act::Leave { ticket, reason: Some("走了".into()) }),
        1 => ticket().prop_map(Act::Return),
        1 => ticket().prop_map(|ticket| Act::Hold { ticket, reason: "证件".into(), minutes: Some(9) }),
    ];
    let later = prop_oneof![6 => 0..MINUTE, 2 => MINUTE..9 * MINUTE, 1 => 9 * MINUTE..50 * MINUTE];
    (act, later)
}

/// What earlier visits taught: bands whose forecasts came out in their own ways.
fn taught(outcomes: &[(u32, u32, u32)]) -> Model {
    let mut model = Model::default();
    for (ahead, ratio, slot_s) in outcomes {
        let end = VisitEnd::Called { waited_s: ratio * 10, slot_s: *slot_s, implausible: false };
        let visit = Visit { ahead: *ahead, predicted_s: Some(1_000), end };
        model.learn(&QueueId::new("a"), &visit);
    }
    model
}

fn system(act: Act) -> Command {
    Command { id: CommandId::derived("asked once more"), fingerprint: 0, actor: Actor::System, act }
}

fn decided(site: &Site, rules: &Rules, command: &Command, now: &Now) -> Option<(Site, Vec<Event>)> {
    match decide(site, rules, command, now) {
        Ok(Answer::Decided(decision, after)) => Some((*after, decision.events)),
        _ => None,
    }
}

/// The last of the moments at which longer waits are looked for.
fn look(now: &Now) -> Now {
    Now { at: Timestamp(now.at.0 / (5 * MINUTE) * 5 * MINUTE), ..now.clone() }
}

/// Whether the wait of somebody has become much longer than they were told.
fn slips(site: &Site, rules: &Rules, ticket: &Ticket, at: &Now) -> bool {
    let room = ticket.person.is_some() && ticket.notices.templates < TEMPLATES - 2;
    let recently = ticket.notices.last.is_some_and(|last| at.at.since_ms(last) < 30 * MINUTE);
    let told = site.told(rules, ticket, at).estimate;
    let (Some(expected), Some(told)) = (ticket.notices.expected, told) else { return false };
    let whole_s = |then: Timestamp| (then.since_ms(ticket.taken_at).max(0) / 1_000) as u32;
    room && !recently && is_slipped(whole_s(expected), whole_s(at.at.plus_minutes(told.low)))
}

/// Everybody of a queue looked at, one by one.
fn everybody(site: &Site, rules: &Rules, queue: &QueueId, now: &Now) -> Vec<TicketId> {
    let at = look(now);
    let line = site.line(queue);
    let tickets = line.waiting().map(|id| site.ticket(id).unwrap());
    tickets.filter(|ticket| slips(site, rules, ticket, &at)).map(|ticket| ticket.id).collect()
}

/// Holds what is due, and who would be told, against a look at everybody. Says how many that were.
fn looked_through(site: &Site, rules: &Rules, now: &Now) -> usize {
    let due = due(site, rules, now);
    let mut people = 0;
    for queue in rules.queues.keys() {
        let all = everybody(site, rules, queue, now);
        people += all.len();
        let command = due.iter().find(|command| command.act == Act::TellSlipped(queue.clone()));
        let long = site.line(queue).len().checked_sub(1).is_some_and(|last| {
            let wait = site.outlook(rules, queue, last as u32, &look(now));
            wait.is_some_and(|wait| wait.low >= 45)
        });
        assert!(command.is_none() || long && !all.is_empty(), "{queue:?}: nobody is to be told");
        let told = decided(site, rules, &system(Act::TellSlipped(queue.clone())), now);
        let told = told.map_or(Vec::new(), |(_, events)| {
            let told = events.iter().filter(|event| matches!(event, Event::MilestoneReached(_)));
            told.filter_map(Event::ticket).collect()
        });
        assert_eq!(told, all[..all.len().min(200)], "{queue:?}");
    }
    people
}

/// Lets come about what is due, as often as anything is.
fn settled(site: &mut Site, rules: &Rules, now: &Now) {
    for _ in 0..20 {
        let due = due(site, rules, now);
        let after = due.iter().find_map(|command| decided(site, rules, command, now));
        let Some((after, _)) = after else {
            assert!(due.is_empty(), "what is due is not refused: {due:?}");
            return;
        };
        *site = after;
    }
    panic!("it does not come to rest");
}

fn today() -> Arc<Today> {
    let lasts = Interval { from: Timestamp(0), to: Timestamp(i64::MAX / 2) };
    Arc::new(Today { day: paihao_domain::Day(20_000), lasts, hours: BTreeMap::new() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_time_brings_is_what_a_look_at_everybody_finds(
        outcomes in prop::collection::vec((0..30u32, 20..400u32, 60..2_000u32), 0..120),
        people in 0..70u32,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let rules = slow();
        let mut site = given_by(rules.clone(), [open("1"), open("2")]).site;
        let mut now = Now::of(Timestamp(1_000_000_000), today()).knowing(taught(&outcomes));
        let crowd = (0..people).map(|n| (take(&format!("early{n}"), "a"), 2_000));
        for (i, (act, later)) in crowd.chain(steps).enumerate() {
            now.at = now.at.plus_ms(later);
            looked_through(&site, &rules, &now);
            settled(&mut site, &rules, &now);
            let mut command = system(act.clone());
            command.id = CommandId::derived(&format!("step {i}"));
            command.actor = match act {
                Act::Take { person: Some(person), .. } => Actor::Customer(person),
                _ => Actor::Manager("boss".into()),
            };
            if let Some((after, _)) = decided(&site, &rules, &command, &now) {
                site = after;
            }
            looked_through(&site, &rules, &now);
            settled(&mut site, &rules, &now);
            // Until the next moment nothing comes about, and then something may.
            let next = next_due(&site, &rules, &now).unwrap();
            prop_assert!(next > now.at);
            let gap = next.since_ms(now.at).min(3 * 60 * MINUTE);
            for part in [1, gap / 3, gap / 2, gap - 1] {
                let then = Now { at: now.at.plus_ms(part.clamp(0, gap - 1)), ..now.clone() };
                let early = due(&site, &rules, &then);
                prop_assert!(early.is_empty(), "{part} of {gap} ms: {early:?}");
            }
        }
    }
}

#[test]
fn the_histories_above_do_have_people_who_are_told() {
    let rules = slow();
    let mut hall = given_by(rules.clone(), [open("1"), open("2")]);
    (0..60).for_each(|n| drop(hall.at_once(take(&format!("p{n}"), "a"))));
    hall.when(close("2"));
    hall.later(35 * MINUTE);
    let people = looked_through(&hall.site, &rules, &hall.now);
    assert!((20..60).contains(&people), "{people}");
}

#[test]
fn a_day_that_left_nothing_behind_is_not_looked_at_again() {
    let mut hall = given_by(rules(), [open("1"), take("ann", "a"), call("1")]);
    hall.day(20_001);
    assert_eq!(next_due(&hall.site, &hall.rules, &hall.now), Some(hall.now.at));
    hall.day(20_000);
    hall.when(finish("1")).then();
    hall.when(close("1")).then();
    hall.day(20_001);
    assert_eq!(next_due(&hall.site, &hall.rules, &hall.now), None);
    assert_eq!(due(&hall.site, &hall.rules, &hall.now), []);
}
