//! The checker finds what it is there for: histories that are right, and each wrong in one thing.

use super::check::check;
use super::hall::Counters;
use super::history::{Answer, Instant, Op, Wish};
use paihao_contracts::commit::Decision;
use serde_json::{Value, json};

fn counters() -> Counters {
    ["1", "2"].map(|counter| (counter.to_owned(), vec!["a".to_owned()])).into()
}

/// As it is stored: what was stored once is understood for ever.
fn decision(command: &str, outcome: Value, event: Value) -> Decision {
    let fingerprint = "00".repeat(8);
    let decision = json!({
        "command": command, "fingerprint": fingerprint, "at": 1, "outcome": outcome,
        "events": [event],
    });
    serde_json::from_value(decision).unwrap()
}

fn number(ticket: u32) -> String {
    format!("A{ticket:03}")
}

fn stored(ticket: u32) -> Value {
    json!({ "prefix": "A", "serial": ticket })
}

fn opened(counter: &str) -> (Decision, Op) {
    let command = format!("open {counter}");
    let outcome = json!({ "outcome": "counter_open", "counter": counter });
    let event = json!({ "event": "counter_opened", "counter": counter });
    let body = json!({ "outcome": "counter_open", "counter": counter, "at": 1 });
    let wish = Wish::Open { counter: counter.into() };
    (decision(&command, outcome, event), op(&command, wish, body))
}

fn taken(ticket: u32) -> (Decision, Op) {
    let command = format!("take {ticket}");
    let (told, number) = (json!({ "ahead": 0 }), number(ticket));
    let outcome = json!({
        "outcome": "holding", "ticket": ticket, "number": stored(ticket), "queue": "a",
        "told": told, "new": true,
    });
    let event = json!({
        "event": "ticket_taken", "ticket": ticket, "queue": "a", "number": stored(ticket),
        "rank": { "class": 5, "arrival": ticket, "sequence": ticket }, "told": told,
    });
    let body = json!({ "outcome": "holding", "number": number, "queue": "a", "ahead": 0, "at": 1 });
    let wish = Wish::Take { queue: "a".into() };
    (decision(&command, outcome, event), op(&command, wish, body))
}

fn called(ticket: u32, counter: &str) -> (Decision, Op) {
    let command = format!("call {ticket} {counter}");
    let outcome = json!({
        "outcome": "called", "ticket": ticket, "number": stored(ticket), "queue": "a",
        "counter": counter, "deadline": 9,
    });
    let event = json!({
        "event": "ticket_called", "ticket": ticket, "counter": counter, "call": 1, "deadline": 9,
    });
    let body = json!({
        "outcome": "called", "number": number(ticket), "queue": "a", "counter": counter,
        "deadline": 9, "at": 1,
    });
    let wish = Wish::CallNext { counter: counter.into() };
    (decision(&command, outcome, event), op(&command, wish, body))
}

fn left(ticket: u32) -> (Decision, Op) {
    let command = format!("leave {ticket}");
    let outcome = json!({ "outcome": "left", "ticket": ticket, "number": stored(ticket) });
    let event = json!({ "event": "ticket_closed", "ticket": ticket, "reason": "by_staff" });
    let body = json!({ "outcome": "left", "number": number(ticket), "at": 1 });
    let wish = Wish::Leave { number: number(ticket) };
    (decision(&command, outcome, event), op(&command, wish, body))
}

fn op(command: &str, wish: Wish, body: Value) -> Op {
    let answered = Some((0, Answer::Done(body)));
    Op { command: command.into(), wish, asked: 0, answered, doubtful: false }
}

/// One after the other, each answered before the next one asks: at 10 and 15, 20 and 25, …
fn in_turn(parts: Vec<(Decision, Op)>) -> (Vec<Decision>, Vec<Op>) {
    let (ledger, mut history): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    for (i, op) in history.iter_mut().enumerate() {
        at(op, 10 * (i as Instant + 1), 10 * (i as Instant + 1) + 5);
    }
    (ledger, history)
}

fn at(op: &mut Op, asked: Instant, answered: Instant) {
    op.asked = asked;
    op.answered.as_mut().unwrap().0 = answered;
}

