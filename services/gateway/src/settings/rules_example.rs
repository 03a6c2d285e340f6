//! Example of a queue's rules: a small line that the rules themselves run, so that an owner sees
//! what a rule does before anybody stands in line.

use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, Day, DecisionInput,
    DecisionResult, Event, MissedPolicy, Person, QueueId, QueueRules, Rules, Site, TicketId,
    Timestamp, decide,
};
use std::sync::Arc;

/// People in the example of a missed call.
const PEOPLE: usize = 6;

/// People without and with priority in the example of the order.
const ORDINARY: usize = 4;
const PRIORITY: usize = 6;

/// Class of those with priority, before that of ordinary people.
const PRIORITY_CLASS: u8 = 2;

/// People in line in the example of the wait.
const WAITING: usize = 6;

/// Milliseconds between two acts of an example.
const PAUSE_MS: i64 = 60_000;

/// What the rules of a queue do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RulesExample {
    /// The first number is called, does not come, and comes back a minute later: the numbers in the
    /// order of the calls from then on. `None` if nobody can miss a call.
    pub(crate) missed: Option<Vec<String>>,
    /// The number that is missed, as it is called.
    pub(crate) missed_number: String,
    /// Numbers with priority that were taken behind others, in the order of the calls, with
    /// whether each has priority.
    pub(crate) priority: Vec<(String, bool)>,
    /// Minutes that the next person in line is told, with six people ahead.
    pub(crate) wait_minutes: Option<(u32, u32)>,
    /// People ahead at whom somebody is told to come near.
    pub(crate) near: u32,
}

impl RulesExample {
    /// Runs the examples with the rules of a queue, which so many counters serve.
    pub(crate) fn of(rules: &QueueRules, counters: usize) -> RulesExample {
        // The bounds of an example are not its subject.
        let rules = QueueRules {
            open: true,
            capacity: None,
            daily_cap: None,
            daily_per_person: None,
            ..rules.clone()
        };
        let (missed_number, missed) = missed_example(&rules);
        RulesExample {
            missed,
            missed_number,
            priority: priority_example(&rules),
            wait_minutes: wait_example(&rules, counters.max(1)),
            near: rules.near,
        }
    }
}

/// Site of one queue in an example.
struct ExampleLine {
    site: Site,
    rules: Rules,
    now: DecisionInput,
    queue: QueueId,
    commands: u64,
}

impl ExampleLine {
    fn new(rules: &QueueRules, counters: usize) -> ExampleLine {
        let queue = QueueId::new("example");
        let counter = |n: usize| {
            let rules = CounterRules::new("", [queue.clone()].into());
            (CounterId::new(&n.to_string()), rules)
        };
        let rules = Rules {
            queues: [(queue.clone(), rules.clone())].into(),
            counters: (1..=counters).map(counter).collect(),
            ..Rules::default()
        };
        let now = DecisionInput::on_day(Day(20_000), Timestamp(1_000_000_000));
        let mut line = ExampleLine { site: Site::default(), rules, now, queue, commands: 0 };
        for n in 1..=counters {
            line.act(Act::OpenCounter(CounterId::new(&n.to_string())));
        }
        line
    }

    /// Carries an act out a minute later; `None` if the rules refuse it.
    fn act(&mut self, act: Act) -> Option<Vec<Event>> {
        self.commands += 1;
        self.now.at = self.now.at.plus_ms(PAUSE_MS);
        let actor = match &act {
            Act::Take { person: Some(person), .. } => Actor::Customer(person.clone()),
            _ => Actor::Manager(Arc::from("example")),
        };
        let id = CommandId::derived(&format!("example {}", self.commands));
        let command = Command { id, fingerprint: 0, actor, act, day: self.site.day() };
        match decide(&self.site, &self.rules, &command, &self.now) {
            Ok(DecisionResult::Decided(decision, site)) => {
                self.site = *site;
                Some(decision.events)
            }
            Ok(DecisionResult::AlreadyDecided(_)) | Err(_) => None,
        }
    }

    fn take(&mut self, class: Option<u8>) -> Option<TicketId> {
        let person = Some(Person::new(&format!("example-{}", self.commands)));
        let queue = self.queue.clone();
        let take = Act::Take { queue, person, scan_session: None, class: None, key: None };
        let events = self.act(take)?;
        let ticket = events.iter().find_map(|event| match event {
            Event::TicketTaken { ticket, .. } => Some(*ticket),
            _ => None,
        })?;
        if let Some(class) = class {
            self.act(Act::Prioritise { ticket, class, reason: Arc::from("example") });
        }
        Some(ticket)
    }

    fn counter() -> CounterId {
        CounterId::new("1")
    }

    /// Calls the next number; `None` if nobody is left.
    fn call(&mut self) -> Option<TicketId> {
        let events = self.act(Act::CallNext(Self::counter()))?;
        events.iter().find_map(|event| match event {
            Event::TicketCalled { ticket, .. } => Some(*ticket),
            _ => None,
        })
    }

