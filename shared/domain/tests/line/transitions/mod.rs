//! Tests of every transition, by every actor, and of every guard.
//!
//! The cases are run, and printed as `docs/reference/transitions.md`, which is compared. To write
//! it anew: `PAIHAO_WRITE=1 cargo test -p paihao-domain transitions`.

mod day_turn;
mod fixtures;
mod guards;
mod law;
mod rows;
mod scene;

use crate::fixture::{MINUTE_MS, manager, rules, staff};
use fixtures::{closes_in, take_without_person};
use guards::{Guard, guards};
use paihao_domain::{Act, QueueId, Refusal, TicketStatus};
use rows::{OK, Row, rows};
use scene::{ACTORS, actor, refusal_code, site_with_ann};
use std::fmt::Write;

#[test]
fn each_actor_may_do_what_the_table_says_and_nothing_else() {
    for row in rows() {
        for ((column, _), expected) in ACTORS.into_iter().zip(row.who) {
            let mut rules = rules();
            (row.rules)(&mut rules);
            let mut fixture = site_with_ann(rules, column, row.from);
            fixture.advance_ms(MINUTE_MS - 1);
            if row.from == "missed" && row.to == TicketStatus::Closed || column == "Y" {
                fixture.advance_ms(2);
            }
            let before = fixture.site.clone();
            let act = match (row.no, column) {
                // Staff give numbers to people without WeChat.
                ("1", "S" | "S′" | "M" | "A" | "A(M)") => Act::Take {
                    queue: QueueId::new("a"),
                    person: None,
                    scan_session: None,
                    class: None,
                    key: None,
                },
                _ => (row.act)(),
            };
            let result = fixture.at_once_as(actor(column), act).0;
            let case = format!("{} {} of {} by {column}", row.no, row.command, row.from);
            match result {
                Ok(_) => {
                    assert_eq!(OK, expected, "{case}");
                    assert_eq!(fixture.state(1), row.to, "{case}");
                }
                Err(refusal) => {
                    assert_eq!(refusal_code(&refusal), expected, "{case}");
                    assert_eq!(fixture.site, before, "{case}");
                }
            }
        }
    }
}

#[test]
fn from_any_other_state_a_transition_is_refused_and_the_state_named() {
    let states = ["waiting", "called", "serving", "missed", "held", "suspended", "done", "closed"];
    let takes_a_ticket =
        |row: &&Row| !["1", "2", "19", "21"].contains(&row.no) && row.command != "call next";
    for row in rows().iter().filter(takes_a_ticket) {
        let table = rows();
        let same = |r: &&Row| r.command.split(" (").next() == row.command.split(" (").next();
        let from: Vec<_> = table.iter().filter(same).map(|r| r.from).collect();
        let from_held = |state: &str| from.contains(&"held") && state == "suspended";
        for state in states.into_iter().filter(|s| !from.contains(s) && !from_held(s)) {
            let mut fixture = site_with_ann(rules(), "M", state);
            fixture.advance_ms(20_000);
            let before = fixture.site.clone();
            let found = fixture.state(1);
            let column = ["S", "C", "Y"].into_iter().find(|column| {
                let column = ACTORS.iter().position(|(name, _)| name == column).unwrap();
                row.who[column] == OK
            });
            let by = match column.unwrap() {
                "S" => manager(),
                other => actor(other),
            };
            let refusal = fixture.at_once_as(by, (row.act)()).then_refused();
            let case = format!("{} {} of {state}: {refusal:?}", row.no, row.command);
            match refusal {
                Refusal::WrongState { found: named, .. } => assert_eq!(named, found, "{case}"),
                Refusal::TicketEnded(_) => {
                    assert!(matches!(found, TicketStatus::Done | TicketStatus::Closed), "{case}")
                }
                // An act at a counter finds no ticket there.
                Refusal::CounterIdle(_) | Refusal::CounterBusy { .. } => {}
                other => panic!("{case}: {other:?}"),
            }
            assert_eq!(fixture.site, before, "{case}");
        }
    }
}

#[test]
fn a_command_whose_guard_fails_is_refused_and_changes_nothing() {
    for Guard { no, when, fixture, by, act, refused } in guards() {
        let mut fixture = fixture();
        let before = fixture.site.clone();
        let refusal = fixture.at_once_as(actor(by), act()).then_refused();
        assert_eq!(refusal_code(&refusal), refused, "{no}, {when}: {refusal:?}");
        assert_eq!(fixture.site, before, "{no}, {when}");
    }
}

#[test]
fn staff_may_give_a_number_whose_turn_may_come_after_closing_time() {
    let mut fixture = closes_in(10);
    fixture.at_once_as(staff("desk", &["1"]), take_without_person("a")).then();
}

fn table() -> String {
    let mut out = String::from(
        "# Transitions\n\n\
         Transitions of tickets, the actors that may request them, and the refusals. Printed from the cases\n\
         of `shared/domain/tests/line/transitions`, which are run: do not edit, run the tests with\n\
         `PAIHAO_WRITE=1`.\n\n## Who\n\n",
    );
    for (column, who) in ACTORS {
        writeln!(out, "- **{column}**: {who}").unwrap();
    }
    out += "\nNumbers are those of the specification. ✓: done; otherwise the refusal.\n\n| # | from | command | to |";
    ACTORS.iter().for_each(|(column, _)| write!(out, " {column} |").unwrap());
    out += "\n| --- | --- | --- | --- |";
    ACTORS.iter().for_each(|_| out += " --- |");
    out += "\n";
    for row in rows() {
        write!(out, "| {} | {} | {} | {} |", row.no, row.from, row.command, row.to.name()).unwrap();
        row.who.iter().for_each(|who| write!(out, " {who} |").unwrap());
        out += "\n";
    }
    out += "\n19 happens at the end of a business day, too, to every live ticket of a queue that does not carry over.\n\n";
    out += "## Guards\n\n| # | when | asked by | refused |\n| --- | --- | --- | --- |\n";
    for Guard { no, when, by, refused, .. } in guards() {
        writeln!(out, "| {no} | {when} | {by} | {refused} |").unwrap();
    }
    out
}

#[test]
fn the_documentation_is_this_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/transitions.md");
    let table = table();
    if std::env::var_os("PAIHAO_WRITE").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == table, "docs/reference/transitions.md differs: run with PAIHAO_WRITE=1");
}
