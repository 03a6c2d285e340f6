//! What concerns more people than one decision takes comes in pieces that add up to the whole.

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

/// A site, what was decided there, and the moment.
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
    /// So many people in queue `queue_a`; every fifth has no WeChat.
    fn new(people: usize, rules: Rules) -> BatchScenario {
        let hall = given_with_rules(rules.clone(), [open("1")]);
        let now = hall.now.clone();
        let mut story = BatchScenario {
            site: hall.site,
            rules,
            now,
            notifications: vec![],
            events: vec![],
            commands: 0,
        };
        for n in 0..people {
            let act = match n % 5 {
                4 => {
                    Act::Take { queue: queue_a(), person: None, via: None, class: None, key: None }
                }
                _ => take(&format!("p{n}"), "a"),
            };
            story.run(act).unwrap();
        }
        story.now.at = story.now.at.plus_ms(2 * MINUTE_MS);
        (story.notifications, story.events) = (vec![], vec![]);
        story
    }

    fn execute(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match decide(&self.site, &self.rules, command, &self.now)? {
            DecisionResult::AlreadyDecided(known) => Ok(known.outcome),
            DecisionResult::Decided(decision, after) => {
                self.site.apply(&decision);
                assert_eq!(self.site, *after);
                let people = decision.events.iter().filter(|event| {
                    !matches!(event, Event::NotificationTriggered(_)) && event.ticket().is_some()
                });
                assert!(people.count() <= MAX_BATCH_TICKETS, "too much in one decision");
                for event in decision.events {
                    if let Event::NotificationTriggered(milestone) = &event {
                        self.notifications.push(milestone.clone());
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
        self.execute(&Command { id, fingerprint: 0, actor, act })
    }

    /// Decides one thing that is due; whether there was any.
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

    /// As any replica would, one after the other.
    fn run_until_idle(&mut self) -> usize {
        (0..).take_while(|_| self.run_next_due()).count()
    }

    fn waiting(&self) -> Vec<TicketId> {
        self.site.line(&queue_a()).waiting().collect()
    }

    fn closed_count(&self, reason: CloseReason) -> usize {
        let of = |stage: &TicketState| matches!(stage, TicketState::Closed { reason: r, .. } if *r == reason);
        self.site.tickets().filter(|ticket| of(&ticket.state)).count()
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
fn whoever_waits_in_a_halted_line_is_told_once_in_order_in_as_many_pieces_as_it_takes() {
    for (state, name) in [(QueueState::Halted, "halted"), (QueueState::Closed, "queue_closed")] {
        let mut story = LARGE_LINE.clone();
        let people = story.waiting_with_person();
        story.run(set_queue(state)).unwrap();
        assert!(story.run(call("1")).is_err(), "nobody is called from the first piece on");
        assert_eq!(story.run_until_idle(), 2);
        let told: Vec<_> = story.notifications.iter().map(|milestone| milestone.ticket).collect();
        assert_eq!(told, people);
        assert!(story.notifications.iter().all(|milestone| milestone.kind.name() == name));
        if let paihao_domain::NotificationKind::Halted(told) =
            &story.notifications.last().unwrap().kind
        {
            let last = *people.last().unwrap();
            assert_eq!(told.ahead, story.site.ahead(story.site.ticket(last).unwrap()));
        }
    }
    // As many as one decision takes are told in one.
    let mut story = ONE_BATCH_LINE.clone();
    story.run(set_queue(QueueState::Halted)).unwrap();
    assert_eq!(
        (story.notifications.len(), story.run_until_idle()),
        (ONE_BATCH_LINE.waiting_with_person().len(), 0)
    );
}

#[test]
fn a_line_that_goes_on_before_everybody_was_told_is_told_no_more() {
    let mut story = LARGE_LINE.clone();
    story.run(set_queue(QueueState::Halted)).unwrap();
    let told = story.notifications.len();
    story.run(set_queue(QueueState::Open)).unwrap();
    assert_eq!((story.run_until_idle(), story.notifications.len()), (0, told));
}

#[test]
fn a_cleared_line_is_void_to_the_last_and_nobody_is_called_meanwhile() {
    let mut story = LARGE_LINE.clone();
    let all = story.waiting().len() as u32;
    let people = story.waiting_with_person();
    let outcome = story.run(Act::ClearQueue(queue_a())).unwrap();
    assert_eq!(outcome, Outcome::QueueCleared { queue: queue_a(), voided: all });
    assert!(matches!(story.run(call("1")), Err(Refusal::QueueHalted(_))));
    // Who joins meanwhile was not there when it was cleared.
    story.run(take("late", "a")).unwrap();
    assert_eq!(story.run_until_idle(), 2);
    assert_eq!(story.closed_count(CloseReason::QueueCleared), all as usize);
    assert_eq!(story.waiting().len(), 1);
    let told = story.notifications.iter().filter(|m| m.kind.name() == "queue_closed");
    assert_eq!(told.map(|milestone| milestone.ticket).collect::<Vec<_>>(), people);
    story.run(call("1")).unwrap();
}

#[test]
fn a_line_that_is_cleared_and_closed_at_once_tells_each_once() {
    let mut story = LARGE_LINE.clone();
    let people = story.waiting_with_person();
    story.run(set_queue(QueueState::Halted)).unwrap();
    story.run(Act::ClearQueue(queue_a())).unwrap();
    story.run(set_queue(QueueState::Closed)).unwrap();
    story.run_until_idle();
    let closed = story.notifications.iter().filter(|m| m.kind.name() == "queue_closed");
    let closed: Vec<_> = closed.map(|milestone| milestone.ticket).collect();
    // The first had just been told that the line was halted: a minute lies between two notices.
    assert_eq!(closed, people[MAX_BATCH_TICKETS * 4 / 5..]);
    assert_eq!(story.notifications.len(), people.len());
    assert!(story.waiting().is_empty());
}

#[test]
fn a_day_ends_in_pieces_before_anything_of_the_next_one() {
    let mut story = LARGE_LINE.clone();
    let all = story.waiting().len();
    story.now = DecisionInput::on_day(Day(20_001), story.now.at.plus_ms(MINUTE_MS));
    assert_eq!(story.run(take("early", "a")), Err(Refusal::DayTurning));
    assert_eq!(story.run(Act::CloseDay), Err(Refusal::NotAllowed(paihao_domain::Role::Manager)));
    assert!(story.run_next_due());
    assert_eq!(story.closed_count(CloseReason::DayClosed), MAX_BATCH_TICKETS);
    assert_eq!(story.run(take("early", "a")), Err(Refusal::DayTurning));
    assert_eq!(story.site.day(), Some(Day(20_000)));
    assert!(story.run_next_due());
    // What is left fits into one decision: whatever comes first brings it.
    assert_eq!(day_close_command(&story.site, &story.rules, &story.now), None);
    story.run(take("early", "a")).unwrap();
    assert_eq!(story.site.day(), Some(Day(20_001)));
    let ended = story.events.iter().find_map(|event| match event {
        Event::DayClosed { voided, carried, .. } => Some((*voided as usize, *carried)),
        _ => None,
    });
    assert_eq!(ended, Some((all, 0)));
    let closed = story.events.iter().filter(|event| matches!(event, Event::TicketClosed { .. }));
    assert_eq!(closed.count(), all);
    let told: Vec<_> = story.notifications.iter().map(|milestone| milestone.kind.name()).collect();
    assert_eq!(told, ["joined"], "it is the middle of the night");
}

#[test]
fn a_line_that_goes_on_over_the_night_is_carried_whole_before_anybody_joins() {
    let mut story = BatchScenario::new(2 * MAX_BATCH_TICKETS + 150, carry_over_rules());
    let (line, counter) = (story.waiting(), story.run(call("1")));
    counter.unwrap();
    story.now = DecisionInput::on_day(Day(20_001), story.now.at.plus_ms(MINUTE_MS));
    assert_eq!(story.run(take("early", "a")), Err(Refusal::DayTurning));
    assert!(story.run_next_due());
    assert_eq!(story.site.day(), Some(Day(20_001)));
    assert_eq!(story.run(take("early", "a")), Err(Refusal::DayTurning));
    // A replica whose clock is behind goes on with it, too.
    let ahead = std::mem::replace(
        &mut story.now,
        DecisionInput::on_day(Day(20_000), Timestamp(2_000_000_000)),
    );
    assert!(story.run_next_due());
    story.now = ahead;
    assert_eq!(story.run_until_idle(), 1);
    assert_eq!(story.waiting(), line[1..]);
    let busy = story.site.tickets().find(|ticket| ticket.status() == TicketStatus::Called).unwrap();
    assert_eq!(busy.id, line[0]);
    let outcome = story.run(take("early", "a")).unwrap();
    let Outcome::Holding { number, told, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(number.serial as usize, line.len() + 1);
    assert_eq!(told.ahead as usize, line.len() - 1);
}

/// What may come between two pieces.
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
    fn whatever_comes_between_the_pieces_they_add_up_to_the_whole(
        clears in any::<bool>(),
        between in prop::collection::vec(prop::option::weighted(0.85, concurrent_act()), 0..40),
    ) {
        let mut story = LARGE_LINE.clone();
        let there: BTreeSet<_> = story.waiting().into_iter().collect();
        let people: BTreeSet<_> = story.waiting_with_person().into_iter().collect();
        let kind = if clears { "queue_closed" } else { "halted" };
        story.run(if clears { Act::ClearQueue(queue_a()) } else { set_queue(QueueState::Halted) }).unwrap();
        let halted = story.now.at;
        for act in between {
            match act {
                Some(act) => drop(story.run(act)),
                None => drop(story.run_next_due()),
            }
        }
        story.run_until_idle();
        let told: Vec<_> = story.notifications.iter().filter(|m| m.kind.name() == kind).collect();
        let once: BTreeSet<_> = told.iter().map(|milestone| milestone.ticket).collect();
        prop_assert_eq!(once.len(), told.len(), "nobody is told twice");
        prop_assert!(once.is_subset(&people), "nobody who was not there is told");
        let line = story.site.line(&queue_a());
        for id in &there {
            let ticket = story.site.ticket(*id).unwrap();
            let stays = ticket.queue == queue_a() && matches!(ticket.state, TicketState::Waiting | TicketState::Held { .. });
            prop_assert!(!(clears && stays), "{} is still there", ticket.number);
            if !clears && stays && ticket.person.is_some() {
                prop_assert!(once.contains(id), "{} was not told", ticket.number);
            }
            if let TicketState::Closed { reason: CloseReason::QueueCleared, .. } = ticket.state {
                prop_assert!(!people.contains(id) || once.contains(id) || ticket.person.is_none());
            }
        }
        prop_assert!(line.waiting().all(|id| !clears || !there.contains(&id)));
        prop_assert_eq!(halted, story.now.at);
        let next = next_due_at(&story.site, &story.rules, &story.now);
        prop_assert!(next.is_none_or(|next| next > story.now.at), "something is left");
    }
}
