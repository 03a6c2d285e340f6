//! Small site for the tests, with the steps given, when and then.

use paihao_domain::{
    Act, Actor, ApiScope, Command, CommandId, CounterId, CounterRules, CounterTicket, Day,
    Decision, DecisionInput, DecisionResult, Event, Mark, Outcome, Person, QueueId, QueueRules,
    Refusal, Rules, Site, Ticket, TicketId, TicketStatus, Timestamp, decide,
};
use std::collections::BTreeSet;
use std::sync::Arc;

pub const MINUTE_MS: i64 = 60_000;

/// Rules of two queues; counter 1 serves `a`, counter 2 both, counter 3 `b`. Queue `shut` gives no
/// numbers.
pub fn rules() -> Rules {
    let queue = |name, prefix, open| QueueRules { open, ..QueueRules::new(name, prefix) };
    let counter = |name, queues: &[&str]| {
        CounterRules::new(name, queues.iter().map(|queue| QueueId::new(queue)).collect())
    };
    Rules {
        queues: [
            (QueueId::new("a"), queue("存取款", "A", true)),
            (QueueId::new("b"), queue("贷款", "B", true)),
            (QueueId::new("shut"), queue("外币", "C", false)),
        ]
        .into(),
        counters: [
            (CounterId::new("1"), counter("1号窗口", &["a"])),
            (CounterId::new("2"), counter("2号窗口", &["a", "b"])),
            (CounterId::new("3"), counter("3号窗口", &["b"])),
        ]
        .into(),
        several_counters: false,
    }
}

/// Site, rules and time of a test.
pub struct SiteFixture {
    pub site: Site,
    pub rules: Rules,
    pub now: DecisionInput,
    commands: u64,
}

/// Result of a command.
pub struct CommandResult(pub Result<(Outcome, Vec<Event>), Refusal>);

/// Site after these acts.
pub fn given(acts: impl IntoIterator<Item = Act>) -> SiteFixture {
    given_with_rules(rules(), acts)
}

/// Site with other rules after these acts.
pub fn given_with_rules(rules: Rules, acts: impl IntoIterator<Item = Act>) -> SiteFixture {
    let now = DecisionInput::on_day(Day(20_000), Timestamp(1_000_000_000));
    let mut fixture = SiteFixture { site: Site::default(), rules, now, commands: 0 };
    for act in acts {
        let result = fixture.when(act.clone());
        assert!(result.0.is_ok(), "given {act:?}, but {:?}", result.0);
    }
    fixture
}

impl SiteFixture {
    /// Copy of the site, its rules and its time.
    pub fn copy(&self) -> SiteFixture {
        let SiteFixture { site, rules, now, commands } = self;
        SiteFixture {
            site: site.clone(),
            rules: rules.clone(),
            now: now.clone(),
            commands: *commands,
        }
    }

    /// Runs an act a minute later, as its usual actor.
    pub fn when(&mut self, act: Act) -> CommandResult {
        let actor = self.default_actor(&act);
        self.when_as(actor, act)
    }

    /// Runs an act a minute later, as this actor.
    pub fn when_as(&mut self, actor: Actor, act: Act) -> CommandResult {
        self.now.at = self.now.at.plus_ms(MINUTE_MS);
        self.at_once_as(actor, act)
    }

    /// Runs an act at the same time, as its usual actor.
    pub fn at_once(&mut self, act: Act) -> CommandResult {
        let actor = self.default_actor(&act);
        self.at_once_as(actor, act)
    }

