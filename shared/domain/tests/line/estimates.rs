//! Tests of what people are told about their wait, over the product of the states of a queue, the
//! sharing of its counters, its policy and its plan.

use crate::fixture::{
    MINUTE_MS, SiteFixture, call, close, finish, given_with_rules, open, rules, start, take,
    take_class,
};
use paihao_domain::{
    Act, BusinessDay, CallPolicy, CounterId, Event, Interval, Person, QueueId, QueueState,
    QuotedWait, Rules, TicketId, VisitRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sharing of the counters of queue `a`.
#[derive(Debug, Clone, Copy)]
enum Sharing {
    Alone,
    OneOfTwo,
    AllWithAnother,
}

const SHARINGS: [Sharing; 3] = [Sharing::Alone, Sharing::OneOfTwo, Sharing::AllWithAnother];
const POLICIES: [CallPolicy; 3] = [
    CallPolicy::Strict,
    CallPolicy::Interleave { first: 2, second: 1, missed_lane: false },
    CallPolicy::Interleave { first: 1, second: 1, missed_lane: true },
];
const QUEUE_STATES: [QueueState; 4] =
    [QueueState::Open, QueueState::Paused, QueueState::Halted, QueueState::Closed];

fn rules_with(sharing: Sharing, policy: CallPolicy) -> Rules {
    let mut rules = rules();
    let queues = |counter: &str| match (sharing, counter) {
        (Sharing::Alone, "3") => vec![QueueId::new("b")],
        (Sharing::Alone, _) | (Sharing::OneOfTwo, "1") => vec![QueueId::new("a")],
        _ => vec![QueueId::new("a"), QueueId::new("b")],
    };
    for (id, counter) in &mut rules.counters {
        counter.queues = queues(id.as_str());
    }
    rules.queues.get_mut(&QueueId::new("a")).unwrap().policy = policy;
    rules
}

/// Interval of minutes after the fixture's time.
fn from_now(fixture: &SiteFixture, (from, to): (i64, i64)) -> Interval {
    let at = fixture.now.at;
    Interval { from: at.plus_ms(from * MINUTE_MS), to: at.plus_ms(to * MINUTE_MS) }
}

/// Gives counters shifts, in minutes from now.
fn plan(fixture: &mut SiteFixture, shifts: &[(&str, &[(i64, i64)])]) {
    let shifts: BTreeMap<_, Vec<_>> = shifts
        .iter()
        .map(|(counter, shifts)| {
            let shifts = shifts.iter().map(|shift| from_now(fixture, *shift));
            (CounterId::new(counter), shifts.collect())
        })
        .collect();
    let today = BusinessDay { shifts, ..(*fixture.now.today).clone() };
    fixture.now.today = Arc::new(today);
}

/// Quotes for somebody who joins queue `a` now: on screens, and on the ticket.
fn both_quotes(fixture: &mut SiteFixture) -> Option<(QuotedWait, QuotedWait, QuotedWait)> {
    let queue = QueueId::new("a");
    let screen = fixture.site.quote_for_new_ticket(&fixture.rules, &queue, &fixture.now);
    let person = format!("p{}", fixture.site.tickets().count());
    let events = fixture.at_once(take(&person, "a")).0.ok()?.1;
    let told = events.iter().find_map(|event| match event {
        Event::TicketTaken { quoted, .. } => Some(*quoted),
        _ => None,
    });
    let ticket = fixture.site.live_ticket_of(&Person::new(&person))?;
    let page = fixture.site.current_quote(&fixture.rules, ticket, &fixture.now);
    Some((screen, told?, page))
}

/// A morning: counters open and close, both queues fill, and some are called.
fn morning() -> Vec<Act> {
    let mut acts = vec![take("x", "a"), open("1"), open("2"), call("1"), take("y", "b")];
    acts.extend(
        ["b", "a", "b", "a", "a"]
            .iter()
            .enumerate()
            .map(|(n, queue)| take(&format!("q{n}"), queue)),
    );
    acts.extend([take_class("a", 2), take_class("a", 6), finish("1"), call("2")]);
    acts.extend([close("1"), open("3"), call("3"), open("1"), call("1"), finish("2"), close("2")]);
    acts.extend([close("3"), finish("1"), close("1")]);
    acts
}

#[test]
fn screens_reply_and_page_tell_whoever_joins_the_same_in_every_state() {
    let mut compared = 0;
    for (sharing, policy) in SHARINGS.iter().flat_map(|s| POLICIES.map(|policy| (*s, policy))) {
        for (state, planned) in QUEUE_STATES.iter().flat_map(|s| [(*s, false), (*s, true)]) {
            let mut fixture = given_with_rules(rules_with(sharing, policy), []);
            if planned {
                plan(&mut fixture, &[("1", &[(0, 15), (40, 90)]), ("2", &[(0, 300)])]);
            }
            let context = format!("{sharing:?} {policy:?} {state:?} {planned}");
            for act in morning() {
                // What the state of the queues refuses is no part of this.
                let _ = fixture.when(act);
                let queue = QueueId::new("a");
                let mut fixture = fixture.copy();
                fixture.at_once(Act::SetQueueState { queue: queue.clone(), state }).then();
                let open_counters = fixture
                    .rules
                    .counters_of(&queue)
                    .filter(|id| fixture.site.counter(id).is_open())
                    .count();
                let Some((screen, told, page)) = both_quotes(&mut fixture) else {
                    assert!(matches!(state, QueueState::Paused | QueueState::Closed), "{context}");
                    continue;
                };
                assert_eq!(screen, told, "{context}");
                assert_eq!(page, told, "{context}");
                assert!(told.estimate.is_none_or(|range| range.low < range.high), "{context}");
                if open_counters == 0 || state == QueueState::Halted {
                    assert_eq!(told.estimate, None, "{context}");
                } else {
                    assert!(planned || told.estimate.is_some(), "{context}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

fn high(quote: QuotedWait) -> u32 {
    quote.estimate.unwrap().high
}

fn quote(fixture: &SiteFixture, queue: &str) -> QuotedWait {
    fixture.site.quote_for_new_ticket(&fixture.rules, &QueueId::new(queue), &fixture.now)
}

#[test]
fn the_other_queue_of_the_same_counters_counts() {
    let others = |sharing, count: usize| {
        let rules = rules_with(sharing, CallPolicy::Strict);
        let mut fixture = given_with_rules(rules, [open("1"), take("first", "a"), call("1")]);
        for n in 0..count {
            fixture.at_once(take(&format!("b{n}"), "b")).then();
        }
        high(quote(&fixture, "a"))
    };
    assert_eq!(others(Sharing::Alone, 0), others(Sharing::Alone, 12), "they are called elsewhere");
    assert!(others(Sharing::AllWithAnother, 12) > 4 * others(Sharing::AllWithAnother, 0));
}

#[test]
fn classes_in_turn_are_told_the_turns() {
    let policy = CallPolicy::Interleave { first: 1, second: 1, missed_lane: false };
    let rules = rules_with(Sharing::Alone, policy);
    let mut fixture = given_with_rules(rules, [open("1"), take("first", "a"), call("1")]);
    for n in 0..8 {
        fixture.when(take(&format!("a{n}"), "a")).then();
    }
    let told = fixture.when(take_class("a", 6)).then_events();
    let quoted = told.iter().find_map(|event| match event {
        Event::TicketTaken { quoted, .. } => Some(*quoted),
        _ => None,
    });
    let quoted = quoted.unwrap();
    assert_eq!(quoted.ahead, 8);
    assert!(3 * high(quoted) < high(quote(&fixture, "a")), "{quoted:?}: second, not ninth");
}

#[test]
fn a_planned_change_of_the_counters_is_told_beforehand() {
    let line = || {
        let acts = [open("1"), open("2"), take("x", "a"), take("y", "a"), call("1"), call("2")];
        let mut fixture = given_with_rules(rules_with(Sharing::Alone, CallPolicy::Strict), acts);
        for n in 0..10 {
            fixture.when(take(&format!("a{n}"), "a")).then();
        }
        fixture
    };
    let high_with = |shifts: &[(&str, &[(i64, i64)])]| {
        let mut fixture = line();
        plan(&mut fixture, shifts);
        quote(&fixture, "a").estimate.map(|range| range.high)
    };
    let steady = high_with(&[("1", &[(-60, 600)]), ("2", &[(-60, 600)])]);
    let fewer = high_with(&[("1", &[(-60, 600)]), ("2", &[(-60, 5)])]);
    assert!(fewer > steady, "{fewer:?} {steady:?}");
    let break_of_all = high_with(&[("1", &[(-60, 5), (65, 600)]), ("2", &[(-60, 5), (65, 600)])]);
    assert!(break_of_all.unwrap() >= 65, "nobody is called for an hour: {break_of_all:?}");
    let relieved = high_with(&[("1", &[(-60, 10)]), ("2", &[(-60, 600)])]);
    assert_eq!(relieved, fewer.max(relieved), "one goes in ten minutes");
    // Whoever closes last serves all who are inside.
    assert!(high_with(&[("1", &[(-60, 5)]), ("2", &[(-60, 5)])]).is_some());
}

/// The line grows, or is as it was, after the promise was shortened.
#[test]
fn a_promise_that_was_shortened_is_held_only_while_the_line_does_not_grow() {
    for (sharing, policy) in SHARINGS.iter().flat_map(|s| POLICIES.map(|policy| (*s, policy))) {
        let people = ["x", "y", "z", "u", "v", "w", "ann"].map(|name| take(name, "a"));
        let acts = [open("1")].into_iter().chain(people);
        let mut fixture = given_with_rules(rules_with(sharing, policy), acts);
        let shown = |fixture: &SiteFixture| {
            fixture.site.current_quote(&fixture.rules, fixture.ticket(7), &fixture.now)
        };
        let show = || Act::Show { person: Person::new("ann") };
        fixture.at_once(show()).then();
        let long = high(shown(&fixture));
        fixture.at_once(open("2")).then();
        fixture.at_once(show()).then();
        let short = shown(&fixture).estimate.unwrap();
        let context = format!("{sharing:?} {policy:?}");
        assert!(short.high < long, "{context}: {short:?} {long}");
        fixture.at_once(close("2")).then();
        let held = shown(&fixture).estimate.unwrap();
        assert_eq!(held.high, short.high, "{context}: a moment later");
        assert!(held.low < held.high, "{context}: {held:?}");
        for _ in 0..4 {
            fixture.at_once(take_class("a", 1)).then();
        }
        let ahead = shown(&fixture);
        assert!(ahead.ahead > 6 && high(ahead) >= long, "{context}: the line grew: {ahead:?}");
    }
}

/// Visits of somebody who works with "finish" alone, with "start", and with a call that was put
/// back, in each way in which a service can begin.
#[test]
fn a_service_that_nobody_started_lasts_from_its_call() {
    let visit = |acts: Vec<Act>, start_on_call: bool| -> VisitRecord {
        let mut rules = rules();
        rules.queues.get_mut(&QueueId::new("a")).unwrap().start_on_call = start_on_call;
        let mut fixture = given_with_rules(rules, [open("1"), take("ann", "a")]);
        let mut visits = Vec::new();
        for act in acts {
            for event in fixture.when(act).then_events() {
                if let Event::TicketFinished { visit, .. } = event {
                    visits.push(*visit.unwrap());
                }
            }
        }
        visits.pop().unwrap()
    };
    let suspend = || Act::Suspend {
        served: crate::fixture::served("1"),
        reason: "补材料".into(),
        affinity: false,
    };
    let resume = || Act::ResumeAtCounter { counter: CounterId::new("1"), ticket: TicketId(1) };
    // Each act is a minute after the one before.
    for (acts, start_on_call, minutes) in [
        (vec![call("1"), finish("1")], false, 1),
        (vec![call("1"), start("1"), finish("1")], false, 1),
        (vec![call("1"), start("1"), suspend(), resume(), finish("1")], false, 2),
        (vec![call("1"), finish("1")], true, 1),
        (vec![call("1"), suspend(), resume(), finish("1")], true, 2),
    ] {
        let served = visit(acts.clone(), start_on_call);
        assert_eq!(served.service_ms(), Some(minutes * MINUTE_MS), "{start_on_call} {acts:?}");
    }
    // A record of a former program.
    let served = visit(vec![call("1"), finish("1")], false);
    let former = VisitRecord { serving_ms: Some(0), ..served };
    assert_eq!(former.service_ms(), Some(MINUTE_MS));
}

/// Ten thousand people wait: the forecast is what the line gives, at the pace of its first calls.
#[test]
fn a_very_long_line_of_shared_counters_is_told_its_length() {
    let rules = rules_with(Sharing::AllWithAnother, CallPolicy::Strict);
    let acts = [open("1"), open("2"), open("3")];
    let mut fixture = given_with_rules(rules, acts);
    let mut told = Vec::new();
    for n in 0..3_000 {
        if n % 1_000 == 999 {
            told.push(quote(&fixture, "a").estimate.unwrap().low);
        }
        let queue = if n % 3 == 0 { "b" } else { "a" };
        fixture.at_once(take_class(queue, 5)).then();
    }
    // Three counters of five minutes each.
    for (low, ahead) in told.iter().zip([999, 1_999, 2_999]) {
        let expected = ahead * 5 / 3;
        assert!(low.abs_diff(expected) <= expected / 20, "{told:?}");
    }
}
