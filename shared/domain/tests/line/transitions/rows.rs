//! Rows of the table of transitions, with the result for each actor.

use super::scene::*;
use crate::fixture::{call, finish, miss, served, start, take};
use paihao_domain::{Act, CounterId, LetPassLimit, Mark, QueueId, Rules, TicketStatus};

/// Row: the first state, the command, the state after it, and the result for each actor.
pub(super) struct Row {
    pub(super) no: &'static str,
    pub(super) from: &'static str,
    pub(super) command: &'static str,
    pub(super) act: fn() -> Act,
    /// Change of the usual rules.
    pub(super) rules: fn(&mut Rules),
    /// Status after it.
    pub(super) to: TicketStatus,
    /// Result for each of [`ACTORS`]: `✓`, or the refusal.
    pub(super) who: [&'static str; 8],
}

pub(super) const NA: &str = "not_allowed";
pub(super) const NT: &str = "not_your_ticket";
pub(super) const NC: &str = "not_your_counter";
pub(super) const NQ: &str = "not_your_queue";
pub(super) const WS: &str = "wrong_state";
pub(super) const ND: &str = "not_due";
pub(super) const OK: &str = "✓";

pub(super) fn unchanged_rules(_: &mut Rules) {}

pub(super) fn queue_a(rules: &mut Rules) -> &mut paihao_domain::QueueRules {
    rules.queues.get_mut(&QueueId::new("a")).unwrap()
}

pub(super) fn auto_miss(rules: &mut Rules) {
    let a = queue_a(rules);
    (a.auto_miss, a.grace_seconds) = (true, 30);
}

/// A person may take one number of a queue in a day.
pub(super) fn one_a_person(rules: &mut Rules) {
    queue_a(rules).daily_per_person = Some(1);
}

pub(super) fn auto_next(rules: &mut Rules) {
    rules.counters.get_mut(&CounterId::new("1")).unwrap().auto_next = true;
}

pub(super) fn short_return(rules: &mut Rules) {
    queue_a(rules).missed.minutes = 1;
}

pub(super) fn rows() -> Vec<Row> {
    let row = |no, from, command, act, to, who| Row {
        no,
        from,
        command,
        act,
        rules: unchanged_rules,
        to,
        who,
    };
    use TicketStatus::{Called, Closed, Done, Held, Missed, Serving, Waiting};
    vec![
        row("1", "∅", "take", || take("ann", "a"), Waiting, [OK, NT, OK, NQ, OK, OK, OK, NA]),
        Row {
            rules: auto_next,
            ..row(
                "2",
                "waiting",
                "call next",
                || call("1"),
                Called,
                [NA, NA, OK, NC, OK, OK, OK, OK],
            )
        },
        row(
            "3",
            "waiting",
            "call this one",
            || call_this(Some("老人")),
            Called,
            [NA, NA, OK, NC, OK, OK, OK, NA],
        ),
        row(
            "4",
            "called",
            "recall",
            || Act::Recall(served("1")),
            Called,
            [NA, NA, OK, NC, OK, NA, NA, OK],
        ),
        row("5", "called", "start", || start("1"), Serving, [NA, NA, OK, NC, OK, OK, OK, NA]),
        row(
            "6",
            "called",
            "put back",
            || Act::PutBack(served("1")),
            Waiting,
            [NA, NA, OK, NC, OK, NA, NA, NA],
        ),
        Row {
            rules: auto_miss,
            ..row(
                "7",
                "called",
                "mark missed",
                || miss("1"),
                Missed,
                [NA, NA, OK, NC, OK, NA, NA, OK],
            )
        },
        row(
            "8",
            "missed",
            "return",
            || Act::Return(ANN),
            Waiting,
            [OK, NT, OK, NQ, OK, NA, NA, NA],
        ),
        row(
            "9",
            "missed",
            "call this one",
            || call_this(None),
            Called,
            [NA, NA, OK, NC, OK, OK, OK, NA],
        ),
        Row {
            rules: short_return,
            ..row(
                "10",
                "missed",
                "expire",
                || Act::Expire(ANN),
                Closed,
                [NA, NA, NA, NA, NA, NA, NA, OK],
            )
        },
        row(
            "11",
            "waiting",
            "let me pass",
            || let_pass(LetPassLimit::OnRequest),
            Held,
            [OK, NT, NA, NA, NA, NA, NA, NA],
        ),
        row("12", "waiting", "hold", || hold("证件"), Held, [NA, NA, OK, NQ, OK, NA, NA, NA]),
        row("13", "away", "resume", || Act::Resume(ANN), Waiting, [OK, NT, OK, NQ, OK, NA, NA, OK]),
        row("13", "held", "resume", || Act::Resume(ANN), Waiting, [WS, NT, OK, NQ, OK, NA, NA, OK]),
        row(
            "14",
            "serving",
            "suspend",
            || suspend("补材料"),
            Held,
            [NA, NA, OK, NC, OK, NA, NA, NA],
        ),
        row(
            "15",
            "suspended",
            "resume here",
            || resume_here("1"),
            Serving,
            [NA, NA, OK, NC, OK, NA, NA, NA],
        ),
        row(
            "16",
            "waiting",
            "transfer",
            || transfer("b"),
            Waiting,
            [NA, NA, OK, NQ, OK, OK, OK, NA],
        ),
        row(
            "16",
            "called",
            "transfer",
            || transfer("b"),
            Waiting,
            [NA, NA, OK, NQ, OK, OK, OK, NA],
        ),
        row(
            "16",
            "serving",
            "transfer",
            || transfer("b"),
            Waiting,
            [NA, NA, OK, NQ, OK, OK, OK, NA],
        ),
        row("17", "serving", "finish", || finish("1"), Done, [NA, NA, OK, NC, OK, OK, OK, NA]),
        row(
            "17",
            "called",
            "finish (starts, too)",
            || finish("1"),
            Done,
            [NA, NA, OK, NC, OK, OK, OK, NA],
        ),
        row("17", "serving", "call next", || call("1"), Done, [NA, NA, OK, NC, OK, OK, OK, ND]),
        row(
            "18",
            "waiting",
            "leave, remove",
            || leave(Some("重复")),
            Closed,
            [OK, NT, OK, NQ, OK, OK, OK, NA],
        ),
        row(
            "18",
            "held",
            "leave, remove",
            || leave(Some("重复")),
            Closed,
            [OK, NT, OK, NQ, OK, OK, OK, NA],
        ),
        row(
            "18",
            "missed",
            "leave, remove",
            || leave(Some("重复")),
            Closed,
            [OK, NT, OK, NQ, OK, OK, OK, NA],
        ),
        row(
            "18",
            "called",
            "leave, remove",
            || leave(Some("重复")),
            Closed,
            [OK, NT, OK, NQ, OK, OK, OK, NA],
        ),
        row(
            "19",
            "waiting",
            "clear queue",
            || Act::ClearQueue(QueueId::new("a")),
            Closed,
            [NA, NA, NA, NA, OK, NA, NA, OK],
        ),
        row("20", "done", "undo", || Act::Undo(ANN), Serving, [NA, NA, OK, NQ, OK, NA, NA, NA]),
        row("20", "closed", "undo", || Act::Undo(ANN), Waiting, [NA, NA, OK, NQ, OK, NA, NA, NA]),
        row("20", "missed", "undo", || Act::Undo(ANN), Called, [NA, NA, OK, NQ, OK, NA, NA, NA]),
        row(
            "21",
            "waiting",
            "set priority",
            || prioritise("军人"),
            Waiting,
            [NA, NA, OK, NQ, OK, NA, NA, NA],
        ),
        row(
            "21",
            "waiting",
            "mark arrived",
            || mark(Mark::Arrived),
            Waiting,
            [OK, NT, OK, NQ, OK, NA, NA, NA],
        ),
        row(
            "21",
            "waiting",
            "edit party size",
            || mark(Mark::Party(2)),
            Waiting,
            [NA, NA, OK, NQ, OK, NA, NA, NA],
        ),
        row(
            "21",
            "waiting",
            "tell me with n ahead",
            || mark(Mark::NotifyAhead(Some(8))),
            Waiting,
            [OK, NT, NA, NA, NA, NA, NA, NA],
        ),
        row(
            "21",
            "waiting",
            "say that one is coming",
            || mark(Mark::Coming),
            Waiting,
            [OK, NT, NA, NA, NA, NA, NA, NA],
        ),
        row(
            "21",
            "called",
            "say that one is coming",
            || mark(Mark::Coming),
            Called,
            [OK, NT, NA, NA, NA, NA, NA, NA],
        ),
        Row {
            rules: one_a_person,
            ..row(
                "21",
                "waiting",
                "lift the limit of numbers",
                || mark(Mark::LimitLifted),
                Waiting,
                [NA, NA, OK, NQ, OK, NA, NA, NA],
            )
        },
        Row {
            rules: one_a_person,
            ..row(
                "21",
                "closed",
                "lift the limit of numbers",
                || mark(Mark::LimitLifted),
                Closed,
                [NA, NA, OK, NQ, OK, NA, NA, NA],
            )
        },
    ]
}