    /// Runs an act at the same time, as this actor.
    pub fn at_once_as(&mut self, actor: Actor, act: Act) -> CommandResult {
        self.commands += 1;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.commands.to_be_bytes());
        let day = self.site.day();
        self.execute(Command { id: CommandId(id), fingerprint: 0, actor, act, day })
    }

    /// Usual actor of an act: the customer whom it concerns, or the manager.
    pub fn default_actor(&self, act: &Act) -> Actor {
        match act {
            Act::Take { person: Some(person), .. }
            | Act::Show { person }
            | Act::Withdraw { person }
            | Act::Forget { person } => Actor::Customer(person.clone()),
            Act::Leave { ticket, reason: None }
            | Act::LetPass { ticket, .. }
            | Act::Mark { ticket, mark: Mark::NotifyAhead(_) } => {
                let person = self.site.ticket(*ticket).and_then(|ticket| ticket.person.clone());
                Actor::Customer(person.unwrap_or_else(|| Person::new("nobody")))
            }
            Act::Expire(_) | Act::CloseDay | Act::NotifySlipped(_) => Actor::System,
            _ => manager(),
        }
    }

    /// Advances the clock.
    pub fn advance_ms(&mut self, ms: i64) {
        self.now.at = self.now.at.plus_ms(ms);
    }

    /// Starts a business day.
    pub fn start_day(&mut self, day: i32) {
        self.now = DecisionInput::on_day(Day(day), self.now.at);
    }

    /// Runs a command a minute later.
    pub fn when_command(&mut self, command: Command) -> CommandResult {
        self.now.at = self.now.at.plus_ms(MINUTE_MS);
        self.execute(command)
    }

    /// Runs the commands that are due, and returns their acts.
    pub fn run_due_commands(&mut self) -> Vec<Act> {
        let due = paihao_domain::due_commands(&self.site, &self.rules, &self.now);
        due.into_iter()
            .map(|command| {
                let act = command.act.clone();
                self.execute(command).then();
                act
            })
            .collect()
    }

    /// Runs a command at the same time.
    pub fn execute(&mut self, command: Command) -> CommandResult {
        let answer = decide(&self.site, &self.rules, &command, &self.now);
        CommandResult(answer.map(|answer| match answer {
            DecisionResult::Decided(decision, after) => {
                self.site.apply(&decision);
                assert_eq!(self.site, *after, "what a decision promises is what applying it gives");
                let Decision { outcome, events, .. } = decision;
                (outcome, events)
            }
            DecisionResult::AlreadyDecided(recorded) => (recorded.outcome, vec![]),
        }))
    }

    /// Numbers that wait in a queue, first to last.
    pub fn waiting(&self, queue: &str) -> Vec<String> {
        let line = self.site.line(&QueueId::new(queue));
        line.waiting().map(|id| self.site.ticket(id).unwrap().number.to_string()).collect()
    }

    /// Ticket with this ordinal.
    pub fn ticket(&self, id: u32) -> &Ticket {
        self.site.ticket(TicketId(id)).expect("taken")
    }

    /// Status of a ticket.
    pub fn state(&self, id: u32) -> TicketStatus {
        self.ticket(id).status()
    }

    /// Number at a counter.
    pub fn at_counter(&self, counter: &str) -> Option<String> {
        let serving = self.site.counter(&CounterId::new(counter)).serving?;
        self.site.ticket(serving).map(|ticket| ticket.number.to_string())
    }
}

impl CommandResult {
    #[track_caller]
    pub fn then(self) -> Outcome {
        self.0.expect("allowed").0
    }

    #[track_caller]
    pub fn then_events(self) -> Vec<Event> {
        self.0.expect("allowed").1
    }

    #[track_caller]
    pub fn then_refused(self) -> Refusal {
        self.0.expect_err("refused")
    }

    /// Number of the ticket shown, and the number ahead.
    #[track_caller]
    pub fn then_holding(self) -> (String, u32) {
        match self.then() {
            Outcome::Holding { number, standing, .. } => (number.to_string(), standing.ahead()),
            other => panic!("not a ticket: {other:?}"),
        }
    }

    #[track_caller]
    pub fn then_called(self) -> String {
        match self.then() {
            Outcome::Called { number, .. } => number.to_string(),
            other => panic!("not a call: {other:?}"),
        }
    }
}

pub fn manager() -> Actor {
    Actor::Manager("boss".into())
}

fn counter_ids(counters: &[&str]) -> Arc<BTreeSet<CounterId>> {
    Arc::new(counters.iter().map(|counter| CounterId::new(counter)).collect())
}

pub fn staff(name: &str, counters: &[&str]) -> Actor {
    Actor::Staff { name: name.into(), counters: counter_ids(counters) }
}

pub fn api(counters: &[&str]) -> Actor {
    Actor::Api { name: "robot".into(), scope: ApiScope::Counters(counter_ids(counters)) }
}

pub fn api_manager() -> Actor {
    Actor::Api { name: "robot".into(), scope: ApiScope::Manager }
}

pub fn customer(name: &str) -> Actor {
    Actor::Customer(Person::new(name))
}

pub fn take(person: &str, queue: &str) -> Act {
    let person = Some(Person::new(person));
    Act::Take { queue: QueueId::new(queue), person, scan_session: None, class: None, key: None }
}

pub fn take_class(queue: &str, class: u8) -> Act {
    Act::Take {
        queue: QueueId::new(queue),
        person: None,
        scan_session: None,
        class: Some(class),
        key: None,
    }
}

pub fn open(counter: &str) -> Act {
    Act::OpenCounter(CounterId::new(counter))
}

pub fn close(counter: &str) -> Act {
    Act::CloseCounter(CounterId::new(counter))
}

pub fn call(counter: &str) -> Act {
    Act::CallNext(CounterId::new(counter))
}

pub fn served(counter: &str) -> CounterTicket {
    CounterTicket { counter: CounterId::new(counter), number: None }
}

pub fn start(counter: &str) -> Act {
    Act::Start(served(counter))
}

pub fn finish(counter: &str) -> Act {
    Act::Finish(served(counter))
}

pub fn miss(counter: &str) -> Act {
    Act::Miss(served(counter))
}

pub fn return_ticket(ticket: u32) -> Act {
    Act::Return(TicketId(ticket))
}
