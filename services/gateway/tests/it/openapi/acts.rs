//! Tests of every act of staff in each role that the OpenAPI document allows, which agrees with
//! `docs/reference/transitions.md`. That no other role may is tested for every operation alike.

use super::everywhere::sample_body;
use super::fixture::Fixture;
use super::script::run_script;
use super::walk::{Coverage, OPERATIONS};
use futures::{StreamExt, stream};

/// Number of a transition and the state before it.
type Transition = Option<(&'static str, &'static str)>;

/// Acts with the script that makes each possible, in which `WHO` is the actor, and their rows in
/// the table of transitions, if there are any.
const ACTS: &[(&str, &str, Transition)] = &[
    ("numbers", "", None),
    ("page_links", "", None),
    ("numbers_csv", "", None),
    ("open_counter", "", None),
    ("take_over_counter", "manager open_counter", None),
    ("break_counter", "WHO open_counter", None),
    ("close_counter", "WHO open_counter", None),
    ("call_next", OPEN_AND_TAKE, Some(("2", "waiting"))),
    ("call", OPEN_AND_TAKE, Some(("3", "waiting"))),
    ("recall", CALL_AND_WAIT, Some(("4", "called"))),
    ("start", CALL_TICKET, Some(("5", "called"))),
    ("put_back", CALL_TICKET, Some(("6", "called"))),
    ("missed", CALL_TICKET, Some(("7", "called"))),
    ("finish", CALL_TICKET, Some(("17", "serving"))),
    ("suspend", START_SERVING, Some(("14", "serving"))),
    ("resume_here", SUSPEND_TICKET, Some(("15", "suspended"))),
    ("take_ticket", "", Some(("1", "∅"))),
    ("leave", TAKE_TICKET, Some(("18", "waiting"))),
    ("remove", TAKE_TICKET, Some(("18", "waiting"))),
    ("return", MISS_TICKET, Some(("8", "missed"))),
    ("hold", TAKE_TICKET, Some(("12", "waiting"))),
    ("resume", HOLD_TICKET, Some(("13", "held"))),
    ("transfer", CALL_TICKET, Some(("16", "called"))),
    ("undo", FINISH_TICKET, Some(("20", "done"))),
    ("prioritise", TAKE_TICKET, Some(("21", "waiting"))),
    ("arrived", TAKE_TICKET, Some(("21", "waiting"))),
    ("party", TAKE_TICKET, Some(("21", "waiting"))),
    ("open_queue", "", None),
    ("pause_queue", "", None),
    ("halt_queue", "", None),
    ("close_queue", "", None),
    ("clear_queue", TAKE_TICKET, Some(("19", "waiting"))),
];

const TAKE_TICKET: &str = "manager take_ticket";
const OPEN_AND_TAKE: &str = "WHO open_counter
    manager take_ticket";
const CALL_TICKET: &str = "WHO open_counter
    manager take_ticket
    WHO call_next";
const CALL_AND_WAIT: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    wait 20";
const START_SERVING: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    WHO start";
const SUSPEND_TICKET: &str = r#"WHO open_counter
    manager take_ticket
    WHO call_next
    WHO start
    manager suspend {"reason": "a paper is missing"}"#;
const MISS_TICKET: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    manager missed";
const HOLD_TICKET: &str = r#"manager take_ticket
    manager hold {"reason": "a phone call"}"#;
const FINISH_TICKET: &str = "WHO open_counter
    manager take_ticket
    WHO call_next
    WHO finish";

/// Roles of keys, with their columns in the table of transitions.
const ROLES: [(&str, usize); 4] = [("staff", 6), ("manager", 8), ("api", 9), ("api_manager", 10)];

pub async fn run(coverage: &Coverage) {
    let by = |(id, before, _): &'static (&str, &str, _)| {
        let allowed = OPERATIONS[*id].roles().expect("staff's alone");
        allowed.into_iter().map(|role| (*id, *before, role))
    };
    let all = stream::iter(ACTS.iter().flat_map(by));
    all.for_each_concurrent(8, |(id, before, role)| check_act(coverage, id, before, role)).await;
}

async fn check_act(coverage: &Coverage, id: &str, before: &str, role: &str) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, role, before).await;
    let request = fixture.client.request(id).with_key_of(role);
    let response = match sample_body(id) {
        Some(body) => request.json(&body),
        None => request,
    };
    let response = response.send().await;
    assert_eq!(response.problem_code(), "ok", "{role} {id}: {response:?}");
}

#[test]
fn every_act_of_staff_is_among_them() {
    for operation in OPERATIONS.values() {
        let of_role = operation.has_path_parameter("site")
            && !operation.is_for_settings()
            && operation.roles().is_some_and(|roles| roles.len() < ROLES.len());
        // A repair needs a wrong clock, and what reads the ledger or is about webhooks, kiosks and
        // limits is no act: `answers`.
        let elsewhere = [
            "reset_day",
            "site_at",
            "replay_webhook",
            "webhook_deliveries",
            "test_webhook",
            "kiosks",
            "pair_kiosk",
            "unpair_kiosk",
            "lift_limit",
        ];
        let is_elsewhere = elsewhere.contains(&&*operation.id);
        let is_here = is_elsewhere || ACTS.iter().any(|(id, ..)| *id == operation.id);
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
