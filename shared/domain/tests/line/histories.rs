//! Properties that hold after every step of thousands of random commands, by several replicas whose
//! clocks jump and whose views are stale.

use crate::fixture::{
    api_manager, call, close, customer, finish, manager, miss, open, rules, served, staff, start,
    take,
};
use crate::records::{assert_one_record_each, assert_overtakes_counted, close_remaining_days};
use paihao_domain::{
    Act, Actor, BusinessDay, CallPolicy, Command, CommandId, CounterId, Day, Decision,
    DecisionInput, DecisionResult, Event, Interval, LetPassLimit, MAX_TEMPLATES_PER_TICKET, Mark,
    MissedPolicy, NotificationKind, Person, QueueId, QueueState, Rank, Rules, Site, TicketId,
    TicketState, TicketStatus, Timestamp, decide, due_commands,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A command with its actor, the wobble of the deciding replica's clock, how many decisions its
/// view is behind, and whether it is delivered twice.
#[derive(Debug, Clone)]
struct Step {
    actor: Actor,
    act: Act,
    clock_skew_ms: i64,
    view_lag: usize,
    delivered_twice: bool,
}

const PEOPLE: u8 = 12;

fn ticket() -> impl Strategy<Value = TicketId> {
    (1..40u32).prop_map(TicketId)
}

fn queue() -> impl Strategy<Value = QueueId> {
    prop::sample::select(vec!["a", "b", "shut"]).prop_map(QueueId::new)
}

fn counter() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["1", "2", "3"])
}

fn person_id(person: u8) -> Person {
    Person::new(&format!("p{person}"))
}

fn counter_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => counter().prop_map(open),
        1 => counter().prop_map(close),
        1 => counter().prop_map(|c| Act::BreakCounter(CounterId::new(c))),
        8 => counter().prop_map(call),
        2 => (counter(), ticket()).prop_map(|(c, ticket)| Act::CallTicket {
            counter: CounterId::new(c), ticket, reason: Some("老人".into()),
        }),
        2 => counter().prop_map(|c| Act::Recall(served(c))),
        3 => counter().prop_map(start),
        1 => counter().prop_map(|c| Act::PutBack(served(c))),
        5 => counter().prop_map(finish),
        4 => counter().prop_map(miss),
        1 => (counter(), any::<bool>()).prop_map(|(c, affinity)| Act::Suspend {
            served: served(c), reason: "补材料".into(), affinity,
        }),
        1 => (counter(), ticket()).prop_map(|(c, ticket)| Act::ResumeAtCounter {
            counter: CounterId::new(c), ticket,
        }),
    ]
}

