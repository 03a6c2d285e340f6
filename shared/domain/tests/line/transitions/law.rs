//! Laws over every state: what may be done is what is listed, what others do is told, and minutes
//! are told only where somebody is called.

use super::scene::*;
use crate::fixture::{MINUTE_MS, SiteFixture, customer, rules, served, staff};
use paihao_domain::{
    Act, Actor, CounterAct, CounterId, CounterTicket, Event, LetPassLimit, Mark,
    NotificationTrigger, QueueId, QueueState, Refusal, Role, Ticket, TicketAct, TicketState,
    TicketStatus,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// States of Ann's ticket, by the names of the scene, and the call that was repeated once, whose
/// deadline stays where it is from then on.
const STATES: [&str; 11] = [
    "waiting",
    "away",
    "held",
    "suspended",
    "called",
    "recalled",
    "serving",
    "missed",
    "void",
    "done",
    "closed",
];

const QUEUE_STATES: [QueueState; 4] =
    [QueueState::Open, QueueState::Paused, QueueState::Halted, QueueState::Closed];

/// Times since the last step: a call may be repeated after the second, and is not put back after
/// the third; a missed ticket does not return after the last.
const DELAYS_MS: [i64; 4] = [0, 16_000, MINUTE_MS + 1, 31 * MINUTE_MS];

/// Site with Ann's ticket in a state and its queue in a state, for an actor.
fn scene(state: &str, queue_state: QueueState, column: &str, delay_ms: i64) -> SiteFixture {
    let mut rules = rules();
    super::rows::queue_a(&mut rules).daily_per_person = Some(1);
    let mut fixture = match state {
        "void" => {
            let a = super::rows::queue_a(&mut rules);
            a.missed.returns = 0;
            site_with_ann(rules, column, "missed")
        }
        "recalled" => {
            let mut fixture = site_with_ann(rules, column, "called");
            fixture.advance_ms(16_000);
            fixture.when_as(setup_actor(column), Act::Recall(served("1"))).then();
            fixture
        }
        _ => site_with_ann(rules, column, state),
    };
    let queue = QueueId::new("a");
    fixture.at_once(Act::SetQueueState { queue, state: queue_state }).then();
    fixture.advance_ms(delay_ms);
    fixture
}

/// Calls `check` with each scene, its actor and its description, which begins with Ann's state.
fn each_scene(mut check: impl FnMut(&str, &SiteFixture, &str)) {
    for state in STATES {
        for queue_state in QUEUE_STATES {
            for delay_ms in DELAYS_MS {
                for (column, _) in ACTORS {
                    let fixture = scene(state, queue_state, column, delay_ms);
                    let case = format!("{state}, {queue_state:?}, {delay_ms} ms, {column}");
                    check(column, &fixture, &case);
                }
            }
        }
    }
}

/// Acts with every choice of details that matters.
fn variants(act: TicketAct) -> Vec<Act> {
    let counters = ["1", "2", "3"].map(CounterId::new);
    let number = || Some("A001".to_owned());
    let served = |act: fn(CounterTicket) -> Act| {
        counters.clone().map(|counter| act(CounterTicket { counter, number: number() })).to_vec()
    };
    match act {
        TicketAct::LetPass => vec![let_pass(LetPassLimit::OnRequest)],
        TicketAct::Return => vec![Act::Return(ANN)],
        TicketAct::Resume => vec![Act::Resume(ANN)],
        TicketAct::NotifyAhead => vec![mark(Mark::NotifyAhead(Some(3)))],
        TicketAct::Leave => vec![leave(Some("重复取号"))],
        TicketAct::Come => vec![mark(Mark::Coming)],
        TicketAct::Arrive => vec![mark(Mark::Arrived)],
        TicketAct::SetParty => vec![mark(Mark::Party(2))],
        TicketAct::LiftLimit => vec![mark(Mark::LimitLifted)],
        TicketAct::Call => counters
            .map(|counter| Act::CallTicket { counter, ticket: ANN, reason: Some("老人".into()) })
            .to_vec(),
        TicketAct::Recall => served(Act::Recall),
        TicketAct::Start => served(Act::Start),
        TicketAct::PutBack => served(Act::PutBack),
        TicketAct::Finish => served(Act::Finish),
        TicketAct::Miss => served(Act::Miss),
        TicketAct::Hold => vec![hold("材料没准备好")],
        TicketAct::Suspend => {
            served(|served| Act::Suspend { served, reason: "去付款".into(), affinity: false })
        }
        TicketAct::ResumeAtCounter => {
            counters.map(|counter| Act::ResumeAtCounter { counter, ticket: ANN }).to_vec()
        }
        TicketAct::Transfer => vec![transfer("a"), transfer("b"), transfer("shut")],
        TicketAct::Prioritise => vec![prioritise("带小孩")],
        TicketAct::Undo => vec![Act::Undo(ANN)],
    }
}

#[test]
fn what_may_be_done_is_what_is_listed() {
    let mut allowed_count = 0;
    each_scene(|column, fixture, case| {
        let holder = Actor::Holder(ANN);
        for actor in [actor(column), holder] {
            let ticket = fixture.ticket(ANN.0);
            let site = &fixture.site;
            let listed = site.permitted_acts(&fixture.rules, &actor, ticket, &fixture.now);
            if actor.role() == Role::System {
                continue;
            }
            for act in TicketAct::ALL {
                let is_allowed = variants(act)
                    .into_iter()
                    .any(|act| fixture.copy().at_once_as(actor.clone(), act).0.is_ok());
                assert_eq!(is_allowed, listed.contains(&act), "{act:?}: {case}, {listed:?}");
                allowed_count += usize::from(is_allowed);
            }
        }
    });
    assert!(allowed_count > 1000, "{allowed_count}");
}

#[test]
fn what_may_be_done_at_a_counter_is_what_is_listed() {
    let act = |act: CounterAct, counter: CounterId, from: Option<Arc<str>>| match act {
        CounterAct::CallNext => Act::CallNext(counter),
        CounterAct::Open => Act::OpenCounter(counter),
        CounterAct::TakeOver => {
            Act::TakeOver { counter, from: from.unwrap_or_else(|| "nobody".into()) }
        }
        CounterAct::Break => Act::BreakCounter(counter),
        CounterAct::Close => Act::CloseCounter(counter),
    };
    let colleague = staff("late", &["1", "2"]);
    let mut listed_acts = BTreeMap::<_, u32>::new();
    each_scene(|column, fixture, case| {
        let actors = [actor(column), colleague.clone()].into_iter();
        for actor in actors.filter(|actor| actor.role() != Role::System) {
            for counter in ["1", "2", "3"].map(CounterId::new) {
                let SiteFixture { site, rules, now, .. } = fixture;
                let listed = site.permitted_counter_acts(rules, &actor, &counter, now);
                let before = site.counter(&counter);
                let outcome = |name| {
                    let mut after = fixture.copy();
                    let act = act(name, counter.clone(), before.login.clone());
                    let is_allowed = after.at_once_as(actor.clone(), act).0.is_ok();
                    (is_allowed, after.site.counter(&counter))
                };
                let (opens, _) = outcome(CounterAct::Open);
                for name in CounterAct::ALL {
                    let (is_allowed, after) = outcome(name);
                    let changes = match name {
                        CounterAct::CallNext => after.calls > before.calls,
                        CounterAct::TakeOver => !opens && after.login != before.login,
                        _ => after.state != before.state,
                    };
                    let expected = is_allowed && changes;
                    assert_eq!(listed.contains(&name), expected, "{name:?}: {case}, {listed:?}");
                    *listed_acts.entry(name).or_default() += u32::from(expected);
                }
            }
        }
    });
    assert!(CounterAct::ALL.iter().all(|act| listed_acts[act] > 10), "{listed_acts:?}");
}

#[test]
fn a_notification_is_valid_when_it_is_triggered() {
    let mut trigger_count = 0;
    each_scene(|column, fixture, case| {
        for act in TicketAct::ALL.into_iter().flat_map(variants) {
            let mut after = fixture.copy();
            let decided = after.at_once_as(actor(column), act.clone()).0;
            let Ok((_, events)) = decided else { continue };
            for trigger in notifications_of_ann(&events) {
                assert!(trigger.valid_until > after.now.at, "{act:?}: {case}, {trigger:?}");
                trigger_count += 1;
            }
        }
    });
    assert!(trigger_count > 1000, "{trigger_count}");
}

#[test]
fn a_hold_that_staff_set_is_not_ended_by_its_holder() {
    for (state, by_holder) in [("away", true), ("held", false), ("suspended", false)] {
        for actor in [customer("ann"), Actor::Holder(ANN)] {
            let mut fixture = scene(state, QueueState::Open, "M", 0);
            let ended = fixture.at_once_as(actor, Act::Resume(ANN)).0.is_ok();
            assert_eq!(ended, by_holder, "{state}");
        }
    }
}

#[test]
fn whoever_cannot_be_reached_chooses_no_reminder() {
    let mut fixture = open_site(rules(), "M");
    fixture.when(super::fixtures::take_without_person("a")).then();
    let (ticket, holder) = (fixture.ticket(1), Actor::Holder(ANN));
    let listed = fixture.site.permitted_acts(&fixture.rules, &holder, ticket, &fixture.now);
    assert!(!listed.contains(&TicketAct::NotifyAhead), "{listed:?}");
    let refusal = fixture.at_once_as(holder, mark(Mark::NotifyAhead(Some(3)))).then_refused();
    assert_eq!(refusal, Refusal::NotAllowed(Role::Customer));
}

/// Notifications of Ann in a decision.
fn notifications_of_ann(events: &[Event]) -> Vec<&NotificationTrigger> {
    let triggers = events.iter().filter_map(|event| match event {
        Event::NotificationTriggered(trigger) if trigger.ticket == ANN => Some(trigger),
        _ => None,
    });
    triggers.collect()
}

/// What the holder of a ticket would want to hear a change of.
fn matter(ticket: &Ticket) -> (&TicketState, &QueueId, paihao_domain::Rank) {
    (&*ticket.state, &ticket.queue, ticket.rank)
}

/// Reason that an act gives to the holder.
fn reason_of(act: &Act) -> Option<&str> {
    match act {
        Act::Leave { reason, .. } => reason.as_deref(),
        Act::Hold { reason, .. } | Act::Suspend { reason, .. } | Act::Prioritise { reason, .. } => {
            Some(reason)
        }
        _ => None,
    }
}

/// Returns whether an act is done with the holder at the counter, so that no message is sent.
fn is_face_to_face(act: TicketAct) -> bool {
    match act {
        TicketAct::Start | TicketAct::Finish => true,
        TicketAct::LetPass
        | TicketAct::Return
        | TicketAct::Resume
        | TicketAct::NotifyAhead
        | TicketAct::Leave
        | TicketAct::Come
        | TicketAct::Arrive
        | TicketAct::SetParty
        | TicketAct::LiftLimit
        | TicketAct::Call
        | TicketAct::Recall
        | TicketAct::PutBack
        | TicketAct::Miss
        | TicketAct::Hold
        | TicketAct::Suspend
        | TicketAct::ResumeAtCounter
        | TicketAct::Transfer
        | TicketAct::Prioritise
        | TicketAct::Undo => false,
    }
}

#[test]
fn whatever_others_do_with_a_ticket_is_told_to_its_holder_with_the_reason() {
    let mut told_acts = std::collections::BTreeSet::new();
    each_scene(|column, fixture, case| {
        let actor = actor(column);
        if actor.role() == Role::Customer {
            return;
        }
        let acts = TicketAct::ALL
            .into_iter()
            .flat_map(|act| variants(act).into_iter().map(move |variant| (act, variant)));
        for (name, act) in acts {
            let mut after = fixture.copy();
            let Ok((_, events)) = after.at_once_as(actor.clone(), act.clone()).0 else { continue };
            let told = notifications_of_ann(&events);
            let changed = matter(fixture.ticket(ANN.0)) != matter(after.ticket(ANN.0));
            // A holder said when others have gone first, and is told of no more by the clock.
            let is_foretold = column == "Y" && case.starts_with("away");
            if is_face_to_face(name) || is_foretold {
                assert!(told.is_empty(), "{act:?}: {case}, {told:?}");
            } else {
                assert_eq!(told.len(), usize::from(changed), "{act:?}: {case}, {told:?}");
            }
            let [trigger] = told[..] else { continue };
            told_acts.insert(name);
            if let Some(reason) = reason_of(&act) {
                let content = format!("{:?}", trigger.kind);
                assert!(content.contains(reason), "{act:?}: {case}, {content}");
            }
        }
    });
    let silent: Vec<_> =
        TicketAct::ALL.into_iter().filter(|act| !told_acts.contains(act)).collect();
    let expected = [
        TicketAct::LetPass,
        TicketAct::NotifyAhead,
        TicketAct::Come,
        TicketAct::Arrive,
        TicketAct::SetParty,
        TicketAct::LiftLimit,
        TicketAct::Start,
        TicketAct::Finish,
    ];
    assert_eq!(silent, expected, "those of the holder, notes, and what is done face to face");
}

#[test]
fn what_a_holder_does_is_not_told_to_them() {
    for state in STATES {
        for act in TicketAct::ALL {
            for variant in variants(act) {
                let mut fixture = scene(state, QueueState::Open, "M", 16_000);
                let Ok((_, events)) = fixture.at_once_as(customer("ann"), variant).0 else {
                    continue;
                };
                let kinds: Vec<_> =
                    notifications_of_ann(&events).iter().map(|t| t.kind.shown_name()).collect();
                // A return may be answered with a message where nothing was sent just before.
                assert!(kinds.is_empty() || act == TicketAct::Return, "{act:?} {state}: {kinds:?}");
            }
        }
    }
}

#[test]
fn a_ticket_stands_as_it_is_and_minutes_are_told_only_while_somebody_is_called() {
    let mut with_minutes = 0;
    each_scene(|_, fixture, case| {
        let ticket = fixture.ticket(ANN.0);
        let standing = fixture.site.standing(&fixture.rules, ticket, &fixture.now);
        assert_eq!(standing.status(), ticket.status(), "{case}");
        let queue_state = fixture.site.queue_state(&fixture.rules, &ticket.queue);
        assert_eq!(standing.queue_state, queue_state, "{case}");
        let has_place = matches!(ticket.status(), TicketStatus::Waiting | TicketStatus::Held);
        assert_eq!(standing.wait.is_some(), has_place, "{case}");
        let minutes = standing.wait.and_then(|wait| wait.estimate);
        let is_calling = matches!(queue_state, QueueState::Open | QueueState::Paused);
        assert_eq!(minutes.is_some(), has_place && is_calling, "{case}");
        with_minutes += usize::from(minutes.is_some());
        let new = fixture.site.quote_for_new_ticket(&fixture.rules, &ticket.queue, &fixture.now);
        assert!(is_calling || new.estimate.is_none(), "{case}");
    });
    assert!(with_minutes > 0);
}

#[test]
fn those_who_were_told_of_a_stop_are_told_of_its_end() {
    let kinds_of = |fixture: &mut SiteFixture, state| {
        let queue = QueueId::new("a");
        let events = fixture.at_once(Act::SetQueueState { queue, state }).then_events();
        notifications_of_ann(&events)
            .iter()
            .map(|trigger| trigger.kind.shown_name())
            .collect::<Vec<_>>()
    };
    for from in ["waiting", "away", "held", "suspended"] {
        let mut fixture = site_with_ann(rules(), "M", from);
        use QueueState::{Closed, Halted, Open, Paused};
        for (state, expected) in [
            (Open, None),
            (Halted, Some("halted")),
            (Halted, None),
            (Closed, Some("queue_closed")),
            (Paused, Some("reopened")),
            (Open, None),
            (Closed, Some("queue_closed")),
            (Open, Some("reopened")),
            (Paused, None),
        ] {
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(kinds_of(&mut fixture, state), expected, "{from}: {state:?}");
        }
    }
    for from in ["called", "serving", "missed", "done", "closed"] {
        let mut fixture = site_with_ann(rules(), "M", from);
        for state in [QueueState::Halted, QueueState::Open] {
            assert_eq!(kinds_of(&mut fixture, state), Vec::<&str>::new(), "{from}");
        }
    }
}
