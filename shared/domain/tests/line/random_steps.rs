//! Random histories: steps by several replicas, and their decisions.

use crate::fixture::{
    api_manager, call, close, customer, finish, manager, miss, open, rules, served, staff, start,
    take,
};
use paihao_domain::{
    Act, Actor, BusinessDay, CallPolicy, Command, CommandId, CounterId, Day, Decision,
    DecisionInput, DecisionResult, Interval, LetPassLimit, Mark, MissedPolicy, Person, QueueId,
    QueueState, Rules, Site, TicketId, Timestamp, decide, due_commands,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Step of a history: a command with its actor, the clock skew of the deciding replica, the number
/// of decisions that its view is behind, and a second delivery.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) actor: Actor,
    pub(super) act: Act,
    pub(super) clock_skew_ms: i64,
    pub(super) view_lag: usize,
    pub(super) delivered_twice: bool,
}

pub(super) const PEOPLE: u8 = 12;

fn ticket() -> impl Strategy<Value = TicketId> {
    (1..40u32).prop_map(TicketId)
}

fn queue() -> impl Strategy<Value = QueueId> {
    prop::sample::select(vec!["a", "b", "shut"]).prop_map(QueueId::new)
}

fn counter() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["1", "2", "3"])
}

pub(super) fn person_id(person: u8) -> Person {
    Person::new(&format!("p{person}"))
}

fn counter_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => counter().prop_map(open),
        1 => counter().prop_map(close),
        1 => counter().prop_map(|c| Act::BreakCounter(CounterId::new(c))),
        1 => (counter(), any::<bool>()).prop_map(|(c, boss)| Act::TakeOver {
            counter: CounterId::new(c), from: if boss { "boss" } else { "desk" }.into(),
        }),
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
        1 => (ticket(), 1..20u32).prop_map(|(ticket, n)| Act::Mark { ticket, mark: Mark::NotifyAhead(Some(n)) }),
        1 => ticket().prop_map(|ticket| Act::Mark { ticket, mark: Mark::Arrived }),
        1 => ticket().prop_map(|ticket| Act::Mark { ticket, mark: Mark::Coming }),
        1 => ticket().prop_map(|ticket| Act::Mark { ticket, mark: Mark::LimitLifted }),
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
            queue, person: None, scan_session: None, class, key: None,
        }),
        1 => person().prop_map(|person| Act::Show { person }),
        1 => person().prop_map(|person| Act::Withdraw { person }),
        1 => person().prop_map(|person| Act::Forget { person }),
        2 => (person(), person()).prop_map(|(from, to)| Act::MigrateHolder { from, to }),
        20 => counter_act(),
        16 => ticket_act(),
        2 => (queue(), state).prop_map(|(queue, state)| Act::SetQueueState { queue, state }),
        1 => Just(Act::ClearQueue(QueueId::new("b"))),
        1 => Just(Act::CloseDay),
    ]
}

/// Actor of an act: mostly one that may, sometimes any.
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
        |(act, any, clock_skew_ms, view_lag, delivered_twice)| Step {
            actor: actor(&act, any),
            act,
            clock_skew_ms,
            view_lag,
            delivered_twice,
        },
    )
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..260)
}

/// Rules in which everything can happen: queue a strict and carried over, queue b interleaved and
/// not.
pub(super) fn all_rules() -> Rules {
    let mut rules = rules();
    let a = rules.queues.get_mut(&QueueId::new("a")).unwrap();
    (a.carry_over, a.auto_miss, a.grace_seconds, a.max_passes) = (true, true, 90, 2);
    let b = rules.queues.get_mut(&QueueId::new("b")).unwrap();
    b.policy = CallPolicy::Interleave { first: 2, second: 1, missed_lane: true };
    b.missed.policy = MissedPolicy::Tail;
    b.capacity = Some(9);
    rules.counters.get_mut(&CounterId::new("3")).unwrap().auto_next = true;
    rules
}

/// Input of a step. Every eightieth step falls on a new day; clocks disagree around it.
pub(super) fn input_at_step(i: usize, clock_skew_ms: i64) -> DecisionInput {
    let since = i as i64 * 20_000 + clock_skew_ms;
    let day = since.div_euclid(1_600_000);
    let at = |ms: i64| Timestamp(1_000_000_000 + ms);
    let interval = Interval { from: at(day * 1_600_000), to: at((day + 1) * 1_600_000) };
    let day = Day(20_000 + day as i32);
    DecisionInput::new(
        at(since),
        Arc::new(BusinessDay { day, interval, hours: BTreeMap::new(), shifts: BTreeMap::new() }),
    )
}

/// Runs the steps as several gateways would. Each decides on a view that may lag, and on a conflict
/// decides again on the current state. `check` sees the site before and after each decision that
/// stands.
pub(super) fn run_steps(
    rules: &Rules,
    steps: &[Step],
    check: impl FnMut(&Site, &Site, &Decision),
) -> (Site, Vec<Decision>) {
    run_steps_through(rules, steps, |site| site, check)
}

/// Runs the steps, and passes the site through `pass` after each decision.
pub(super) fn run_steps_through(
    rules: &Rules,
    steps: &[Step],
    mut pass: impl FnMut(Site) -> Site,
    mut check: impl FnMut(&Site, &Site, &Decision),
) -> (Site, Vec<Decision>) {
    let mut sites = vec![Site::default()];
    let mut ledger: Vec<Decision> = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(i as u64).to_be_bytes());
        let requested = Command {
            id: CommandId(id),
            fingerprint: 0,
            actor: step.actor.clone(),
            act: step.act.clone(),
            day: sites.last().unwrap().day(),
        };
        let now = input_at_step(i, step.clock_skew_ms);
        let proposed = due_commands(sites.last().unwrap(), rules, &now);
        let deliveries = 1 + usize::from(step.delivered_twice);
        for command in proposed.into_iter().chain(std::iter::repeat_n(requested, deliveries)) {
            let stale = &sites[sites.len().saturating_sub(1 + step.view_lag)];
            let newest = sites.last().unwrap();
            // A stale view's decision meets a conflict unless nothing was missed; a stale refusal
            // and a stale recorded answer are decided again, too.
            let _ = decide(stale, rules, &command, &now);
            let Ok(DecisionResult::Decided(decision, promised)) =
                decide(newest, rules, &command, &now)
            else {
                continue;
            };
            let mut after = newest.clone();
            after.apply(&decision);
            assert_eq!(after, *promised);
            check(newest, &after, &decision);
            ledger.push(decision);
            sites.push(pass(after));
        }
        if sites.len() > 8 {
            sites.drain(..sites.len() - 8);
        }
    }
    (sites.pop().unwrap(), ledger)
}
