//! Tests of decisions in batches, which must add up to the whole.

use crate::fixture::{MINUTE_MS, call, given_with_rules, manager, open, rules, take};
use paihao_domain::{
    Act, Actor, CloseReason, Command, CommandId, Day, DecisionInput, DecisionResult, Event,
    MAX_BATCH_TICKETS, NotificationTrigger, Outcome, Person, QueueId, QueueState, Refusal, Rules,
    Site, TicketId, TicketState, TicketStatus, Timestamp, day_close_command, decide, due_commands,
    next_due_at,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;

fn queue_a() -> QueueId {
    QueueId::new("a")
}

fn carry_over_rules() -> Rules {
    let mut rules = rules();
    rules.queues.get_mut(&queue_a()).unwrap().carry_over = true;
    rules
}

/// Site, its notifications and events so far, and the time.
#[derive(Clone)]
struct BatchScenario {
    site: Site,
    rules: Rules,
    now: DecisionInput,
    notifications: Vec<NotificationTrigger>,
    events: Vec<Event>,
    commands: u32,
}

impl BatchScenario {
    /// Site with this many people in queue `a`; every fifth has no WeChat.
    fn new(people: usize, rules: Rules) -> BatchScenario {
        let fixture = given_with_rules(rules.clone(), [open("1")]);
        let now = fixture.now.clone();
        let mut scenario = BatchScenario {
            site: fixture.site,
            rules,
            now,
            notifications: vec![],
            events: vec![],
            commands: 0,
        };
        for n in 0..people {
            let act = if n % 5 == 4 {
                Act::Take {
                    queue: queue_a(),
                    person: None,
                    scan_session: None,
                    class: None,
                    key: None,
                }
            } else {
                take(&format!("p{n}"), "a")
            };
            scenario.run(act).unwrap();
        }
        scenario.now.at = scenario.now.at.plus_ms(2 * MINUTE_MS);
        (scenario.notifications, scenario.events) = (vec![], vec![]);
        scenario
    }

    fn execute(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match decide(&self.site, &self.rules, command, &self.now)? {
            DecisionResult::AlreadyDecided(recorded) => Ok(recorded.outcome),
            DecisionResult::Decided(decision, after) => {
                self.site.apply(&decision);
                assert_eq!(self.site, *after);
                let people = decision.events.iter().filter(|event| {
                    !matches!(event, Event::NotificationTriggered(_)) && event.ticket().is_some()
                });
                assert!(people.count() <= MAX_BATCH_TICKETS, "too much in one decision");
                for event in decision.events {
                    if let Event::NotificationTriggered(trigger) = &event {
                        self.notifications.push(trigger.clone());
                    }
                    self.events.push(event);
                }
                Ok(decision.outcome)
            }
        }
    }

    fn run(&mut self, act: Act) -> Result<Outcome, Refusal> {
        self.commands += 1;
        let id = CommandId::derived(&format!("story {}", self.commands));
        let actor = match &act {
            Act::Take { person: Some(person), .. } => Actor::Customer(person.clone()),
            _ => manager(),
        };
        self.execute(&Command { id, fingerprint: 0, actor, act, day: self.site.day() })
    }

    /// Runs one command that is due; returns `false` if none is.
    fn run_next_due(&mut self) -> bool {
        let due = due_commands(&self.site, &self.rules, &self.now);
        assert_eq!(
            next_due_at(&self.site, &self.rules, &self.now) == Some(self.now.at),
            !due.is_empty()
        );
        let Some(command) = due.first() else { return false };
        self.execute(command).unwrap();
        true
    }

    /// Runs the commands that are due, one after the other, and returns their number.
    fn run_until_idle(&mut self) -> usize {
        (0..).take_while(|_| self.run_next_due()).count()
    }

    fn waiting(&self) -> Vec<TicketId> {
        self.site.line(&queue_a()).waiting().collect()
    }

    fn closed_count(&self, reason: CloseReason) -> usize {
        let is_closed = |state: &TicketState| matches!(state, TicketState::Closed { reason: r, .. } if *r == reason);
        self.site.tickets().filter(|ticket| is_closed(&ticket.state)).count()
    }

    fn waiting_with_person(&self) -> Vec<TicketId> {
        self.waiting()
            .into_iter()
            .filter(|id| self.site.ticket(*id).unwrap().person.is_some())
            .collect()
    }
}

fn set_queue(state: QueueState) -> Act {
    Act::SetQueueState { queue: queue_a(), state }
}

static LARGE_LINE: LazyLock<BatchScenario> =
    LazyLock::new(|| BatchScenario::new(2 * MAX_BATCH_TICKETS + 150, rules()));
static ONE_BATCH_LINE: LazyLock<BatchScenario> =
    LazyLock::new(|| BatchScenario::new(MAX_BATCH_TICKETS, rules()));

#[test]
fn holders_in_a_halted_line_are_notified_once_in_order_in_as_many_batches_as_needed() {
    for (state, name) in [(QueueState::Halted, "halted"), (QueueState::Closed, "queue_closed")] {
        let mut scenario = LARGE_LINE.clone();
        let people = scenario.waiting_with_person();
        scenario.run(set_queue(state)).unwrap();
        assert!(scenario.run(call("1")).is_err(), "nobody is called from the first batch on");
        assert_eq!(scenario.run_until_idle(), 2);
        let notified: Vec<_> =
            scenario.notifications.iter().map(|trigger| trigger.ticket).collect();
        assert_eq!(notified, people);
        assert!(scenario.notifications.iter().all(|trigger| trigger.kind.name() == name));
        if let paihao_domain::NotificationKind::Halted(quote) =
            &scenario.notifications.last().unwrap().kind
        {
            let last = *people.last().unwrap();
            assert_eq!(quote.ahead, scenario.site.ahead(scenario.site.ticket(last).unwrap()));
        }
    }
    // Exactly one batch is notified in the decision itself.
    let mut scenario = ONE_BATCH_LINE.clone();
    scenario.run(set_queue(QueueState::Halted)).unwrap();
    assert_eq!(
        (scenario.notifications.len(), scenario.run_until_idle()),
        (ONE_BATCH_LINE.waiting_with_person().len(), 0)
    );
}

#[test]
fn a_line_that_reopens_before_the_last_batch_is_told_so_as_far_as_it_was_told_to_wait() {
    let mut scenario = LARGE_LINE.clone();
    scenario.run(set_queue(QueueState::Halted)).unwrap();
    let halted: Vec<_> = scenario.notifications.iter().map(|trigger| trigger.ticket).collect();
    scenario.run(set_queue(QueueState::Open)).unwrap();
    assert_eq!(scenario.run_until_idle(), 2);
    let told = &scenario.notifications[halted.len()..];
    assert!(told.iter().all(|trigger| trigger.kind.shown_name() == "reopened"), "{told:?}");
    assert_eq!(told.iter().map(|trigger| trigger.ticket).collect::<Vec<_>>(), halted);
}

#[test]
fn a_whole_line_that_was_halted_is_told_that_it_goes_on_in_batches() {
    let mut scenario = LARGE_LINE.clone();
    let people = scenario.waiting_with_person();
    scenario.run(set_queue(QueueState::Halted)).unwrap();
    scenario.run_until_idle();
    let halted = scenario.notifications.len();
    scenario.run(set_queue(QueueState::Open)).unwrap();
    assert_eq!(scenario.run_until_idle(), 2);
    let told = &scenario.notifications[halted..];
    assert_eq!(told.iter().map(|trigger| trigger.ticket).collect::<Vec<_>>(), people);
    // Nobody hears it twice.
    scenario.run(set_queue(QueueState::Paused)).unwrap();
    scenario.run(set_queue(QueueState::Open)).unwrap();
    scenario.run_until_idle();
    assert_eq!(scenario.notifications.len(), halted + people.len());
}

#[test]
fn a_cleared_line_is_void_to_the_last_and_nobody_is_called_meanwhile() {
    let mut scenario = LARGE_LINE.clone();
    let all = scenario.waiting().len() as u32;
    let people = scenario.waiting_with_person();
    let outcome = scenario.run(Act::ClearQueue(queue_a())).unwrap();
    assert_eq!(outcome, Outcome::QueueCleared { queue: queue_a(), voided: all });
    assert!(matches!(scenario.run(call("1")), Err(Refusal::QueueHalted(_))));
    // A ticket taken meanwhile was not there when the line was cleared.
    scenario.run(take("late", "a")).unwrap();
    assert_eq!(scenario.run_until_idle(), 2);
    assert_eq!(scenario.closed_count(CloseReason::QueueCleared), all as usize);
    assert_eq!(scenario.waiting().len(), 1);
    let sent = scenario.notifications.iter().filter(|m| m.kind.name() == "queue_closed");
    assert_eq!(sent.map(|trigger| trigger.ticket).collect::<Vec<_>>(), people);
    scenario.run(call("1")).unwrap();
}

#[test]
fn a_line_that_is_cleared_and_closed_at_once_notifies_each_holder_once() {
    let mut scenario = LARGE_LINE.clone();
    let people = scenario.waiting_with_person();
    scenario.run(set_queue(QueueState::Halted)).unwrap();
    scenario.run(Act::ClearQueue(queue_a())).unwrap();
    scenario.run(set_queue(QueueState::Closed)).unwrap();
    scenario.run_until_idle();
    let closed = scenario.notifications.iter().filter(|m| m.kind.name() == "queue_closed");
    let closed: Vec<_> = closed.map(|trigger| trigger.ticket).collect();
    assert_eq!(closed, people, "that the tickets are void is told at once");
    assert_eq!(scenario.notifications.len(), people.len() + MAX_BATCH_TICKETS * 4 / 5);
    assert!(scenario.waiting().is_empty());
}

#[test]
fn a_day_ends_in_batches_before_anything_of_the_next_one() {
    let mut scenario = LARGE_LINE.clone();
    let all = scenario.waiting().len();
    scenario.now = DecisionInput::on_day(Day(20_001), scenario.now.at.plus_ms(MINUTE_MS));
    assert_eq!(scenario.run(take("early", "a")), Err(Refusal::DayRollover));
    assert_eq!(scenario.run(Act::CloseDay), Err(Refusal::NotAllowed(paihao_domain::Role::Manager)));
    assert!(scenario.run_next_due());
    assert_eq!(scenario.closed_count(CloseReason::DayClosed), MAX_BATCH_TICKETS);
    assert_eq!(scenario.run(take("early", "a")), Err(Refusal::DayRollover));
    assert_eq!(scenario.site.day(), Some(Day(20_000)));
    assert!(scenario.run_next_due());
    // The rest fits into one decision: the first command of the new day brings it.
    assert_eq!(day_close_command(&scenario.site, &scenario.rules, &scenario.now), None);
    scenario.run(take("early", "a")).unwrap();
    assert_eq!(scenario.site.day(), Some(Day(20_001)));
    let ended = scenario.events.iter().find_map(|event| match event {
        Event::DayClosed { voided, carried, .. } => Some((*voided as usize, *carried)),
        _ => None,
    });
    assert_eq!(ended, Some((all, 0)));
    let closed = scenario.events.iter().filter(|event| matches!(event, Event::TicketClosed { .. }));
    assert_eq!(closed.count(), all);
    let sent: Vec<_> = scenario.notifications.iter().map(|trigger| trigger.kind.name()).collect();
    assert_eq!(sent, ["joined"], "it is the middle of the night");
}

#[test]
fn a_line_that_goes_on_over_the_night_is_carried_whole_before_anybody_joins() {
    let mut scenario = BatchScenario::new(2 * MAX_BATCH_TICKETS + 150, carry_over_rules());
    let line = scenario.waiting();
    let counter = scenario.run(call("1"));
    counter.unwrap();
    scenario.now = DecisionInput::on_day(Day(20_001), scenario.now.at.plus_ms(MINUTE_MS));
    assert_eq!(scenario.run(take("early", "a")), Err(Refusal::DayRollover));
    assert!(scenario.run_next_due());
    assert_eq!(scenario.site.day(), Some(Day(20_001)));
    assert_eq!(scenario.run(take("early", "a")), Err(Refusal::DayRollover));
    // A replica whose clock is behind continues it, too.
    let ahead = std::mem::replace(
        &mut scenario.now,
        DecisionInput::on_day(Day(20_000), Timestamp(2_000_000_000)),
    );
    assert!(scenario.run_next_due());
    scenario.now = ahead;
    assert_eq!(scenario.run_until_idle(), 1);
    assert_eq!(scenario.waiting(), line[1..]);
    let busy =
        scenario.site.tickets().find(|ticket| ticket.status() == TicketStatus::Called).unwrap();
    assert_eq!(busy.id, line[0]);
    let outcome = scenario.run(take("early", "a")).unwrap();
    let Outcome::Holding { number, standing, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(number.serial as usize, line.len() + 1);
    assert_eq!(standing.ahead() as usize, line.len() - 1);
}

/// Random act that may come between two batches.
fn concurrent_act() -> impl Strategy<Value = Act> {
    let ticket = || (1..2 * MAX_BATCH_TICKETS as u32 + 150).prop_map(TicketId);
    prop_oneof![
        3 => (0..50u8).prop_map(|n| take(&format!("new{n}"), "a")),
        3 => ticket().prop_map(|ticket| Act::Leave { ticket, reason: Some("走了".into()) }),
        2 => ticket().prop_map(|ticket| Act::Hold { ticket, reason: "证件".into(), minutes: None }),
        2 => ticket().prop_map(Act::Resume),
        2 => ticket().prop_map(|ticket| Act::Transfer { ticket, queue: QueueId::new("b") }),
        2 => (ticket(), 0..9u8).prop_map(|(ticket, class)| Act::Prioritise {
            ticket, class, reason: "军人".into(),
        }),
        1 => Just(call("1")),
        1 => (0..900u32).prop_map(|n| Act::Forget { person: Person::new(&format!("p{n}")) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn batches_add_up_to_the_whole_whatever_comes_between_them(
        clears in any::<bool>(),
        between in prop::collection::vec(prop::option::weighted(0.85, concurrent_act()), 0..40),
    ) {
        let mut scenario = LARGE_LINE.clone();
        let present: BTreeSet<_> = scenario.waiting().into_iter().collect();
        let people: BTreeSet<_> = scenario.waiting_with_person().into_iter().collect();
        let kind = if clears { "cleared" } else { "halted" };
        scenario.run(if clears { Act::ClearQueue(queue_a()) } else { set_queue(QueueState::Halted) }).unwrap();
        let start = scenario.now.at;
        for act in between {
            match act {
                Some(act) => drop(scenario.run(act)),
                None => drop(scenario.run_next_due()),
            }
        }
        scenario.run_until_idle();
        let sent: Vec<_> = scenario.notifications.iter().filter(|m| m.kind.shown_name() == kind).collect();
        let notified: BTreeSet<_> = sent.iter().map(|trigger| trigger.ticket).collect();
        prop_assert_eq!(notified.len(), sent.len(), "nobody is notified twice");
        prop_assert!(notified.is_subset(&people), "only holders who were there are notified");
        let line = scenario.site.line(&queue_a());
        for id in &present {
            let ticket = scenario.site.ticket(*id).unwrap();
            let stays = ticket.queue == queue_a() && matches!(*ticket.state, TicketState::Waiting | TicketState::Held { .. });
            prop_assert!(!(clears && stays), "{} is still there", ticket.number);
            if !clears && stays && ticket.person.is_some() {
                prop_assert!(notified.contains(id), "{} was not notified", ticket.number);
            }
            if let TicketState::Closed { reason: CloseReason::QueueCleared, .. } = *ticket.state {
                prop_assert!(!people.contains(id) || notified.contains(id) || ticket.person.is_none());
            }
        }
        prop_assert!(line.waiting().all(|id| !clears || !present.contains(&id)));
        prop_assert_eq!(start, scenario.now.at);
        let next = next_due_at(&scenario.site, &scenario.rules, &scenario.now);
        prop_assert!(next.is_none_or(|next| next > scenario.now.at), "something is left");
    }
}
