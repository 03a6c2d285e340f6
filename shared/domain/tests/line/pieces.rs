//! What concerns more people than one decision takes comes in pieces that add up to the whole.

use crate::hall::{MINUTE, call, given_by, manager, open, rules, take};
use paihao_domain::{
    Act, Actor, Answer, CloseReason, Command, CommandId, Day, Event, Milestone, Now, Outcome,
    PIECE, Person, QueueId, QueueState, Refusal, Rules, Site, Stage, State, TicketId, Timestamp,
    decide, due, first_of_all, next_due,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;

fn a() -> QueueId {
    QueueId::new("a")
}

fn carrying() -> Rules {
    let mut rules = rules();
    rules.queues.get_mut(&a()).unwrap().carry_over = true;
    rules
}

/// A site, what was decided there, and the moment.
#[derive(Clone)]
struct Story {
    site: Site,
    rules: Rules,
    now: Now,
    told: Vec<Milestone>,
    events: Vec<Event>,
    commands: u32,
}

impl Story {
    /// So many people in queue `a`; every fifth has no WeChat.
    fn of(people: usize, rules: Rules) -> Story {
        let hall = given_by(rules.clone(), [open("1")]);
        let now = hall.now.clone();
        let mut story =
            Story { site: hall.site, rules, now, told: vec![], events: vec![], commands: 0 };
        for n in 0..people {
            let act = match n % 5 {
                4 => Act::Take { queue: a(), person: None, via: None, class: None, key: None },
                _ => take(&format!("p{n}"), "a"),
            };
            story.does(act).unwrap();
        }
        story.now.at = story.now.at.plus_ms(2 * MINUTE);
        (story.told, story.events) = (vec![], vec![]);
        story
    }

    fn hear(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match decide(&self.site, &self.rules, command, &self.now)? {
            Answer::Remembered(known) => Ok(known.outcome),
            Answer::Decided(decision, after) => {
                self.site.apply(&decision);
                assert_eq!(self.site, *after);
                let people = decision.events.iter().filter(|event| {
                    !matches!(event, Event::MilestoneReached(_)) && event.ticket().is_some()
                });
                assert!(people.count() <= PIECE, "too much in one decision");
                for event in decision.events {
                    if let Event::MilestoneReached(milestone) = &event {
                        self.told.push(milestone.clone());
                    }
                    self.events.push(event);
                }
                Ok(decision.outcome)
            }
        }
    }

    fn does(&mut self, act: Act) -> Result<Outcome, Refusal> {
        self.commands += 1;
        let id = CommandId::derived(&format!("story {}", self.commands));
        let actor = match &act {
            Act::Take { person: Some(person), .. } => Actor::Customer(person.clone()),
            _ => manager(),
        };
        self.hear(&Command { id, fingerprint: 0, actor, act })
    }

    /// Decides one thing that is due; whether there was any.
    fn goes_on(&mut self) -> bool {
        let due = due(&self.site, &self.rules, &self.now);
        assert_eq!(
            next_due(&self.site, &self.rules, &self.now) == Some(self.now.at),
            !due.is_empty()
        );
        let Some(command) = due.first() else { return false };
        self.hear(command).unwrap();
        true
    }

    /// As any replica would, one after the other.
    fn comes_to_rest(&mut self) -> usize {
        (0..).take_while(|_| self.goes_on()).count()
    }

    fn waiting(&self) -> Vec<TicketId> {
        self.site.line(&a()).waiting().collect()
    }

    fn count(&self, reason: CloseReason) -> usize {
        let of = |stage: &Stage| matches!(stage, Stage::Closed { reason: r, .. } if *r == reason);
        self.site.tickets().filter(|ticket| of(&ticket.stage)).count()
    }

    fn people(&self) -> Vec<TicketId> {
        self.waiting()
            .into_iter()
            .filter(|id| self.site.ticket(*id).unwrap().person.is_some())
            .collect()
    }
}

fn set(state: QueueState) -> Act {
    Act::SetQueue { queue: a(), state }
}

static CROWD: LazyLock<Story> = LazyLock::new(|| Story::of(2 * PIECE + 150, rules()));
static FEW: LazyLock<Story> = LazyLock::new(|| Story::of(PIECE, rules()));

#[test]
fn whoever_waits_in_a_halted_line_is_told_once_in_order_in_as_many_pieces_as_it_takes() {
    for (state, name) in [(QueueState::Halted, "halted"), (QueueState::Closed, "queue_closed")] {
        let mut story = CROWD.clone();
        let people = story.people();
        story.does(set(state)).unwrap();
        assert!(story.does(call("1")).is_err(), "nobody is called from the first piece on");
        assert_eq!(story.comes_to_rest(), 2);
        let told: Vec<_> = story.told.iter().map(|milestone| milestone.ticket).collect();
        assert_eq!(told, people);
        assert!(story.told.iter().all(|milestone| milestone.kind.name() == name));
        if let paihao_domain::MilestoneKind::Halted(told) = &story.told.last().unwrap().kind {
            let last = *people.last().unwrap();
            assert_eq!(told.ahead, story.site.ahead(story.site.ticket(last).unwrap()));
        }
    }
    // As many as one decision takes are told in one.
    let mut story = FEW.clone();
    story.does(set(QueueState::Halted)).unwrap();
    assert_eq!((story.told.len(), story.comes_to_rest()), (FEW.people().len(), 0));
}

#[test]
fn a_line_that_goes_on_before_everybody_was_told_is_told_no_more() {
    let mut story = CROWD.clone();
    story.does(set(QueueState::Halted)).unwrap();
    let told = story.told.len();
    story.does(set(QueueState::Open)).unwrap();
    assert_eq!((story.comes_to_rest(), story.told.len()), (0, told));
}

#[test]
fn a_cleared_line_is_void_to_the_last_and_nobody_is_called_meanwhile() {
    let mut story = CROWD.clone();
    let all = story.waiting().len() as u32;
    let people = story.people();
    let outcome = story.does(Act::ClearQueue(a())).unwrap();
    assert_eq!(outcome, Outcome::QueueCleared { queue: a(), voided: all });
    assert!(matches!(story.does(call("1")), Err(Refusal::QueueHalted(_))));
    // Who joins meanwhile was not there when it was cleared.
    story.does(take("late", "a")).unwrap();
    assert_eq!(story.comes_to_rest(), 2);
    assert_eq!(story.count(CloseReason::QueueCleared), all as usize);
    assert_eq!(story.waiting().len(), 1);
    let told = story.told.iter().filter(|m| m.kind.name() == "queue_closed");
    assert_eq!(told.map(|milestone| milestone.ticket).collect::<Vec<_>>(), people);
    story.does(call("1")).unwrap();
}

#[test]
fn a_line_that_is_cleared_and_closed_at_once_tells_each_once() {
    let mut story = CROWD.clone();
    let people = story.people();
    story.does(set(QueueState::Halted)).unwrap();
    story.does(Act::ClearQueue(a())).unwrap();
    story.does(set(QueueState::Closed)).unwrap();
    story.comes_to_rest();
    let closed = story.told.iter().filter(|m| m.kind.name() == "queue_closed");
    let closed: Vec<_> = closed.map(|milestone| milestone.ticket).collect();
    // The first had just been told that the line was halted: a minute lies between two notices.
    assert_eq!(closed, people[PIECE * 4 / 5..]);
    assert_eq!(story.told.len(), people.len());
    assert!(story.waiting().is_empty());
}

#[test]
fn a_day_ends_in_pieces_before_anything_of_the_next_one() {
    let mut story = CROWD.clone();
    let all = story.waiting().len();
    story.now = Now::on(Day(20_001), story.now.at.plus_ms(MINUTE));
    assert_eq!(story.does(take("early", "a")), Err(Refusal::DayTurning));
    assert_eq!(story.does(Act::CloseDay), Err(Refusal::NotAllowed(paihao_domain::Role::Manager)));
    assert!(story.goes_on());
    assert_eq!(story.count(CloseReason::DayClosed), PIECE);
    assert_eq!(story.does(take("early", "a")), Err(Refusal::DayTurning));
    assert_eq!(story.site.day(), Some(Day(20_000)));
    assert!(story.goes_on());
    // What is left fits into one decision: whatever comes first brings it.
    assert_eq!(first_of_all(&story.site, &story.rules, &story.now), None);
    story.does(take("early", "a")).unwrap();
    assert_eq!(story.site.day(), Some(Day(20_001)));
    let ended = story.events.iter().find_map(|event| match event {
        Event::DayClosed { voided, carried, .. } => Some((*voided as usize, *carried)),
        _ => None,
    });
    assert_eq!(ended, Some((all, 0)));
    let closed = story.events.iter().filter(|event| matches!(event, Event::TicketClosed { .. }));
    assert_eq!(closed.count(), all);
    let told: Vec<_> = story.told.iter().map(|milestone| milestone.kind.name()).collect();
    assert_eq!(told, ["joined"], "it is the middle of the night");
}

#[test]
fn a_line_that_goes_on_over_the_night_is_carried_whole_before_anybody_joins() {
    let mut story = Story::of(2 * PIECE + 150, carrying());
    let (line, counter) = (story.waiting(), story.does(call("1")));
    counter.unwrap();
    story.now = Now::on(Day(20_001), story.now.at.plus_ms(MINUTE));
    assert_eq!(story.does(take("early", "a")), Err(Refusal::DayTurning));
    assert!(story.goes_on());
    assert_eq!(story.site.day(), Some(Day(20_001)));
    assert_eq!(story.does(take("early", "a")), Err(Refusal::DayTurning));
    // A replica whose clock is behind goes on with it, too.
    let ahead = std::mem::replace(&mut story.now, Now::on(Day(20_000), Timestamp(2_000_000_000)));
    assert!(story.goes_on());
    story.now = ahead;
    assert_eq!(story.comes_to_rest(), 1);
    assert_eq!(story.waiting(), line[1..]);
    let busy = story.site.tickets().find(|ticket| ticket.state() == State::Called).unwrap();
    assert_eq!(busy.id, line[0]);
    let outcome = story.does(take("early", "a")).unwrap();
    let Outcome::Holding { number, told, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(number.serial as usize, line.len() + 1);
    assert_eq!(told.ahead as usize, line.len() - 1);
}

/// What may come between two pieces.
fn between() -> impl Strategy<Value = Act> {
    let ticket = || (1..2 * PIECE as u32 + 150).prop_map(TicketId);
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
        between in prop::collection::vec(prop::option::weighted(0.85, between()), 0..40),
    ) {
        let mut story = CROWD.clone();
        let there: BTreeSet<_> = story.waiting().into_iter().collect();
        let people: BTreeSet<_> = story.people().into_iter().collect();
        let kind = if clears { "queue_closed" } else { "halted" };
        story.does(if clears { Act::ClearQueue(a()) } else { set(QueueState::Halted) }).unwrap();
        let halted = story.now.at;
        for act in between {
            match act {
                Some(act) => drop(story.does(act)),
                None => drop(story.goes_on()),
            }
        }
        story.comes_to_rest();
        let told: Vec<_> = story.told.iter().filter(|m| m.kind.name() == kind).collect();
        let once: BTreeSet<_> = told.iter().map(|milestone| milestone.ticket).collect();
        prop_assert_eq!(once.len(), told.len(), "nobody is told twice");
        prop_assert!(once.is_subset(&people), "nobody who was not there is told");
        let line = story.site.line(&a());
        for id in &there {
            let ticket = story.site.ticket(*id).unwrap();
            let stays = ticket.queue == a() && matches!(ticket.stage, Stage::Waiting | Stage::Held { .. });
            prop_assert!(!(clears && stays), "{} is still there", ticket.number);
            if !clears && stays && ticket.person.is_some() {
                prop_assert!(once.contains(id), "{} was not told", ticket.number);
            }
            if let Stage::Closed { reason: CloseReason::QueueCleared, .. } = ticket.stage {
                prop_assert!(!people.contains(id) || once.contains(id) || ticket.person.is_none());
            }
        }
        prop_assert!(line.waiting().all(|id| !clears || !there.contains(&id)));
        prop_assert_eq!(halted, story.now.at);
        let next = next_due(&story.site, &story.rules, &story.now);
        prop_assert!(next.is_none_or(|next| next > story.now.at), "something is left");
    }
}
