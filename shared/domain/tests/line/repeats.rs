//! The same command again.

use crate::fixture::{MINUTE_MS, call, given, given_with_rules, open, rules, take};
use paihao_domain::{
    Act, COMMAND_RETENTION_MS, Command, CommandId, Outcome, QueueId, Refusal, TicketId,
    TicketStatus,
};

fn command(id: u8, act: Act) -> Command {
    let hall = given([]);
    Command { id: CommandId([id; 16]), fingerprint: 1, actor: hall.default_actor(&act), act }
}

#[test]
fn a_repeat_is_answered_like_the_first_time_and_changes_nothing() {
    let mut hall = given([take("ann", "a"), take("ben", "a")]);
    let wish = command(7, take("cai", "a"));
    let first = hall.when_command(wish.clone()).0.unwrap();
    hall.when(open("1")).then();
    hall.when(call("1")).then();
    let before = hall.site.clone();
    let (again, events) = hall.when_command(wish).0.unwrap();
    // Two were ahead when it was told, and that is what is told again.
    assert_eq!(again, first.0);
    assert!(matches!(again, Outcome::Holding { told, .. } if told.ahead == 2));
    assert!(events.is_empty());
    assert_eq!(hall.site, before);
}

#[test]
fn an_id_used_for_something_else_is_refused() {
    let mut hall = given([open("1"), take("ann", "a")]);
    hall.when_command(command(7, call("1"))).then();
    let other = Command { fingerprint: 2, ..command(7, call("1")) };
    assert_eq!(hall.when_command(other).then_refused(), Refusal::CommandIdReused);
}

#[test]
fn a_refused_command_may_be_tried_again() {
    let mut hall = given([open("1")]);
    let wish = command(7, call("1"));
    hall.when_command(wish.clone()).then_refused();
    hall.when(take("ann", "a")).then();
    assert_eq!(hall.when_command(wish).then_called(), "A001");
}

#[test]
fn a_command_is_remembered_for_a_quarter_of_an_hour() {
    let mut hall = given([]);
    hall.when_command(command(7, take("ann", "a"))).then();
    hall.now.at = hall.now.at.plus_ms(COMMAND_RETENTION_MS - 2 * MINUTE_MS);
    hall.when(take("ben", "a")).then();
    assert!(hall.site.recorded_answer(&CommandId([7; 16])).is_some());
    hall.now.at = hall.now.at.plus_ms(3 * MINUTE_MS);
    hall.when(take("cai", "a")).then();
    assert!(hall.site.recorded_answer(&CommandId([7; 16])).is_none());
}

#[test]
fn an_end_that_time_brought_and_a_manager_took_back_comes_about_again() {
    let mut rules = rules();
    rules.queues.get_mut(&QueueId::new("a")).unwrap().auto_miss = true;
    let mut hall = given_with_rules(rules, [open("1"), take("ann", "a"), call("1")]);
    for _ in 0..2 {
        hall.advance_ms(10 * MINUTE_MS);
        hall.run_due_commands();
        assert_eq!(hall.state(1), TicketStatus::Missed);
        hall.at_once(Act::Undo(TicketId(1))).then();
        assert_eq!(hall.state(1), TicketStatus::Called);
    }
}
