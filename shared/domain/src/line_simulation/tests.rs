//! Tests that the simulated calls are the real ones.

use super::*;
use crate::decide::{DecisionResult, decide};
use crate::model::actor::Actor;
use crate::model::ids::CommandId;
use crate::model::time::{BusinessDay, Day};
use crate::protocol::command::{Act, Command, CounterTicket};
use proptest::prelude::*;
use std::sync::Arc;

/// Site under a command of a manager each.
struct Hall {
    site: Site,
    rules: Rules,
    now: DecisionInput,
    commands: u32,
}

impl Hall {
    fn new(rules: Rules) -> Hall {
        let now = DecisionInput::on_day(Day(20_000), Timestamp(1_000_000_000));
        Hall { site: Site::default(), rules, now, commands: 0 }
    }

    fn act(&mut self, act: Act) {
        self.commands += 1;
        self.now.at = self.now.at.plus_ms(1_000);
        let id = CommandId::derived(&self.commands.to_string());
        let (actor, day) = (Actor::Manager("m".into()), self.site.day());
        let command = Command { id, fingerprint: 0, actor, act, day };
        match decide(&self.site, &self.rules, &command, &self.now) {
            Ok(DecisionResult::Decided(_, after)) => self.site = *after,
            other => panic!("{:?}: {other:?}", command.act),
        }
    }

    fn take(&mut self, queue: &str, class: u8) {
        let (queue, class) = (QueueId::new(queue), Some(class));
        self.act(Act::Take { queue, person: None, scan_session: None, class, key: None });
    }

    fn waiting(&self) -> Vec<TicketId> {
        self.site.lines.values().flat_map(|line| line.waiting()).collect()
    }

    /// Wait of a ticket in seconds, simulated for its queue.
    fn wait_s(&self, ticket: TicketId) -> Option<f64> {
        let ticket = self.site.ticket(ticket).unwrap();
        let (site, rules) = (&self.site, &self.rules);
        LineSimulation::new(site, rules, &ticket.queue, &self.now, None)?
            .wait_s((ticket.rank, ticket.id))
    }
}

fn any_policy() -> impl Strategy<Value = CallPolicy> {
    prop_oneof![
        Just(CallPolicy::Strict),
        (1..4u32, 1..3u32, any::<bool>()).prop_map(|(first, second, missed_lane)| {
            CallPolicy::Interleave { first, second, missed_lane }
        }),
    ]
}

fn two_queues(policies: [CallPolicy; 2], bound: u32) -> Rules {
    let queue = |(id, policy): (&str, CallPolicy)| {
        let rules = QueueRules { policy, max_passes: bound, ..QueueRules::new(id, "A") };
        let prefix = id.to_uppercase().as_str().into();
        (QueueId::new(id), QueueRules { prefix, ..rules })
    };
    let served = ["a", "b"].map(QueueId::new).to_vec();
    Rules {
        queues: ["a", "b"].into_iter().zip(policies).map(queue).collect(),
        counters: [(CounterId::new("1"), CounterRules::new("1", served))].into(),
        several_counters: true,
    }
}

