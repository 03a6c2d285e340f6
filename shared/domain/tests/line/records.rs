//! Checks of visit records over random histories: one record for each visit, and the counts of
//! overtakings.

use crate::random_steps::input_at_step;
use paihao_domain::{
    Act, Actor, Command, CommandId, Decision, DecisionResult, Event, Rules, Site, TicketId,
    TicketState, decide,
};
use std::collections::{BTreeMap, BTreeSet};

/// Closes the following days, without any ticket being carried over.
pub(super) fn close_remaining_days(rules: &Rules, site: &mut Site, ledger: &mut Vec<Decision>) {
    let mut rules = rules.clone();
    rules.queues.values_mut().for_each(|queue| queue.carry_over = false);
    for step in [800, 1_200] {
        let command = Command {
            id: CommandId::derived(&format!("night/{step}")),
            fingerprint: 0,
            actor: Actor::System,
            act: Act::CloseDay,
            day: None,
        };
        let answer = decide(site, &rules, &command, &input_at_step(step, 0));
        if let Ok(DecisionResult::Decided(decision, after)) = answer {
            *site = *after;
            ledger.push(decision);
        }
    }
}

/// Checks that every ticket taken ends in exactly one record, whatever was undone meanwhile.
pub(super) fn assert_one_record_each(ledger: &[Decision]) {
    let mut taken = BTreeSet::new();
    let mut records = BTreeMap::new();
    let mut today = BTreeMap::new();
    for decision in ledger {
        for event in &decision.events {
            match event {
                Event::DayOpened { .. } => today.clear(),
                Event::TicketTaken { ticket, .. } => {
                    assert!(taken.insert((*ticket, decision.at)));
                    today.insert(*ticket, decision.at);
                }
                Event::TicketCarried { ticket } => drop(today.insert(ticket.id, ticket.taken_at)),
                Event::TicketFinished { ticket, visit, .. }
                | Event::TicketClosed { ticket, visit, .. } => {
                    let visit = visit.as_ref().expect("an end has a visit record");
                    assert_eq!(visit.taken_at, today[ticket]);
                    let earlier = records.insert((*ticket, visit.taken_at), visit.day);
                    assert_eq!(earlier, None, "{ticket:?} ended twice");
                }
                Event::TicketRestored { ticket, retracts } => {
                    let record = records.remove(&(ticket.id, ticket.taken_at));
                    assert_eq!(record, *retracts, "{ticket:?}");
                }
                _ => {}
            }
        }
    }
    let ended: BTreeSet<_> = records.into_keys().collect();
    assert_eq!(ended, taken);
}

/// Checks the count of overtakings against the tickets that came before or were called from behind.
pub(super) fn assert_overtakes_counted(before: &Site, after: &Site, decision: &Decision) {
    for ticket in before.tickets().filter(|ticket| ticket.state == TicketState::Waiting) {
        let Some(now) = after.ticket(ticket.id).filter(|now| {
            now.state == TicketState::Waiting
                && (now.rank, &now.queue) == (ticket.rank, &ticket.queue)
        }) else {
            continue;
        };
        let front = |site: &Site| -> BTreeSet<TicketId> {
            let line = site.line(&now.queue);
            line.waiting().take_while(|id| *id != now.id).collect()
        };
        let placed_ahead = front(after).difference(&front(before)).count();
        let called_over = decision.events.iter().filter(|event| match event {
            Event::TicketCalled { ticket: called, reason: Some(_), .. } => {
                before.ticket(*called).is_some_and(|called| {
                    called.queue == now.queue && !front(before).contains(&called.id)
                })
            }
            _ => false,
        });
        let counted = after.overtake_counts(now).total() - before.overtake_counts(ticket).total();
        assert_eq!(counted as usize, placed_ahead + called_over.count(), "{}", now.number);
    }
}