fn refused(wish: Wish, code: &str, asked: Instant, answered: Instant) -> Op {
    let answered = Some((answered, Answer::Refused(code.into())));
    Op { command: "refused".into(), wish, asked, answered, doubtful: false }
}

fn morning() -> (Vec<Decision>, Vec<Op>) {
    in_turn(vec![opened("1"), opened("2"), taken(1), taken(2), called(1, "1"), called(2, "2")])
}

#[track_caller]
fn finds(what: &str, (ledger, history): (Vec<Decision>, Vec<Op>)) {
    let wrong = check(&ledger, &history, counters());
    assert!(wrong.len() == 1 && wrong[0].contains(what), "{what} was to be found: {wrong:#?}");
}

#[test]
fn what_is_right_is_right() {
    assert_eq!(check(&morning().0, &morning().1, counters()), [""; 0]);
    // Nobody waits before the first has come, and after the last was called.
    let (ledger, mut history) = morning();
    let nobody = |asked, answered| {
        refused(Wish::CallNext { counter: "1".into() }, "nobody_waiting", asked, answered)
    };
    history.push(nobody(21, 31));
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
    // Of requests at the same time, either may come first.
    let (ledger, mut history) = morning();
    at(&mut history[2], 30, 50);
    at(&mut history[3], 30, 50);
    history.swap(2, 3);
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
    // What was never answered may have happened, or not.
    let (ledger, mut history) = morning();
    history[5].answered = None;
    let lost = Op { command: "never came".into(), ..history[5].clone() };
    history.push(lost);
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
}

#[test]
fn a_number_that_was_told_and_is_nowhere() {
    let (ledger, mut history) = morning();
    history.push(taken(3).1);
    finds("is lost", (ledger, history));
}

#[test]
fn somebody_whom_two_counters_call() {
    let parts = vec![opened("1"), opened("2"), taken(1), taken(2), called(1, "1"), called(1, "2")];
    let (ledger, history) = in_turn(parts);
    let wrong = check(&ledger, &history, counters());
    assert!(wrong.iter().any(|wrong| wrong.contains("by 1 and by 2")), "{wrong:#?}");
}

#[test]
fn a_counter_with_two_people() {
    finds("while A001 was there", {
        in_turn(vec![opened("1"), taken(1), taken(2), called(1, "1"), called(2, "1")])
    });
}

#[test]
fn one_who_was_answered_before_another_asked_and_stands_behind() {
    let (mut ledger, history) = morning();
    // Both took a number, the second after the first had hers; the ledger says otherwise.
    ledger.swap(0, 1);
    finds("stands before", (ledger, history));
}

#[test]
fn one_who_was_called_out_of_turn() {
    finds("A001\") was next", {
        in_turn(vec![opened("1"), taken(1), taken(2), called(2, "1"), left(1)])
    });
}

#[test]
fn an_answer_that_does_not_stand_in_the_ledger() {
    let (ledger, mut history) = morning();
    history[2].answered.as_mut().unwrap().1 = taken(7).1.answered.unwrap().1;
    finds("is stored", (ledger, history));
}

#[test]
fn what_was_done_twice() {
    let (mut ledger, history) = morning();
    let again = Decision { events: vec![], ..ledger[5].clone() };
    ledger.push(again);
    finds("twice", (ledger, history));
}

#[test]
fn what_was_refused_and_done() {
    let (ledger, mut history) = morning();
    history[5].answered = Some((65, Answer::Refused("counter_busy".into())));
    history[4].answered.as_mut().unwrap().0 = 99;
    let wrong = check(&ledger, &history, counters());
    assert!(wrong.iter().any(|wrong| wrong.contains("and done")), "{wrong:#?}");
}

#[test]
fn a_refusal_that_was_never_true() {
    // Two waited all the time.
    let (ledger, mut history) = morning();
    let nobody = Wish::CallNext { counter: "1".into() };
    history.push(refused(nobody, "nobody_waiting", 46, 49));
    finds("was never true", (ledger, history));
    // It knows a number that has long been given out no more: its replica was behind.
    let (ledger, mut history) = morning();
    let leave = Wish::Leave { number: "A001".into() };
    history.push(refused(leave, "unknown_ticket", 36, 39));
    finds("was never true", (ledger, history));
}