fn ticket_act() -> impl Strategy<Value = Act> {
    let until = prop_oneof![
        (1..4u32).prop_map(LetPassLimit::Others),
        (1..5u32).prop_map(LetPassLimit::Minutes),
        Just(LetPassLimit::OnRequest),
    ];
    prop_oneof![
        2 => ticket().prop_map(|ticket| Act::Leave { ticket, reason: Some("走了".into()) }),
        4 => ticket().prop_map(Act::Return),
        2 => (ticket(), until).prop_map(|(ticket, until)| Act::LetPass { ticket, until }),
        2 => (ticket(), prop::option::of(1..5u32)).prop_map(|(ticket, minutes)| Act::Hold {
            ticket, reason: "证件".into(), minutes,
        }),
        3 => ticket().prop_map(Act::Resume),
        2 => (ticket(), queue()).prop_map(|(ticket, queue)| Act::Transfer { ticket, queue }),
        3 => ticket().prop_map(Act::Undo),
        2 => (ticket(), 0..9u8).prop_map(|(ticket, class)| Act::Prioritise {
            ticket, class, reason: "军人".into(),
        }),
        1 => (ticket(), 1..20u32).prop_map(|(ticket, n)| Act::Mark { ticket, mark: Mark::TellAt(Some(n)) }),
        1 => ticket().prop_map(|ticket| Act::Mark { ticket, mark: Mark::Arrived }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let person = || (0..PEOPLE).prop_map(person_id);
    let state = prop::sample::select(vec![
        QueueState::Open,
        QueueState::Open,
        QueueState::Open,
        QueueState::Paused,
        QueueState::Halted,
        QueueState::Closed,
    ]);
    prop_oneof![
        14 => ((0..PEOPLE), queue()).prop_map(|(p, q)| take(&format!("p{p}"), q.as_str())),
        4 => (queue(), prop::option::of(0..9u8)).prop_map(|(queue, class)| Act::Take {
            queue, person: None, via: None, class, key: None,
        }),
        1 => person().prop_map(|person| Act::Show { person }),
        1 => person().prop_map(|person| Act::Withdraw { person }),
        1 => person().prop_map(|person| Act::Forget { person }),
        20 => counter_act(),
        16 => ticket_act(),
        2 => (queue(), state).prop_map(|(queue, state)| Act::SetQueueState { queue, state }),
        1 => Just(Act::ClearQueue(QueueId::new("b"))),
        1 => Just(Act::CloseDay),
    ]
}

/// Mostly whoever may; sometimes anybody.
fn actor(act: &Act, any: u8) -> Actor {
    let usual = match act {
        Act::Take { person: Some(person), .. }
        | Act::Show { person }
        | Act::Withdraw { person }
        | Act::Forget { person } => Actor::Customer(person.clone()),
        Act::CloseDay => Actor::System,
        _ => manager(),
    };
    match any {
        0 => Actor::System,
        1 => staff("desk", &["1", "2"]),
        2 => api_manager(),
        3..=6 => customer(&format!("p{any}")),
        _ => usual,
    }
}

fn step() -> impl Strategy<Value = Step> {
    (act(), 0..40u8, -90_000..90_000i64, 0..4usize, any::<bool>()).prop_map(
        |(act, any, clock_skew_ms, view_lag, delivered_twice)| {
            let actor = actor(&act, any);
            Step { actor, act, clock_skew_ms, view_lag, delivered_twice }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..260)
}

/// Rules in which everything can happen: queue a strict, queue b in turn, both over the night or not.
fn all_rules() -> Rules {
    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    (a.carry_over, a.auto_miss, a.grace_seconds, a.max_passes) = (true, true, 90, 2);
    let b = rules.queues.get_mut(&QueueId::new("b")).unwrap();
    b.policy = CallPolicy::Interleave { first: 2, second: 1, missed_lane: true };
    b.missed.policy = MissedPolicy::Tail;
    b.capacity = Some(9);
    rules
}

/// Every eightieth step falls on a new day; clocks disagree around it.
pub(super) fn input_at_step(i: usize, wobble: i64) -> DecisionInput {
    let since = i as i64 * 20_000 + wobble;
    let day = since.div_euclid(1_600_000);
    let at = |ms: i64| Timestamp(1_000_000_000 + ms);
    let interval = Interval { from: at(day * 1_600_000), to: at((day + 1) * 1_600_000) };
    let day = Day(20_000 + day as i32);
    DecisionInput::new(at(since), Arc::new(BusinessDay { day, interval, hours: BTreeMap::new() }))
}

/// Runs the steps as several gateways would: each decides on a view that may lag, and on a conflict
/// decides again on what is. After each decision that stands, `look` sees the site before and after.
fn run_steps(
    rules: &Rules,
    steps: &[Step],
    mut look: impl FnMut(&Site, &Site, &Decision),
) -> (Site, Vec<Decision>) {
    let mut sites = vec![Site::default()];
    let mut ledger: Vec<Decision> = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(i as u64).to_be_bytes());
        let asked = Command {
            id: CommandId(id),
            fingerprint: 0,
            actor: step.actor.clone(),
            act: step.act.clone(),
        };
        let now = input_at_step(i, step.clock_skew_ms);
        let proposed = due_commands(sites.last().unwrap(), rules, &now);
        let deliveries = 1 + usize::from(step.delivered_twice);
        for command in proposed.into_iter().chain(std::iter::repeat_n(asked, deliveries)) {
            let stale = &sites[sites.len().saturating_sub(1 + step.view_lag)];
            let newest = sites.last().unwrap();
            // A stale view's decision meets a conflict unless nothing was missed; a stale refusal
            // and a stale memory are looked at again, too.
            let _ = decide(stale, rules, &command, &now);
            let Ok(DecisionResult::Decided(decision, promised)) =
                decide(newest, rules, &command, &now)
            else {
                continue;
            };
            let mut after = newest.clone();
            after.apply(&decision);
            assert_eq!(after, *promised);
            look(newest, &after, &decision);
            ledger.push(decision);
            sites.push(after);
        }
        if sites.len() > 8 {
            sites.drain(..sites.len() - 8);
        }
    }
    (sites.pop().unwrap(), ledger)
}

fn same_day(before: &Site, after: &Site) -> bool {
    before.day() == after.day()
}

/// Each ticket is in one place, and every index says so.
fn assert_consistent(site: &Site) {
    let (mut numbers, mut holders) = (BTreeSet::new(), BTreeMap::new());
    let counters = ["1", "2", "3"].map(CounterId::new);
    let mut waiting = BTreeMap::<QueueId, Vec<TicketId>>::new();
    for ticket in site.tickets() {
        assert!(numbers.insert(ticket.number.clone()), "{} twice", ticket.number);
        if ticket.state == TicketState::Waiting {
            waiting.entry(ticket.queue.clone()).or_default().push(ticket.id);
        }
        let at: Vec<_> =
            counters.iter().filter(|c| site.counter(c).serving == Some(ticket.id)).collect();
        match ticket.at_counter() {
            Some(counter) => assert_eq!(at, [counter]),
            None => assert!(at.is_empty()),
        }
        if let Some(person) = ticket.person.as_ref().filter(|_| ticket.is_live()) {
            assert!(holders.insert(person.clone(), ticket.id).is_none(), "two live tickets");
            assert_eq!(site.live_ticket_of(person).map(|held| held.id), Some(ticket.id));
        }
    }
    for queue in ["a", "b", "shut"].map(QueueId::new) {
        let line: Vec<_> = site.line(&queue).waiting().collect();
        let mut expected = waiting.remove(&queue).unwrap_or_default();
        expected.sort_by_key(|id| (site.ticket(*id).unwrap().rank, *id));
        assert_eq!(line, expected, "the line of {queue:?}");
        for (ahead, id) in line.iter().enumerate() {
            assert_eq!(site.ahead(site.ticket(*id).unwrap()), ahead as u32);
        }
        let count = |state| {
            site.tickets()
                .filter(|t| t.queue == queue && t.is_live() && t.status() == state)
                .count()
        };
        assert_eq!(site.line(&queue).held(), count(TicketStatus::Held));
        assert_eq!(site.line(&queue).missed(), count(TicketStatus::Missed));
    }
}

/// Whether an event puts its ticket before others who waited already.
fn can_move_ahead(event: &Event) -> bool {
    matches!(
        event,
        Event::TicketPrioritised { .. }
            | Event::TicketReturned { .. }
            | Event::TicketTransferred { .. }
            | Event::TicketResumed { .. }
            | Event::TicketPutBack { .. }
            | Event::TicketRestored { .. }
    )
}

/// Nobody has more ahead than before, unless an event explains it: then one more for each.
fn assert_ahead_is_explained(before: &Site, after: &Site, decision: &Decision) {
    let explaining = decision.events.iter().filter(|event| can_move_ahead(event)).count() as u32;
    for ticket in before.tickets().filter(|ticket| ticket.state == TicketState::Waiting) {
        let Some(now) = after.ticket(ticket.id).filter(|t| t.state == TicketState::Waiting) else {
            continue;
        };
        let (was, is) = (before.ahead(ticket), after.ahead(now));
        // Whoever takes a number with a better class comes before, and so is a priority, too.
        let better = decision.events.iter().filter(
            |event| matches!(event, Event::TicketTaken { rank, .. } if rank.class < now.rank.class),
        );
        let own =
            decision.events.iter().any(|e| e.ticket() == Some(ticket.id) && can_move_ahead(e));
        let most = was + explaining + better.count() as u32;
        assert!(own || is <= most, "{}: {was} ahead, then {is}", ticket.number);
        if !own && is > was {
            let told =
                after.position_changes_of(now).into_iter().filter(|moved| moved.at == decision.at);
            let more: i32 = told.map(|moved| moved.ahead_delta.max(0)).sum();
            let most = is - was;
            assert!(more >= most as i32, "{}: {most} more, {more} explained", ticket.number);
        }
    }
}

fn assert_calls_counted(site: &Site, ledger: &[Decision]) {
    let mut calls = BTreeMap::<TicketId, u32>::new();
    for event in ledger.iter().flat_map(|decision| &decision.events) {
        match event {
            Event::DayOpened { .. } => calls.clear(),
            Event::TicketCarried { ticket } => drop(calls.insert(ticket.id, ticket.counts.calls)),
            Event::TicketCalled { ticket, call, .. }
            | Event::TicketRecalled { ticket, call, .. } => {
                let count = calls.entry(*ticket).or_default();
                *count += 1;
                assert_eq!(count, call);
            }
            _ => {}
        }
    }
    for ticket in site.tickets() {
        // An undone end restores what was before it, and no call is an end.
        assert_eq!(ticket.counts.calls, calls.get(&ticket.id).copied().unwrap_or_default());
    }
}

/// What was told keeps its budget, its distance and its order.
fn assert_notifications_bounded(ledger: &[Decision]) {
    let mut told = BTreeMap::<(Day, TicketId), Vec<&paihao_domain::NotificationTrigger>>::new();
    let mut keys = BTreeSet::new();
    for event in ledger.iter().flat_map(|decision| &decision.events) {
        let Event::NotificationTriggered(milestone) = event else { continue };
        let key = (milestone.day, milestone.ticket, milestone.kind.name(), milestone.occurrence);
        assert!(keys.insert(key), "{key:?} twice");
        told.entry((milestone.day, milestone.ticket)).or_default().push(milestone);
    }
    for (ticket, told) in told {
        let templates: Vec<_> = told.iter().filter(|m| m.kind.is_template()).collect();
        assert!(templates.len() <= MAX_TEMPLATES_PER_TICKET as usize, "{ticket:?}: {templates:?}");
        assert!(told.windows(2).all(|two| two[0].order < two[1].order), "{ticket:?}: {told:?}");
        for two in templates.windows(2) {
            let hurried = matches!(
                two[1].kind,
                NotificationKind::Called { .. }
                    | NotificationKind::Returned {
                        through: paihao_domain::ReturnCause::PutBack,
                        ..
                    }
            );
            assert!(hurried || two[1].at.since_ms(two[0].at) >= 60_000, "{ticket:?}: {two:?}");
        }
        assert!(told.iter().all(|m| m.valid_until > m.at || m.kind.name() == "missed"), "{told:?}");
    }
}

/// How often the chooser passed each waiting ticket of a strict queue by one of a better class that
/// came later.
fn assert_passes_bounded(rules: &Rules, steps: &[Step]) {
    let mut passed = BTreeMap::<TicketId, u32>::new();
    let place = |rank: Rank, id: TicketId| (rank.arrival, rank.sequence, rank.offset, id);
    run_steps(rules, steps, |before, after, decision| {
        if !same_day(before, after) {
            passed.clear();
            return;
        }
        for event in &decision.events {
            let Event::TicketCalled { ticket, counter, reason: None, .. } = event else {
                continue;
            };
            let called = before.ticket(*ticket).unwrap();
            let served = &rules.counters[counter].queues;
            for other in before.tickets().filter(|t| t.state == TicketState::Waiting) {
                let of_queue = &rules.queues[&other.queue];
                let state = before.queue_state(rules, &other.queue);
                let callable = served.contains(&other.queue)
                    && of_queue.policy == CallPolicy::Strict
                    && matches!(state, QueueState::Open | QueueState::Paused);
                let earlier = place(other.rank, other.id) < place(called.rank, called.id);
                if callable && earlier && other.rank.class > called.rank.class {
                    let times = passed.entry(other.id).or_default();
                    *times += 1;
                    assert!(*times <= of_queue.max_passes, "{} passed {times} times", other.number);
                }
            }
        }
        // Another class or another line is another matter.
        for event in &decision.events {
            if let Event::TicketPrioritised { ticket, .. }
            | Event::TicketTransferred { ticket, .. } = event
            {
                passed.remove(ticket);
            }
        }
    });
}

/// No event follows an end, but undoing it, being forgotten, and being told of it.
fn assert_ends_are_final(before: &Site, after: &Site, decision: &Decision) {
    if !same_day(before, after) {
        return;
    }
    for event in &decision.events {
        if matches!(
            event,
            Event::TicketRestored { .. }
                | Event::HolderForgotten { .. }
                | Event::NotificationTriggered(_)
                | Event::TicketTaken { .. }
        ) {
            continue;
        }
        let Some(ticket) = event.ticket() else { continue };
        assert!(before.ticket(ticket).is_some_and(|ticket| ticket.is_live()), "{event:?}");
    }
}

/// After an undo the ticket is what it was before its end, but for what its holder was told.
fn assert_undo_restores(ledger: &[Decision]) {
    let mut site = Site::default();
    let mut before_end = BTreeMap::new();
    for decision in ledger {
        let before = site.clone();
        site.apply(decision);
        for event in &decision.events {
            match event {
                Event::DayOpened { .. } => before_end.clear(),
                Event::TicketFinished { ticket, .. }
                | Event::TicketMissed { ticket, .. }
                | Event::TicketClosed { ticket, .. } => {
                    if let Some(was) = before.ticket(*ticket) {
                        before_end.insert(*ticket, was.clone());
                    }
                }
                Event::TicketRestored { ticket, .. } => {
                    let was = &before_end[&ticket.id];
                    assert_eq!((&ticket.queue, ticket.rank), (&was.queue, was.rank));
                    if decision.events.len() == 1 && ticket.worked_ms == was.worked_ms {
                        assert_eq!(ticket.number, was.number);
                    }
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_line_keeps_its_promises(steps in steps()) {
        let rules = all_rules();
        let (lived, ledger) = run_steps(&rules, &steps, |before, after, decision| {
            assert_consistent(after);
            if same_day(before, after) {
                assert_ahead_is_explained(before, after, decision);
                assert_overtakes_counted(before, after, decision);
            }
            assert_ends_are_final(before, after, decision);
        });
        assert_calls_counted(&lived, &ledger);
        assert_notifications_bounded(&ledger);
        assert_undo_restores(&ledger);
        // Replaying gives the same line, the same ranks, the same told messages, to the byte.
        let mut fresh = Site::default();
        ledger.iter().for_each(|decision| fresh.apply(decision));
        prop_assert_eq!(format!("{fresh:?}"), format!("{lived:?}"));
        let (mut lived, mut ledger) = (lived, ledger);
        close_remaining_days(&rules, &mut lived, &mut ledger);
        assert_one_record_each(&ledger);
    }

    #[test]
    fn nobody_of_a_lower_class_is_passed_more_often_than_the_bound(steps in steps()) {
        assert_passes_bounded(&all_rules(), &steps);
    }

    #[test]
    fn a_command_delivered_again_is_decided_once(steps in steps()) {
        let mut decided = BTreeSet::new();
        run_steps(&all_rules(), &steps, |before, after, decision| {
            // Memory is of the day.
            if !same_day(before, after) {
                decided.clear();
            }
            assert!(decided.insert(decision.command), "{:?}", decision.command);
        });
    }

    #[test]
    fn whoever_is_forgotten_is_named_nowhere(steps in steps(), person in 0..PEOPLE) {
        let person = person_id(person);
        let act = Act::Forget { person: person.clone() };
        let forget = Step { actor: Actor::Customer(person.clone()), act, clock_skew_ms: 0, view_lag: 0, delivered_twice: false };
        let steps: Vec<_> = steps.into_iter().chain([forget]).collect();
        let (site, _) = run_steps(&all_rules(), &steps, |_, _, _| {});
        let named = format!("{site:?}");
        prop_assert!(!named.contains(&format!("Some({person:?})")), "{}", named);
        prop_assert!(site.live_ticket_of(&person).is_none());
    }
}