proptest! {
    /// One counter calls everybody, in fact and in the simulation.
    #[test]
    fn the_simulated_order_is_the_order_of_the_calls(
        policies in [any_policy(), any_policy()],
        bound in 0..4u32,
        people in prop::collection::vec((any::<bool>(), prop::sample::select(vec![2, 5, 5, 6, 9])), 1..40),
        called_before in 0..20usize,
    ) {
        let mut hall = Hall::new(two_queues(policies, bound));
        let counter = CounterId::new("1");
        hall.act(Act::OpenCounter(counter.clone()));
        for (first, class) in people {
            hall.take(if first { "a" } else { "b" }, class.min(8));
        }
        let call = |hall: &mut Hall| {
            if hall.site.counter(&counter).serving.is_some() {
                hall.act(Act::Finish(CounterTicket { counter: counter.clone(), number: None }));
            }
            hall.act(Act::CallNext(counter.clone()));
            hall.site.counter(&counter).serving.unwrap()
        };
        for _ in 0..called_before.min(hall.waiting().len() - 1) {
            call(&mut hall);
        }
        let before = Hall { site: hall.site.clone(), rules: hall.rules.clone(), now: hall.now.clone(), commands: 0 };
        let mut waits = Vec::new();
        while !hall.waiting().is_empty() {
            let called = call(&mut hall);
            waits.push(before.wait_s(called).expect("everybody is called"));
        }
        prop_assert!(waits.is_sorted(), "{waits:?}");
        prop_assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    }

    /// A ticket that is to come has the wait that it has once it is there.
    #[test]
    fn an_inserted_ticket_waits_as_one_that_is_in_the_line(
        policies in [any_policy(), any_policy()],
        people in prop::collection::vec((any::<bool>(), prop::sample::select(vec![2, 5, 5, 6])), 0..30),
        class in prop::sample::select(vec![2, 5, 6]),
    ) {
        let mut hall = Hall::new(two_queues(policies, 4));
        hall.act(Act::OpenCounter(CounterId::new("1")));
        for (first, class) in people {
            hall.take(if first { "a" } else { "b" }, class);
        }
        let (place, queue) = (hall.site.next_place(class, &hall.now), QueueId::new("a"));
        let simulation = LineSimulation::new(&hall.site, &hall.rules, &queue, &hall.now, Some(place));
        let expected = simulation.unwrap().wait_s(place);
        hall.take("a", class);
        prop_assert_eq!(hall.wait_s(place.1), expected);
    }
}

#[test]
fn only_queues_with_common_counters_are_simulated_together() {
    let mut rules = two_queues([CallPolicy::Strict; 2], 4);
    let serves = |queues: &[&str]| {
        CounterRules::new("counter", queues.iter().map(|queue| QueueId::new(queue)).collect())
    };
    let queues = |rules: &Rules, now: &DecisionInput| {
        let mut hall = Hall::new(rules.clone());
        for counter in rules.counters.keys() {
            hall.act(Act::OpenCounter(counter.clone()));
        }
        let queue = QueueId::new("a");
        let ConnectedQueues { queues, counters } = connected(&hall.site, &hall.rules, &queue, now);
        (queues.len(), counters.len())
    };
    let now = DecisionInput::on_day(Day(20_000), Timestamp(1_000_000_000));
    assert!(is_simulated(&rules, &QueueId::new("a"), &now));
    assert_eq!(queues(&rules, &now), (2, 1));
    rules.counters = [("1", &["a"][..]), ("2", &["b"])]
        .map(|(id, queues)| (CounterId::new(id), serves(queues)))
        .into();
    assert!(!is_simulated(&rules, &QueueId::new("a"), &now));
    assert_eq!(queues(&rules, &now), (1, 1));
    let shifts = [(CounterId::new("1"), Vec::new())].into();
    let today = BusinessDay { shifts, ..(*now.today).clone() };
    let planned = DecisionInput::new(now.at, Arc::new(today));
    assert!(is_simulated(&rules, &QueueId::new("a"), &planned));
    assert!(!is_simulated(&rules, &QueueId::new("b"), &planned));
}

#[test]
fn staff_stay_until_their_shift_ends_and_come_back_with_the_next() {
    let at = Timestamp(1_000_000);
    let shift = |from, to| Interval { from: at.plus_ms(from), to: at.plus_ms(to) };
    let shifts = [shift(-100, 50), shift(80, 200)];
    let remaining = |is_open, shifts: &[Interval]| remaining_shifts(is_open, Some(shifts), at);
    assert_eq!(remaining(true, &shifts), [0..50, 80..200]);
    assert_eq!(remaining(false, &shifts), vec![80..200], "late, or on a break");
    assert_eq!(remaining(true, &shifts[1..]), vec![0..200], "here before the time");
    assert_eq!(remaining(true, &[shift(-100, -50)]), vec![0..u64::MAX], "still here");
    assert_eq!(remaining(false, &[shift(-100, -50)]), []);
    assert_eq!(remaining_shifts(true, None, at), vec![0..u64::MAX], "no plan");
    assert_eq!(remaining_shifts(false, None, at), []);
}
