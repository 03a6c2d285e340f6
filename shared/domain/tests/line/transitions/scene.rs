//! Scene of the transitions: a site, the actors, and Ann's ticket in each state.

use crate::fixture::{
    SiteFixture, api, api_manager, call, customer, finish, given_with_rules, manager, miss, open,
    served, staff, start, take,
};
use paihao_domain::{Act, Actor, CounterId, LetPassLimit, Mark, QueueId, Refusal, Rules, TicketId};

pub(super) const ANN: TicketId = TicketId(1);

/// Columns of the table: the actors.
pub(super) const ACTORS: [(&str, &str); 8] = [
    ("C", "the ticket's holder"),
    ("C′", "another customer"),
    ("S", "staff at the counter"),
    ("S′", "staff of other queues"),
    ("M", "manager"),
    ("A", "API client, scope: the counter"),
    ("A(M)", "API client, scope: manager"),
    ("Y", "system"),
];

pub(super) fn actor(column: &str) -> Actor {
    match column {
        "C" => customer("ann"),
        "C′" => customer("ben"),
        "S" => staff("desk", &["1", "2"]),
        "S′" => staff("far", &["3"]),
        "M" => manager(),
        "A" => api(&["1"]),
        "A(M)" => api_manager(),
        _ => Actor::System,
    }
}

/// Site whose counter 1 was opened by the actor who is to act there.
pub(super) fn open_site(rules: Rules, column: &str) -> SiteFixture {
    let mut fixture = given_with_rules(rules, []);
    open_counter(&mut fixture, column);
    fixture
}

/// Opens counter 1 as the actor who is to act there.
pub(super) fn open_counter(fixture: &mut SiteFixture, column: &str) {
    let opens = match column {
        "S" | "A" => actor(column),
        _ => manager(),
    };
    fixture.when_as(opens, open("1")).then();
}

/// Actor of the steps to a row's first state: staff take them themselves, since they may undo only
/// their own.
pub(super) fn setup_actor(column: &str) -> Actor {
    if column == "S" { actor("S") } else { manager() }
}

/// Site with Ann's ticket, A001, in a state; Ben waits behind her.
pub(super) fn site_with_ann(rules: Rules, column: &str, state: &str) -> SiteFixture {
    let mut fixture = open_site(rules, column);
    if state != "∅" {
        bring_ann(&mut fixture, column, state);
    }
    fixture
}

/// Has Ann take A001 and Ben the next number, and brings hers into a state.
pub(super) fn bring_ann(fixture: &mut SiteFixture, column: &str, state: &str) {
    fixture.when(take("ann", "a")).then();
    fixture.when(take("ben", "a")).then();
    let steps: Vec<Act> = match state {
        "waiting" => vec![],
        "away" => {
            fixture.when(let_pass(LetPassLimit::Minutes(1))).then();
            vec![]
        }
        "called" => vec![call("1")],
        "serving" => vec![call("1"), start("1")],
        "missed" => vec![call("1"), miss("1")],
        "held" => vec![Act::Hold { ticket: ANN, reason: "证件".into(), minutes: Some(1) }],
        "suspended" => {
            let suspend =
                Act::Suspend { served: served("1"), reason: "补材料".into(), affinity: true };
            vec![call("1"), start("1"), suspend]
        }
        "done" => vec![call("1"), start("1"), finish("1")],
        "closed" => vec![Act::Leave { ticket: ANN, reason: Some("走了".into()) }],
        other => panic!("{other}"),
    };
    for step in steps {
        fixture.at_once_as(setup_actor(column), step).then();
    }
}

/// Code of a refusal.
pub(super) fn refusal_code(refusal: &Refusal) -> String {
    let shown = format!("{refusal:?}");
    let variant: String = shown.chars().take_while(|c| c.is_alphanumeric()).collect();
    let mut out = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

pub(super) fn call_this(reason: Option<&str>) -> Act {
    Act::CallTicket { counter: CounterId::new("1"), ticket: ANN, reason: reason.map(Into::into) }
}

pub(super) fn let_pass(until: LetPassLimit) -> Act {
    Act::LetPass { ticket: ANN, until }
}

pub(super) fn hold(reason: &str) -> Act {
    Act::Hold { ticket: ANN, reason: reason.into(), minutes: None }
}

pub(super) fn suspend(reason: &str) -> Act {
    Act::Suspend { served: served("1"), reason: reason.into(), affinity: true }
}

pub(super) fn resume_here(counter: &str) -> Act {
    Act::ResumeAtCounter { counter: CounterId::new(counter), ticket: ANN }
}

pub(super) fn transfer(queue: &str) -> Act {
    Act::Transfer { ticket: ANN, queue: QueueId::new(queue) }
}

pub(super) fn leave(reason: Option<&str>) -> Act {
    Act::Leave { ticket: ANN, reason: reason.map(Into::into) }
}

pub(super) fn prioritise(reason: &str) -> Act {
    Act::Prioritise { ticket: ANN, class: 0, reason: reason.into() }
}

pub(super) fn mark(mark: Mark) -> Act {
    Act::Mark { ticket: ANN, mark }
}
