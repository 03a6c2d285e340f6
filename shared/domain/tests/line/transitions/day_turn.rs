//! Tests of the day to which a command for a certain ticket is bound: ids and numbers begin again
//! each day, and no command meets the ticket of another one.

use super::rows::{OK, Row, queue_a, rows};
use super::scene::{ACTORS, actor, bring_ann, open_counter, site_with_ann};
use crate::fixture::{MINUTE_MS, SiteFixture, rules};
use paihao_domain::{Act, Actor, Command, CommandId, QueueId, QueueState, Refusal, TicketStatus};

/// The same act with the number that the caller saw at the counter.
fn with_number(mut act: Act) -> Act {
    if let Act::Recall(served)
    | Act::Start(served)
    | Act::PutBack(served)
    | Act::Finish(served)
    | Act::Miss(served)
    | Act::Suspend { served, .. } = &mut act
    {
        served.number = Some("A001".into());
    }
    act
}

/// Columns of the actors who may request the act of a row, if it is for a certain ticket.
fn columns(row: &Row) -> Vec<&'static str> {
    let may = ACTORS.into_iter().zip(row.who).filter(|(_, answer)| *answer == OK);
    may.map(|((column, _), _)| column).filter(|_| with_number((row.act)()).names_ticket()).collect()
}

/// Lets time pass until the act of a row is allowed.
fn wait(fixture: &mut SiteFixture, row: &Row, column: &str) {
    let expires = row.from == "missed" && row.to == TicketStatus::Closed;
    fixture.advance_ms(if expires || column == "Y" { MINUTE_MS + 1 } else { MINUTE_MS - 1 });
}

fn command(actor: Actor, act: Act, fixture: &SiteFixture) -> Command {
    let day = fixture.site.day();
    Command { id: CommandId([7; 16]), fingerprint: 0, actor, act, day }
}

#[test]
fn a_command_for_a_ticket_of_another_day_is_refused_to_everybody_in_each_state() {
    let mut cases = 0;
    for row in rows() {
        for column in columns(&row) {
            cases += 1;
            let mut rules = rules();
            (row.rules)(&mut rules);
            let mut fixture = site_with_ann(rules, column, row.from);
            wait(&mut fixture, &row, column);
            let late = command(actor(column), with_number((row.act)()), &fixture);
            fixture.start_day(20_001);
            open_counter(&mut fixture, column);
            bring_ann(&mut fixture, column, row.from);
            wait(&mut fixture, &row, column);
            let before = fixture.site.clone();
            let timely = late.clone().on_day(before.day());
            let case = format!("{} {} of {} by {column}", row.no, row.command, row.from);
            assert_eq!(fixture.execute(late).then_refused(), Refusal::DayTurned, "{case}");
            assert_eq!(fixture.site, before, "{case}");
            fixture.execute(timely).then();
            assert_eq!(fixture.state(1), row.to, "{case}");
        }
    }
    assert!(cases > 60, "{cases}");
}

#[test]
fn a_ticket_that_is_carried_over_takes_the_command_that_opens_the_day_and_no_later_one() {
    let is_carried = |row: &Row| {
        // The limit of numbers is one of the day on which they were taken.
        let is_of_day = ["undo", "lift the limit of numbers"].contains(&row.command);
        !["done", "closed"].contains(&row.from) && !is_of_day
    };
    for row in rows().into_iter().filter(is_carried) {
        let Some(column) = columns(&row).first().copied() else { continue };
        let mut rules = rules();
        (row.rules)(&mut rules);
        queue_a(&mut rules).carry_over = true;
        for opens in [true, false] {
            let mut fixture = site_with_ann(rules.clone(), column, row.from);
            wait(&mut fixture, &row, column);
            let command = command(actor(column), with_number((row.act)()), &fixture);
            fixture.start_day(20_001);
            let case = format!("{} {} of {} by {column}", row.no, row.command, row.from);
            if opens {
                fixture.execute(command).then();
                assert_eq!(fixture.state(1), row.to, "{case}");
            } else {
                let (queue, state) = (QueueId::new("b"), QueueState::Paused);
                fixture.at_once(Act::SetQueueState { queue, state }).then();
                assert_eq!(fixture.execute(command).then_refused(), Refusal::DayTurned, "{case}");
            }
        }
    }
}