    fn finish(&mut self) {
        let served = || CounterTicket { counter: Self::counter(), number: None };
        self.act(Act::Start(served()));
        self.act(Act::Finish(served()));
    }

    /// Serves everybody, and returns them in their order.
    fn serve_all(&mut self) -> Vec<TicketId> {
        let mut called = Vec::new();
        while called.len() < 100
            && let Some(ticket) = self.call()
        {
            called.push(ticket);
            self.finish();
        }
        called
    }

    fn number(&self, ticket: TicketId) -> String {
        self.site.ticket(ticket).map(|ticket| ticket.number.to_string()).unwrap_or_default()
    }
}

fn missed_example(rules: &QueueRules) -> (String, Option<Vec<String>>) {
    let mut line = ExampleLine::new(rules, 1);
    for _ in 0..PEOPLE {
        line.take(None);
    }
    let Some(first) = line.call() else { return Default::default() };
    let number = line.number(first);
    let missed = CounterTicket { counter: ExampleLine::counter(), number: None };
    if line.act(Act::Miss(missed)).is_none() {
        return (number, None);
    }
    // With a policy of void there is no return, and the number is not called again.
    let is_refused = line.act(Act::Return(first)).is_none();
    debug_assert!(
        !is_refused || rules.missed.policy == MissedPolicy::Void || rules.missed.returns == 0
    );
    let order = line.serve_all();
    (number, Some(order.into_iter().map(|ticket| line.number(ticket)).collect()))
}

fn priority_example(rules: &QueueRules) -> Vec<(String, bool)> {
    let mut line = ExampleLine::new(rules, 1);
    for _ in 0..ORDINARY {
        line.take(None);
    }
    let class = PRIORITY_CLASS.min(rules.class.saturating_sub(1));
    let first: Vec<_> = (0..PRIORITY).filter_map(|_| line.take(Some(class))).collect();
    let order = line.serve_all();
    order.into_iter().map(|ticket| (line.number(ticket), first.contains(&ticket))).collect()
}

fn wait_example(rules: &QueueRules, counters: usize) -> Option<(u32, u32)> {
    let mut line = ExampleLine::new(rules, counters);
    for _ in 0..WAITING {
        line.take(None);
    }
    let quote = line.site.quote_for_new_ticket(&line.rules, &line.queue, &line.now);
    quote.estimate.map(|estimate| (estimate.low, estimate.high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_domain::MissedRules;

    fn rules() -> QueueRules {
        QueueRules::new("存取款", "A")
    }

    fn missed(policy: MissedPolicy) -> Option<String> {
        let missed = MissedRules { policy, ..rules().missed };
        let example = RulesExample::of(&QueueRules { missed, ..rules() }, 1);
        assert_eq!(example.missed_number, "A001");
        example.missed.map(|order| order.join(" "))
    }

    #[test]
    fn whoever_misses_a_call_comes_back_where_the_rule_says() {
        for (policy, order) in [
            (MissedPolicy::AfterK { k: 3, grow: 0 }, "A002 A003 A004 A001 A005 A006"),
            (MissedPolicy::AfterK { k: 1, grow: 0 }, "A002 A001 A003 A004 A005 A006"),
            (MissedPolicy::HoldMinutes, "A001 A002 A003 A004 A005 A006"),
            (MissedPolicy::Tail, "A002 A003 A004 A005 A006 A001"),
            (MissedPolicy::Void, "A002 A003 A004 A005 A006"),
        ] {
            assert_eq!(missed(policy).as_deref(), Some(order), "{policy:?}");
        }
        let at_once = QueueRules { start_on_call: true, ..rules() };
        assert_eq!(
            RulesExample::of(&at_once, 1).missed,
            None,
            "nobody is called without being served"
        );
    }

    #[test]
    fn priority_goes_before_others_and_no_further_than_the_bound() {
        let order = |max_passes: u32| {
            let example = RulesExample::of(&QueueRules { max_passes, ..rules() }, 1);
            let marks = example.priority.iter().map(|(_, first)| if *first { '!' } else { '.' });
            marks.collect::<String>()
        };
        assert!(order(4).starts_with("!!!!."), "{}", order(4));
        assert!(order(1).starts_with("!."), "{}", order(1));
    }

    #[test]
    fn the_wait_is_shorter_with_more_counters() {
        let wait = |counters| RulesExample::of(&rules(), counters).wait_minutes.unwrap();
        assert!(wait(1).1 > wait(3).1, "{:?} {:?}", wait(1), wait(3));
        let slow = QueueRules { minutes: 30, ..rules() };
        assert!(RulesExample::of(&slow, 1).wait_minutes.unwrap().1 > wait(1).1);
    }
}
