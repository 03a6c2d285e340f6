//! Tests of the checker with valid histories, and with forged ones that have one violation each.

use super::check::check;
use super::history::{Answer, MicrosSinceStart, Operation, Request};
use super::model::Counters;
use paihao_contracts::commit::Decision;
use serde_json::{Value, json};

fn counters() -> Counters {
    ["1", "2"].map(|counter| (counter.to_owned(), vec!["a".to_owned()])).into()
}

/// Id of the command with this name.
fn command_id(name: &str) -> String {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    hex::encode(id)
}

/// Builds a decision from its stored form, which every later version can read.
fn decision(command: &str, outcome: Value, event: Value) -> Decision {
    let fingerprint = "00".repeat(8);
    let decision = json!({
        "command": command_id(command), "fingerprint": fingerprint, "at": 1, "outcome": outcome,
        "events": [event],
    });
    serde_json::from_value(decision).unwrap()
}

fn ticket_number(ticket: u32) -> String {
    format!("A{ticket:03}")
}

fn stored_ticket(ticket: u32) -> Value {
    json!({ "prefix": "A", "serial": ticket })
}

fn open_step(counter: &str) -> (Decision, Operation) {
    let command = format!("open {counter}");
    let outcome = json!({ "outcome": "counter_open", "counter": counter });
    let event = json!({ "event": "counter_opened", "counter": counter });
    let body = json!({ "outcome": "counter_open", "counter": counter, "at": 1 });
    let request = Request::Open { counter: counter.into() };
    (decision(&command, outcome, event), operation(&command, request, body))
}

fn take_step(ticket: u32) -> (Decision, Operation) {
    let command = format!("take {ticket}");
    let quoted = json!({ "ahead": 0 });
    let number = ticket_number(ticket);
    let outcome = json!({
        "outcome": "holding", "ticket": ticket, "number": stored_ticket(ticket), "queue": "a",
        "told": quoted, "new": true,
    });
    let event = json!({
        "event": "ticket_taken", "ticket": ticket, "queue": "a", "number": stored_ticket(ticket),
        "rank": { "class": 5, "arrival": ticket, "sequence": ticket }, "told": quoted,
    });
    let body = json!({ "outcome": "holding", "number": number, "queue": "a", "ahead": 0, "at": 1 });
    let request = Request::Take { queue: "a".into() };
    (decision(&command, outcome, event), operation(&command, request, body))
}

fn call_step(ticket: u32, counter: &str) -> (Decision, Operation) {
    let command = format!("call {ticket} {counter}");
    let outcome = json!({
        "outcome": "called", "ticket": ticket, "number": stored_ticket(ticket), "queue": "a",
        "counter": counter, "deadline": 9,
    });
    let event = json!({
        "event": "ticket_called", "ticket": ticket, "counter": counter, "call": 1, "deadline": 9,
    });
    let body = json!({
        "outcome": "called", "number": ticket_number(ticket), "queue": "a", "counter": counter,
        "deadline": 9, "at": 1,
    });
    let request = Request::CallNext { counter: counter.into() };
    (decision(&command, outcome, event), operation(&command, request, body))
}

fn leave_step(ticket: u32) -> (Decision, Operation) {
    let command = format!("leave {ticket}");
    let outcome = json!({ "outcome": "left", "ticket": ticket, "number": stored_ticket(ticket) });
    let event = json!({ "event": "ticket_closed", "ticket": ticket, "reason": "by_staff" });
    let body = json!({ "outcome": "left", "number": ticket_number(ticket), "at": 1 });
    let request = Request::Leave { number: ticket_number(ticket) };
    (decision(&command, outcome, event), operation(&command, request, body))
}

fn operation(command: &str, request: Request, body: Value) -> Operation {
    let answered = Some((0, Answer::Done(body)));
    let command = command_id(command);
    Operation { command, request, invoked_at: 0, answered, retried: false }
}

/// Builds a history without overlaps: requests at 10, 20, …, and responses at 15, 25, …
fn sequential(parts: Vec<(Decision, Operation)>) -> (Vec<Decision>, Vec<Operation>) {
    let (ledger, mut history): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    for (i, op) in history.iter_mut().enumerate() {
        set_times(op, 10 * (i as MicrosSinceStart + 1), 10 * (i as MicrosSinceStart + 1) + 5);
    }
    (ledger, history)
}

fn set_times(op: &mut Operation, invoked: MicrosSinceStart, answered: MicrosSinceStart) {
    op.invoked_at = invoked;
    op.answered.as_mut().unwrap().0 = answered;
}

fn refused_operation(
    request: Request,
    code: &str,
    invoked: MicrosSinceStart,
    answered: MicrosSinceStart,
) -> Operation {
    let answered = Some((answered, Answer::Refused(code.into())));
    Operation { command: "refused".into(), request, invoked_at: invoked, answered, retried: false }
}

fn valid_history() -> (Vec<Decision>, Vec<Operation>) {
    sequential(vec![
        open_step("1"),
        open_step("2"),
        take_step(1),
        take_step(2),
        call_step(1, "1"),
        call_step(2, "2"),
    ])
}

#[track_caller]
fn assert_violation(description: &str, (ledger, history): (Vec<Decision>, Vec<Operation>)) {
    let violations = check(&ledger, &history, counters());
    assert!(
        violations.len() == 1 && violations[0].contains(description),
        "{description} is expected: {violations:#?}"
    );
}

