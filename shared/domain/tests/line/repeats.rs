//! Tests of repeated commands.

use crate::fixture::{MINUTE_MS, call, given, given_with_rules, open, rules, take};
use paihao_domain::{
    Act, COMMAND_RETENTION_MS, Command, CommandId, Outcome, QueueId, Refusal, TicketId,
    TicketStatus,
};

fn command(id: u8, act: Act) -> Command {
    let fixture = given([]);
    let actor = fixture.default_actor(&act);
    Command { id: CommandId([id; 16]), fingerprint: 1, actor, act, day: None }
}

#[test]
fn a_repeat_is_answered_like_the_first_time_and_changes_nothing() {
    let mut fixture = given([take("ann", "a"), take("ben", "a")]);
    let request = command(7, take("cai", "a"));
    let first = fixture.when_command(request.clone()).0.unwrap();
    fixture.when(open("1")).then();
    fixture.when(call("1")).then();
    let before = fixture.site.clone();
    let (repeated, events) = fixture.when_command(request).0.unwrap();
    // Two were ahead at the first answer, and the repeat quotes the same.
    assert_eq!(repeated, first.0);
    assert!(matches!(repeated, Outcome::Holding { standing, .. } if standing.ahead() == 2));
    assert!(events.is_empty());
    assert_eq!(fixture.site, before);
}

#[test]
fn an_id_used_for_something_else_is_refused() {
    let mut fixture = given([open("1"), take("ann", "a")]);
    fixture.when_command(command(7, call("1"))).then();
    let other = Command { fingerprint: 2, ..command(7, call("1")) };
    assert_eq!(fixture.when_command(other).then_refused(), Refusal::CommandIdReused);
}

#[test]
fn a_refused_command_may_be_tried_again() {
    let mut fixture = given([open("1")]);
    let request = command(7, call("1"));
    fixture.when_command(request.clone()).then_refused();
    fixture.when(take("ann", "a")).then();
    assert_eq!(fixture.when_command(request).then_called(), "A001");
}

#[test]
fn a_command_is_recorded_for_fifteen_minutes() {
    let mut fixture = given([]);
    fixture.when_command(command(7, take("ann", "a"))).then();
    fixture.now.at = fixture.now.at.plus_ms(COMMAND_RETENTION_MS - 2 * MINUTE_MS);
    fixture.when(take("ben", "a")).then();
    assert!(fixture.site.recorded_answer(&CommandId([7; 16])).is_some());
    fixture.now.at = fixture.now.at.plus_ms(3 * MINUTE_MS);
    fixture.when(take("cai", "a")).then();
    assert!(fixture.site.recorded_answer(&CommandId([7; 16])).is_none());
}

#[test]
fn an_automatic_end_that_a_manager_undid_falls_due_again() {
    let mut rules = rules();
    rules.queues.get_mut(&QueueId::new("a")).unwrap().auto_miss = true;
    let mut fixture = given_with_rules(rules, [open("1"), take("ann", "a"), call("1")]);
    for _ in 0..2 {
        fixture.advance_ms(10 * MINUTE_MS);
        fixture.run_due_commands();
        assert_eq!(fixture.state(1), TicketStatus::Missed);
        fixture.at_once(Act::Undo(TicketId(1))).then();
        assert_eq!(fixture.state(1), TicketStatus::Called);
    }
}
