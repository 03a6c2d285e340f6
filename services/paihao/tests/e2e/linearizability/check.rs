//! Linearizability checker: compares a history of requests with the ledger.
//!
//! A history is valid if every request took effect at one instant between its invocation and its
//! response, and the ledger is the order of these instants. So a request that was answered before
//! another was invoked precedes it in the ledger; every response equals the stored outcome; every
//! refusal was true at some instant while its client waited; and a request without a response was
//! executed at most once.

use super::history::{Answer, MicrosSinceStart, Operation};
use super::model::{Counters, ReferenceModel};
use paihao_contracts::commit::{Decision, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Checks a history against the ledger. Returns a sentence for each violation.
pub fn check(ledger: &[Decision], history: &[Operation], counters: Counters) -> Vec<String> {
    let mut violations = Vec::new();
    let mut positions = BTreeMap::new();
    for (at, decision) in ledger.iter().enumerate() {
        let command = hex::encode(decision.command);
        if positions.contains_key(&command) {
            violations.push(format!("the command {command} was decided twice"));
        }
        positions.insert(command, at);
    }
    let position = |op: &Operation| positions.get(&op.command).copied();
    for op in history {
        check_answer(op, position(op).map(|at| &ledger[at]), &mut violations);
    }
    check_real_time_order(ledger.len(), history, position, &mut violations);
    let mut refusals = refusal_windows(ledger.len(), history, position);
    let mut model = ReferenceModel::new(counters);
    for at in 0..=ledger.len() {
        refusals.retain(|refusal| {
            let now = (refusal.from..=refusal.to).contains(&at);
            !(now && model.explains_refusal(&refusal.op.request, refusal.code))
        });
        if let Some(decision) = ledger.get(at) {
            // The day turns by the clock, and the first decision after that records it.
            let turned = model.states_after_turn(decision);
            refusals.retain(|refusal| {
                let now = (refusal.from..=refusal.to).contains(&at);
                let RefusalWindow { op, code, .. } = refusal;
                let is_explained = match *code {
                    // The ticket was found before the turn and decided about after it.
                    "day_turned" => op.request.number().is_some() && at < refusal.to,
                    _ => turned.iter().any(|state| state.explains_refusal(&op.request, code)),
                };
                !(now && is_explained && !turned.is_empty())
            });
            model.apply(decision, &mut violations);
        }
    }
    for RefusalWindow { op, code, .. } in refusals {
        violations.push(format!("{code} was never true while the client waited: {:?}", op.request));
    }
    violations
}

/// Checks that the response equals the stored outcome.
fn check_answer(op: &Operation, decision: Option<&Decision>, violations: &mut Vec<String>) {
    match (&op.answered, decision) {
        (Some((_, Answer::Done(body))), None) => {
            violations.push(format!("{:?} was answered {body}, and is lost", op.request));
        }
        (Some((_, Answer::Done(body))), Some(decision)) => {
            let mut stored = outcome_as_json(&decision.outcome);
            stored["at"] = decision.at.into();
            for (field, value) in stored.as_object().into_iter().flatten() {
                if body[field] != *value {
                    let request = &op.request;
                    violations
                        .push(format!("{request:?} was answered {body}, and {stored} is stored"));
                    break;
                }
            }
        }
        // After a retry, a refusal is no contradiction: the first attempt, which got no response,
        // may have been executed late.
        (Some((_, Answer::Refused(code))), Some(_)) if !op.retried => {
            violations.push(format!("{:?} was refused, {code}, and done", op.request));
        }
        _ => {}
    }
}

/// Converts a stored outcome to the API's JSON.
fn outcome_as_json(outcome: &Outcome) -> Value {
    let number = |number: &paihao_contracts::commit::Number| number.to_string();
    match outcome {
        Outcome::Holding { number: n, queue, quoted, .. } => {
            json!({ "outcome": "holding", "number": number(n), "queue": queue, "ahead": quoted.ahead })
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
        Outcome::TicketChanged { number: n, queue, state, .. } => {
            json!({ "outcome": "stands", "number": number(n), "queue": queue, "state": state })
        }
        Outcome::CounterOpen { counter } => {
            json!({ "outcome": "counter_open", "counter": counter })
        }
        other => json!({ "outcome": format!("{other:?}") }),
    }
}

/// Checks that no request precedes, in the ledger, one that had been answered before its
/// invocation.
fn check_real_time_order<'a>(
    entries: usize,
    history: &'a [Operation],
    position: impl Fn(&Operation) -> Option<usize>,
    violations: &mut Vec<String>,
) {
    let mut by_position: Vec<Option<&'a Operation>> = vec![None; entries];
    for op in history {
        if let Some(at) = position(op) {
            by_position[at] = Some(op);
        }
    }
    let mut latest: Option<&Operation> = None;
    for op in by_position.into_iter().flatten() {
        if let (Some(before), Some((answered, Answer::Done(_)))) = (latest, &op.answered)
            && before.invoked_at > *answered
        {
            violations.push(format!(
                "{:?} was invoked at {}, and stands before {:?}, answered at {answered}",
                before.request, before.invoked_at, op.request
            ));
        }
        if latest.is_none_or(|latest| op.invoked_at > latest.invoked_at) {
            latest = Some(op);
        }
    }
}

/// Refusal, with the range of ledger lengths that were possible while its client waited.
struct RefusalWindow<'a> {
    op: &'a Operation,
    code: &'a str,
    from: usize,
    to: usize,
}

fn refusal_windows<'a>(
    entries: usize,
    history: &'a [Operation],
    position: impl Fn(&Operation) -> Option<usize>,
) -> Vec<RefusalWindow<'a>> {
    let stored: Vec<(MicrosSinceStart, MicrosSinceStart, usize)> = history
        .iter()
        .filter_map(|op| {
            let answered = match &op.answered {
                Some((at, Answer::Done(_))) => *at,
                _ => MicrosSinceStart::MAX,
            };
            Some((op.invoked_at, answered, position(op)?))
        })
        .collect();
    let refused = history.iter().filter_map(|op| match &op.answered {
        Some((at, Answer::Refused(code))) => Some((op, *at, code)),
        _ => None,
    });
    refused
        .map(|(op, at, code)| {
            let before = stored.iter().filter(|(_, answered, _)| *answered < op.invoked_at);
            let after = stored.iter().filter(|(invoked, _, _)| *invoked > at);
            let from = before.map(|(_, _, position)| position + 1).max().unwrap_or(0);
            let to = after.map(|(_, _, position)| *position).min().unwrap_or(entries);
            RefusalWindow { op, code, from, to }
        })
        .collect()
}
