//! Whether a history of requests fits the ledger: a pure function.
//!
//! It fits if every wish took effect at one instant between its request and its answer, and the
//! ledger is the order of these instants. Then whoever was answered before somebody else asked
//! stands before them; every answer is what stands in the ledger; every refusal was true at some
//! instant while its asker waited; and what nobody was answered happened at most once.

use super::history::{Answer, MicrosSinceStart, Operation};
use super::model::{Counters, ReferenceModel};
use paihao_contracts::commit::{Decision, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Everything that does not fit.
pub fn check(ledger: &[Decision], history: &[Operation], counters: Counters) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, decision) in ledger.iter().enumerate() {
        if places.insert(&decision.command, at).is_some() {
            wrong.push(format!("the command {} was decided twice", decision.command));
        }
    }
    let place = |op: &Operation| places.get(&*op.command).copied();
    for op in history {
        check_answer(op, place(op).map(|at| &ledger[at]), &mut wrong);
    }
    check_real_time_order(ledger.len(), history, place, &mut wrong);
    let mut refusals = refusal_windows(ledger.len(), history, place);
    let mut hall = ReferenceModel::new(counters);
    for at in 0..=ledger.len() {
        refusals.retain(|refusal| {
            let now = (refusal.from..=refusal.to).contains(&at);
            !(now && hall.explains_refusal(&refusal.op.request, refusal.code))
        });
        if let Some(decision) = ledger.get(at) {
            hall.apply(decision, &mut wrong);
        }
    }
    for RefusalWindow { op, code, .. } in refusals {
        wrong.push(format!("{code} was never true while it was asked: {:?}", op.request));
    }
    wrong
}

/// What was answered is what stands in the ledger.
fn check_answer(op: &Operation, decision: Option<&Decision>, wrong: &mut Vec<String>) {
    match (&op.answered, decision) {
        (Some((_, Answer::Done(body))), None) => {
            wrong.push(format!("{:?} was answered {body}, and is lost", op.request));
        }
        (Some((_, Answer::Done(body))), Some(decision)) => {
            let mut stored = outcome_as_json(&decision.outcome);
            stored["at"] = decision.at.into();
            for (field, value) in stored.as_object().into_iter().flatten() {
                if body[field] != *value {
                    let wish = &op.request;
                    wrong.push(format!("{wish:?} was answered {body}, and {stored} is stored"));
                    break;
                }
            }
        }
        // A request without an answer may come late: it was sent before the one that was refused.
        (Some((_, Answer::Refused(code))), Some(_)) if !op.retried => {
            wrong.push(format!("{:?} was refused, {code}, and done", op.request));
        }
        _ => {}
    }
}

/// A stored outcome in the words of the API.
fn outcome_as_json(outcome: &Outcome) -> Value {
    let number = |number: &paihao_contracts::commit::Number| number.to_string();
    match outcome {
        Outcome::Holding { number: n, queue, told, .. } => {
            json!({ "outcome": "holding", "number": number(n), "queue": queue, "ahead": told.ahead })
        }
        Outcome::Called { number: n, queue, counter, deadline, .. } => json!({
            "outcome": "called", "number": number(n), "queue": queue, "counter": counter,
            "deadline": deadline,
        }),
        Outcome::Finished { number: n, counter, .. } => {
            json!({ "outcome": "finished", "number": number(n), "counter": counter })
        }
        Outcome::Missed { number: n, counter, .. } => {
            json!({ "outcome": "missed", "number": number(n), "counter": counter })
        }
        Outcome::Left { number: n, .. } => json!({ "outcome": "left", "number": number(n) }),
        Outcome::Stands { number: n, queue, state, .. } => {
            json!({ "outcome": "stands", "number": number(n), "queue": queue, "state": state })
        }
        Outcome::CounterOpen { counter } => {
            json!({ "outcome": "counter_open", "counter": counter })
        }
        other => json!({ "outcome": format!("{other:?}") }),
    }
}

/// Nobody stands before somebody who had been answered before they asked.
fn check_real_time_order<'a>(
    entries: usize,
    history: &'a [Operation],
    place: impl Fn(&Operation) -> Option<usize>,
    wrong: &mut Vec<String>,
) {
    let mut by_place: Vec<Option<&'a Operation>> = vec![None; entries];
    for op in history {
        if let Some(at) = place(op) {
            by_place[at] = Some(op);
        }
    }
    let mut latest: Option<&Operation> = None;
    for op in by_place.into_iter().flatten() {
        if let (Some(before), Some((answered, Answer::Done(_)))) = (latest, &op.answered)
            && before.invoked_at > *answered
        {
            wrong.push(format!(
                "{:?} was asked at {}, and stands before {:?}, answered at {answered}",
                before.request, before.invoked_at, op.request
            ));
        }
        if latest.is_none_or(|latest| op.invoked_at > latest.invoked_at) {
            latest = Some(op);
        }
    }
}

/// A refusal, and the states of the ledger that may have been there while it was asked: by how many
/// decisions they had.
struct RefusalWindow<'a> {
    op: &'a Operation,
    code: &'a str,
    from: usize,
    to: usize,
}

fn refusal_windows<'a>(
    entries: usize,
    history: &'a [Operation],
    place: impl Fn(&Operation) -> Option<usize>,
) -> Vec<RefusalWindow<'a>> {
    let stands: Vec<(MicrosSinceStart, MicrosSinceStart, usize)> = history
        .iter()
        .filter_map(|op| {
            let answered = match &op.answered {
                Some((at, Answer::Done(_))) => *at,
                _ => MicrosSinceStart::MAX,
            };
            Some((op.invoked_at, answered, place(op)?))
        })
        .collect();
    let refused = history.iter().filter_map(|op| match &op.answered {
        Some((at, Answer::Refused(code))) => Some((op, *at, code)),
        _ => None,
    });
    refused
        .map(|(op, at, code)| {
            let before = stands.iter().filter(|(_, answered, _)| *answered < op.invoked_at);
            let after = stands.iter().filter(|(asked, _, _)| *asked > at);
            let from = before.map(|(_, _, place)| place + 1).max().unwrap_or(0);
            let to = after.map(|(_, _, place)| *place).min().unwrap_or(entries);
            RefusalWindow { op, code, from, to }
        })
        .collect()
}
