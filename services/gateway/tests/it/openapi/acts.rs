//! Every act of staff, in each role: done, or refused as the document says, which says what
//! `docs/reference/transitions.md` does.

use super::everywhere::body;
use super::hall::Hall;
use super::script::play;
use super::walk::{Met, OPERATIONS};
use futures::{StreamExt, stream};

/// A transition's number and the state before.
type Row = Option<(&'static str, &'static str)>;

/// An act that can be done after the script, in which `STATISTICS_ACCESS` is whoever does it; and how the table
/// of transitions calls it: its number and the state before, if it has a row there.
const ACTS: &[(&str, &str, Row)] = &[
    ("numbers", "", None),
    ("numbers_csv", "", None),
    ("open_counter", "", None),
    ("break_counter", "WHO open_counter", None),
    ("close_counter", "WHO open_counter", None),
    ("call_next", OPEN_TAKEN, Some(("2", "waiting"))),
    ("call", OPEN_TAKEN, Some(("3", "waiting"))),
    ("recall", RECALLABLE, Some(("4", "called"))),
    ("start", CALLED, Some(("5", "called"))),
    ("put_back", CALLED, Some(("6", "called"))),
    ("missed", CALLED, Some(("7", "called"))),
    ("finish", CALLED, Some(("17", "serving"))),
    ("suspend", SERVED, Some(("14", "serving"))),
    ("resume_here", SUSPENDED, Some(("15", "suspended"))),
    ("take_ticket", "", Some(("1", "∅"))),
    ("leave", TAKEN, Some(("18", "waiting"))),
    ("remove", TAKEN, Some(("18", "waiting"))),
    ("return", MISSED, Some(("8", "missed"))),
    ("hold", TAKEN, Some(("12", "waiting"))),
    ("resume", HELD, Some(("13", "held"))),
    ("transfer", CALLED, Some(("16", "called"))),
    ("undo", FINISHED, Some(("20", "done"))),
    ("prioritise", TAKEN, Some(("21", "waiting"))),
    ("arrived", TAKEN, Some(("21", "waiting"))),
    ("party", TAKEN, Some(("21", "waiting"))),
    ("open_queue", "", None),
    ("pause_queue", "", None),
    ("halt_queue", "", None),
    ("close_queue", "", None),
    ("clear_queue", TAKEN, Some(("19", "waiting"))),
];

const TAKEN: &str = "manager take_ticket";
const OPEN_TAKEN: &str = "WHO open_counter
    manager take_ticket";
const CALLED: &str = "WHO open_counter
    manager take_ticket
    WHO call_next";
const RECALLABLE: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    wait 20";
const SERVED: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    WHO start";
const SUSPENDED: &str = r#"WHO open_counter
    manager take_ticket
    WHO call_next
    WHO start
    manager suspend {"reason": "a paper is missing"}"#;
const MISSED: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    manager missed";
const HELD: &str = r#"manager take_ticket
    manager hold {"reason": "a phone call"}"#;
const FINISHED: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    WHO finish";

/// The roles of keys, and their columns in the table of transitions.
const ROLES: [(&str, usize); 4] = [("staff", 6), ("manager", 8), ("api", 9), ("api_manager", 10)];

pub async fn walk(met: &Met) {
    let by = |act: &'static (&str, &str, _)| ROLES.map(|(who, _)| (act.0, act.1, who));
    let all = stream::iter(ACTS.iter().flat_map(by));
    all.for_each_concurrent(8, |(id, before, who)| done_or_not(met, id, before, who)).await;
}

async fn done_or_not(met: &Met, id: &str, before: &str, who: &str) {
    let may = OPERATIONS[id].roles().expect("staff's alone");
    let hall = Hall::new(met).await;
    play(&hall, who, before).await;
    let ask = hall.walk.ask(id).by(who);
    let answer = match body(id) {
        Some(body) => ask.json(&body),
        None => ask,
    };
    let answer = answer.send().await;
    let expected = if may.contains(&who) { "ok" } else { "not_allowed" };
    assert_eq!(answer.code(), expected, "{who} {id}: {answer:?}");
}

#[test]
fn every_act_of_staff_is_among_them() {
    for operation in OPERATIONS.values() {
        let of_role = operation.is_at("site")
            && !operation.is_of_book()
            && operation.roles().is_some_and(|roles| roles.len() < ROLES.len());
        let is_here = ACTS.iter().any(|(id, ..)| *id == operation.id);
        assert!(is_here || !of_role, "{} has roles, and no row here", operation.id);
    }
}

#[test]
fn the_roles_of_the_document_are_those_of_the_transitions() {
    let table = include_str!("../../../../../docs/reference/transitions.md");
    for (id, _, row) in ACTS {
        let Some((number, from)) = row else { continue };
        let start = format!("| {number} | {from} |");
        let word = id.split('_').next().unwrap().trim_end_matches('d');
        let rows: Vec<_> = table.lines().filter(|line| line.starts_with(&start)).collect();
        let row = match rows[..] {
            [row] => row,
            _ => {
                *rows.iter().find(|row| row.contains(&word[..4])).unwrap_or_else(|| panic!("{id}"))
            }
        };
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        for (role, column) in ROLES {
            let there = columns[if column == 6 { 7 } else { column + 1 }] != "not_allowed";
            let here = OPERATIONS[*id].roles().unwrap().contains(&role);
            assert_eq!(here, there, "{role} {id}: {row}");
        }
    }
}
