//! Properties that hold after every step of random histories.
//!
//! Thousands of random commands are decided by several replicas whose clocks jump and whose views
//! are stale.

use crate::random_steps::{PEOPLE, Step, all_rules, person_id, run_steps, steps};
use crate::records::{assert_one_record_each, assert_overtakes_counted, close_remaining_days};
use paihao_domain::{
    Act, Actor, CallPolicy, CounterId, Day, Decision, Event, MAX_PROGRESS_TEMPLATES,
    MAX_TEMPLATES_PER_TICKET, NotificationKind, NotificationTrigger, QueueId, QueueState, Rank,
    Rules, Site, TicketId, TicketState, TicketStatus,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn same_day(before: &Site, after: &Site) -> bool {
    before.day() == after.day()
}

/// Checks that each ticket is in one place, and that every index agrees.
fn assert_consistent(site: &Site) {
    let mut numbers = BTreeSet::new();
    let mut holders = BTreeMap::new();
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

/// Returns `true` if an event can put its ticket before others that waited already.
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

/// Checks that nobody has more ahead than before without an event that explains it: one more for
/// each.
fn assert_ahead_is_explained(before: &Site, after: &Site, decision: &Decision) {
    let explaining = decision.events.iter().filter(|event| can_move_ahead(event)).count() as u32;
    for ticket in before.tickets().filter(|ticket| ticket.state == TicketState::Waiting) {
        let Some(now) = after.ticket(ticket.id).filter(|t| t.state == TicketState::Waiting) else {
            continue;
        };
        let was = before.ahead(ticket);
        let is = after.ahead(now);
        // A new ticket of a better class comes before, and so is a priority, too.
        let better = decision.events.iter().filter(
            |event| matches!(event, Event::TicketTaken { rank, .. } if rank.class < now.rank.class),
        );
        let is_own =
            decision.events.iter().any(|e| e.ticket() == Some(ticket.id) && can_move_ahead(e));
        let max = was + explaining + better.count() as u32;
        assert!(is_own || is <= max, "{}: {was} ahead, then {is}", ticket.number);
        if !is_own && is > was {
            let changes = after.position_changes_of(now).into_iter();
            let explained: i32 = changes
                .filter(|change| change.at == decision.at)
                .map(|change| change.ahead_delta.max(0))
                .sum();
            let more = is - was;
            assert!(
                explained >= more as i32,
                "{}: {more} more, {explained} explained",
                ticket.number
            );
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
        // An undone end restores the former state, and no call is an end.
        assert_eq!(ticket.counts.calls, calls.get(&ticket.id).copied().unwrap_or_default());
    }
}

/// Checks the budget, the spacing and the order of notifications.
fn assert_notifications_bounded(ledger: &[Decision]) {
    let mut notified = BTreeMap::<(Day, TicketId), Vec<&NotificationTrigger>>::new();
    let mut keys = BTreeSet::new();
    for event in ledger.iter().flat_map(|decision| &decision.events) {
        let Event::NotificationTriggered(trigger) = event else { continue };
        let key = (trigger.day, trigger.ticket, trigger.kind.name(), trigger.occurrence);
        assert!(keys.insert(key), "{key:?} twice");
        notified.entry((trigger.day, trigger.ticket)).or_default().push(trigger);
    }
    for (ticket, notified) in notified {
        let templates: Vec<_> = notified.iter().filter(|m| m.kind.is_template()).collect();
        assert!(templates.len() <= MAX_TEMPLATES_PER_TICKET as usize, "{ticket:?}: {templates:?}");
        let is_progress = |kind: &NotificationKind| {
            matches!(
                kind,
                NotificationKind::Near(_)
                    | NotificationKind::Next(_)
                    | NotificationKind::Slipped(_)
            )
        };
        assert!(
            notified.windows(2).all(|two| two[0].order < two[1].order),
            "{ticket:?}: {notified:?}"
        );
        for (before, two) in templates.windows(2).enumerate() {
            let is_spaced = two[1].at.since_ms(two[0].at) >= 60_000;
            let has_room = before + 1 < MAX_PROGRESS_TEMPLATES as usize;
            assert!(!is_progress(&two[1].kind) || is_spaced && has_room, "{ticket:?}: {two:?}");
        }
        assert!(notified.iter().all(|m| m.valid_until > m.at), "{notified:?}");
    }
}

/// Checks how often each waiting ticket of a strict queue was passed by a later one of a better
/// class, for as long as it kept its place. One that is put back and called from its place again
/// has passed once.
fn assert_passes_bounded(rules: &Rules, steps: &[Step]) {
    let mut passed = BTreeMap::<(TicketId, QueueId, Rank), BTreeSet<_>>::new();
    let order = |rank: Rank, id: TicketId| (rank.arrival, rank.sequence, rank.offset, id);
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
                let queue_rules = &rules.queues[&other.queue];
                let state = before.queue_state(rules, &other.queue);
                let callable = served.contains(&other.queue)
                    && queue_rules.policy == CallPolicy::Strict
                    && matches!(state, QueueState::Open | QueueState::Paused);
                let earlier = order(other.rank, other.id) < order(called.rank, called.id);
                if callable && earlier && other.rank.class > called.rank.class {
                    let by = passed.entry((other.id, other.queue.clone(), other.rank)).or_default();
                    by.insert(order(called.rank, called.id));
                    let times = by.len();
                    assert!(
                        times <= queue_rules.max_passes as usize,
                        "{} passed {times} times",
                        other.number
                    );
                }
            }
        }
    });
}

/// Checks that no event follows an end, except undoing it, forgetting the holder or naming them
/// anew, and notifying them.
fn assert_ends_are_final(before: &Site, after: &Site, decision: &Decision) {
    if !same_day(before, after) {
        return;
    }
    for event in &decision.events {
        if matches!(
            event,
            Event::TicketRestored { .. }
                | Event::HolderForgotten { .. }
                | Event::HolderMigrated { .. }
                | Event::NotificationTriggered(_)
                | Event::TicketTaken { .. }
        ) {
            continue;
        }
        let Some(ticket) = event.ticket() else { continue };
        assert!(before.ticket(ticket).is_some_and(|ticket| ticket.is_live()), "{event:?}");
    }
}

/// Checks that an undone end restores the ticket, apart from its notifications.
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
                    if decision.events.len() == 1 && ticket.past.worked_ms == was.past.worked_ms {
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
    fn the_invariants_hold_in_every_history(steps in steps()) {
        let rules = all_rules();
        let (mut site, mut ledger) = run_steps(&rules, &steps, |before, after, decision| {
            assert_consistent(after);
            if same_day(before, after) {
                assert_ahead_is_explained(before, after, decision);
                assert_overtakes_counted(before, after, decision);
            }
            assert_ends_are_final(before, after, decision);
        });
        assert_calls_counted(&site, &ledger);
        assert_notifications_bounded(&ledger);
        assert_undo_restores(&ledger);
        // Replaying gives the same line, the same ranks and the same notifications, to the byte.
        let mut replayed = Site::default();
        ledger.iter().for_each(|decision| replayed.apply(decision));
        prop_assert_eq!(format!("{replayed:?}"), format!("{site:?}"));
        close_remaining_days(&rules, &mut site, &mut ledger);
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
            // Recorded answers do not outlive the day.
            if !same_day(before, after) {
                decided.clear();
            }
            assert!(decided.insert(decision.command), "{:?}", decision.command);
        });
    }

    #[test]
    fn a_forgotten_person_is_named_nowhere(steps in steps(), person in 0..PEOPLE) {
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