#[test]
fn valid_histories_have_no_violation() {
    assert_eq!(check(&valid_history().0, &valid_history().1, counters()), [""; 0]);
    // No ticket waits before the first take, and after the last call.
    let (ledger, mut history) = valid_history();
    let call_at = |invoked, answered| {
        refused_operation(
            Request::CallNext { counter: "1".into() },
            "nobody_waiting",
            invoked,
            answered,
        )
    };
    history.push(call_at(21, 31));
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
    // Of concurrent requests either may take effect first.
    let (ledger, mut history) = valid_history();
    set_times(&mut history[2], 30, 50);
    set_times(&mut history[3], 30, 50);
    history.swap(2, 3);
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
    // A request without a response may have been executed or not.
    let (ledger, mut history) = valid_history();
    history[5].answered = None;
    let missing = Operation { command: "never came".into(), ..history[5].clone() };
    history.push(missing);
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
}

#[test]
fn a_lost_number_is_found() {
    let (ledger, mut history) = valid_history();
    history.push(take_step(3).1);
    assert_violation("is lost", (ledger, history));
}

#[test]
fn a_ticket_called_by_two_counters_is_found() {
    let parts = vec![
        open_step("1"),
        open_step("2"),
        take_step(1),
        take_step(2),
        call_step(1, "1"),
        call_step(1, "2"),
    ];
    let (ledger, history) = sequential(parts);
    let violations = check(&ledger, &history, counters());
    assert!(
        violations.iter().any(|violations| violations.contains("by 1 and by 2")),
        "{violations:#?}"
    );
}

#[test]
fn a_counter_with_two_tickets_is_found() {
    assert_violation("while A001 was there", {
        sequential(vec![
            open_step("1"),
            take_step(1),
            take_step(2),
            call_step(1, "1"),
            call_step(2, "1"),
        ])
    });
}

#[test]
fn a_ledger_against_the_real_time_order_is_found() {
    let (mut ledger, history) = valid_history();
    // The second request was invoked after the response to the first; the ledger has them the other
    // way round.
    ledger.swap(0, 1);
    assert_violation("stands before", (ledger, history));
}

#[test]
fn a_call_out_of_turn_is_found() {
    assert_violation("A001\") was next", {
        sequential(vec![
            open_step("1"),
            take_step(1),
            take_step(2),
            call_step(2, "1"),
            leave_step(1),
        ])
    });
}

#[test]
fn a_response_that_differs_from_the_ledger_is_found() {
    let (ledger, mut history) = valid_history();
    history[2].answered.as_mut().unwrap().1 = take_step(7).1.answered.unwrap().1;
    assert_violation("is stored", (ledger, history));
}

#[test]
fn a_command_executed_twice_is_found() {
    let (mut ledger, history) = valid_history();
    let duplicate = Decision { events: vec![], ..ledger[5].clone() };
    ledger.push(duplicate);
    assert_violation("twice", (ledger, history));
}

#[test]
fn a_refused_but_executed_command_is_found() {
    let (ledger, mut history) = valid_history();
    history[5].answered = Some((65, Answer::Refused("counter_busy".into())));
    history[4].answered.as_mut().unwrap().0 = 99;
    let violations = check(&ledger, &history, counters());
    assert!(violations.iter().any(|violations| violations.contains("and done")), "{violations:#?}");
}

#[test]
fn a_refusal_that_was_never_true_is_found() {
    // Two tickets waited all the time.
    let (ledger, mut history) = valid_history();
    let call_at = Request::CallNext { counter: "1".into() };
    history.push(refused_operation(call_at, "nobody_waiting", 46, 49));
    assert_violation("was never true", (ledger, history));
    // The number had been issued before: the replica was behind.
    let (ledger, mut history) = valid_history();
    let leave = Request::Leave { number: "A001".into() };
    history.push(refused_operation(leave, "unknown_ticket", 36, 39));
    assert_violation("was never true", (ledger, history));
}

/// The entry that turns the day, with the first ticket of the new one.
fn turn_step(ticket: u32) -> (Decision, Operation) {
    let (mut decision, op) = take_step(ticket);
    let turn = json!({ "event": "day_opened", "day": 2 });
    decision.events.insert(0, serde_json::from_value(turn).unwrap());
    (decision, op)
}

#[test]
fn a_refusal_after_the_turn_of_the_day_needs_the_turn() {
    let leave = |number: &str, invoked, answered| {
        let request = Request::Leave { number: number.into() };
        refused_operation(request, "unknown_ticket", invoked, answered)
    };
    let parts = || vec![open_step("1"), take_step(1), turn_step(2)];
    // Answered before the next entry was requested, which records the turn.
    let (ledger, mut history) = sequential(parts());
    history.push(leave("A001", 26, 29));
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
    // The number that the entry itself gives out is known.
    let (ledger, mut history) = sequential(parts());
    history.push(leave("A002", 36, 39));
    assert_violation("unknown_ticket was never true", (ledger, history));
    // An entry earlier, nobody could have known of the turn.
    let (ledger, mut history) =
        sequential(vec![open_step("1"), take_step(1), take_step(3), turn_step(2)]);
    history.push(leave("A001", 26, 29));
    assert_violation("unknown_ticket was never true", (ledger, history));
}

#[test]
fn a_refusal_because_the_day_has_turned_needs_the_turn_while_its_client_waited() {
    let parts = || vec![open_step("1"), take_step(1), turn_step(2), take_step(3)];
    let leave = |invoked, answered| {
        refused_operation(Request::Leave { number: "A001".into() }, "day_turned", invoked, answered)
    };
    let (ledger, mut history) = sequential(parts());
    history.push(leave(26, 36));
    assert_eq!(check(&ledger, &history, counters()), [""; 0]);
    for (invoked, answered) in [(16, 26), (36, 46)] {
        let (ledger, mut history) = sequential(parts());
        history.push(leave(invoked, answered));
        assert_violation("day_turned was never true", (ledger, history));
    }
}
