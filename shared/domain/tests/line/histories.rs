//! Properties that hold after every step of thousands of random commands, by several replicas.

use crate::hall::{call, close, finish, miss, open, rules, take};
use paihao_domain::{
    Act, Answer, CloseReason, Command, CommandId, Day, Decision, Event, Now, Person, Site, Stage,
    TicketId, Timestamp, decide,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A command, the wobble of the deciding replica's clock, and whether it is delivered twice.
type Step = (Act, i64, bool);

fn act() -> impl Strategy<Value = Act> {
    let counter = prop::sample::select(vec!["1", "2", "3"]);
    let queue = prop::sample::select(vec!["a", "b", "shut"]);
    prop_oneof![
        8 => ((0..12u8), queue).prop_map(|(person, queue)| take(&format!("p{person}"), queue)),
        2 => counter.clone().prop_map(open),
        1 => counter.clone().prop_map(close),
        6 => counter.clone().prop_map(call),
        4 => counter.clone().prop_map(finish),
        2 => counter.prop_map(miss),
        1 => (0..12u8).prop_map(|person| Act::Show { person: known(person) }),
        1 => (0..12u8).prop_map(|person| Act::Withdraw { person: known(person) }),
        1 => (0..12u8).prop_map(|person| Act::Forget { person: known(person) }),
        2 => (1..60u32).prop_map(|id| Act::Leave { ticket: TicketId(id), reason: CloseReason::ByStaff }),
    ]
}

fn known(person: u8) -> Person {
    Person::new(&format!("p{person}"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((act(), -90_000..90_000i64, any::<bool>()), 1..300)
}

/// Runs the steps; after each one that changed something, `look` sees the site and the decision.
fn live(steps: &[Step], mut look: impl FnMut(&Site, &Site, &Decision)) -> (Site, Vec<Decision>) {
    let (rules, mut site, mut ledger) = (rules(), Site::default(), Vec::new());
    for (i, (act, wobble, twice)) in steps.iter().enumerate() {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(i as u64).to_be_bytes());
        let command = Command { id: CommandId(id), fingerprint: 0, act: act.clone() };
        for delivery in 0..=usize::from(*twice) {
            let at = Timestamp(1_000_000_000 + i as i64 * 20_000 + wobble);
            // Every eightieth command falls on a new day; clocks disagree around it.
            let day = Day(20_000 + ((i as i64 * 20_000 + wobble) / 1_600_000) as i32);
            match decide(&site, &rules, &command, Now { at, day }) {
                Ok(Answer::Decided(decision)) => {
                    assert_eq!(delivery, 0, "a repeat was decided again: {command:?}");
                    let before = site.clone();
                    site.apply(&decision);
                    look(&before, &site, &decision);
                    ledger.push(decision);
                }
                Ok(Answer::Remembered(_)) => assert_eq!(delivery, 1),
                Err(_) => break,
            }
        }
    }
    (site, ledger)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn replaying_the_ledger_gives_the_same_site(steps in steps()) {
        let (lived, ledger) = live(&steps, |_, _, _| {});
        let mut fresh = Site::default();
        ledger.iter().for_each(|decision| fresh.apply(decision));
        prop_assert_eq!(format!("{fresh:?}"), format!("{lived:?}"));
    }

    #[test]
    fn everything_is_in_exactly_one_place(steps in steps()) {
        live(&steps, |_, site, _| {
            let mut numbers = BTreeSet::new();
            let mut holders = BTreeMap::new();
            for ticket in site.tickets() {
                assert!(numbers.insert(ticket.number.clone()), "{} twice", ticket.number);
                let waits = site.line(&ticket.queue).waiting().filter(|id| *id == ticket.id).count();
                assert_eq!(waits, usize::from(ticket.stage == Stage::Waiting));
                let counters = ["1", "2", "3"].map(paihao_domain::CounterId::new);
                let at: Vec<_> =
                    counters.iter().filter(|c| site.counter(c).serving == Some(ticket.id)).collect();
                match &ticket.stage {
                    Stage::Called { counter, .. } => assert_eq!(at, [counter]),
                    _ => assert!(at.is_empty()),
                }
                if let Some(person) = ticket.person.as_ref().filter(|_| ticket.is_live()) {
                    assert!(holders.insert(person.clone(), ticket.id).is_none(), "two live tickets");
                    assert_eq!(site.held_by(person).map(|held| held.id), Some(ticket.id));
                }
            }
        });
    }

    #[test]
    fn numbers_have_no_gap_and_no_repeat(steps in steps()) {
        live(&steps, |_, site, _| {
            for queue in ["a", "b"] {
                let serials: Vec<u32> = site
                    .tickets()
                    .filter(|ticket| ticket.queue.as_str() == queue)
                    .map(|ticket| ticket.number.serial)
                    .collect();
                assert!(serials.iter().copied().eq(1..=serials.len() as u32), "{serials:?}");
            }
        });
    }

    #[test]
    fn the_one_called_is_the_first_of_those_the_counter_serves(steps in steps()) {
        let rules = rules();
        live(&steps, |before, _, decision| {
            for event in &decision.events {
                let Event::TicketCalled { ticket, counter, .. } = event else { continue };
                let served = &rules.counters[counter].queues;
                let first = before
                    .tickets()
                    .filter(|t| t.stage == Stage::Waiting && served.contains(&t.queue))
                    .min_by_key(|t| t.id);
                // Tickets are numbered in the order of the ledger, so the smallest id came first.
                assert_eq!(first.map(|t| t.id), Some(*ticket));
            }
        });
    }

    #[test]
    fn nobody_ever_has_more_ahead_than_before(steps in steps()) {
        live(&steps, |before, after, _| {
            if before.day() != after.day() {
                return;
            }
            for ticket in before.tickets().filter(|ticket| ticket.stage == Stage::Waiting) {
                let now = after.ticket(ticket.id).expect("tickets stay for the day");
                assert!(after.ahead(now) <= before.ahead(ticket), "{}", ticket.number);
            }
        });
    }

    #[test]
    fn whoever_is_forgotten_is_named_nowhere(steps in steps(), person in 0..12u8) {
        let forget = (Act::Forget { person: known(person) }, 0, false);
        let steps: Vec<_> = steps.into_iter().chain([forget]).collect();
        let (site, _) = live(&steps, |_, _, _| {});
        let named = format!("{site:?}");
        prop_assert!(!named.contains(&format!("Some(p{person})")), "{}", named);
        prop_assert!(site.held_by(&known(person)).is_none());
    }

    #[test]
    fn no_event_follows_a_tickets_end(steps in steps()) {
        live(&steps, |before, _, decision| {
            for event in &decision.events {
                let (Event::TicketCalled { ticket, .. }
                | Event::TicketShown { ticket, .. }
                | Event::TicketFinished { ticket, .. }
                | Event::TicketMissed { ticket, .. }
                | Event::TicketClosed { ticket, .. }) = event
                else {
                    continue;
                };
                assert!(before.ticket(*ticket).is_some_and(|ticket| ticket.is_live()), "{event:?}");
            }
        });
    }
}
