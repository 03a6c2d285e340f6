//! A small hall to tell stories about, and the words given / when / then.

use paihao_domain::{
    Act, Answer, Command, CommandId, CounterId, CounterRules, Day, Decision, Event, Now, Outcome,
    Person, QueueId, QueueRules, Refusal, Rules, Served, Site, Timestamp, decide,
};

pub const MINUTE: i64 = 60_000;

/// Two queues; counter 1 serves `a`, counter 2 both, counter 3 `b`. Queue `shut` gives no numbers.
pub fn rules() -> Rules {
    let queue = |name: &str, prefix: &str, open| QueueRules {
        name: name.into(),
        prefix: prefix.into(),
        minutes: 5,
        grace_seconds: 180,
        open,
    };
    let counter = |name: &str, queues: &[&str]| CounterRules {
        name: name.into(),
        queues: queues.iter().map(|queue| QueueId::new(queue)).collect(),
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
    }
}

/// A hall in the middle of a story.
pub struct Hall {
    pub site: Site,
    pub rules: Rules,
    pub now: Now,
    commands: u64,
}

/// What a command led to.
pub struct Told(pub Result<(Outcome, Vec<Event>), Refusal>);

/// A hall where these things have happened.
pub fn given(acts: impl IntoIterator<Item = Act>) -> Hall {
    let now = Now { at: Timestamp(1_000_000_000), day: Day(20_000) };
    let mut hall = Hall { site: Site::default(), rules: rules(), now, commands: 0 };
    for act in acts {
        let told = hall.when(act.clone());
        assert!(told.0.is_ok(), "given {act:?}, but {:?}", told.0);
    }
    hall
}

impl Hall {
    /// A minute later somebody asks for this.
    pub fn when(&mut self, act: Act) -> Told {
        self.commands += 1;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.commands.to_be_bytes());
        self.when_command(Command { id: CommandId(id), fingerprint: 0, act })
    }

    /// A minute later this very command comes.
    pub fn when_command(&mut self, command: Command) -> Told {
        self.now.at = self.now.at.plus_ms(MINUTE);
        let answer = decide(&self.site, &self.rules, &command, self.now);
        Told(answer.map(|answer| match answer {
            Answer::Decided(decision) => {
                self.site.apply(&decision);
                let Decision { outcome, events, .. } = decision;
                (outcome, events)
            }
            Answer::Remembered(remembered) => (remembered.outcome, vec![]),
        }))
    }

    /// The numbers that wait in a queue, first to last.
    pub fn waiting(&self, queue: &str) -> Vec<String> {
        let line = self.site.line(&QueueId::new(queue));
        line.waiting().map(|id| self.site.ticket(id).unwrap().number.to_string()).collect()
    }

    /// The number at a counter.
    pub fn at_counter(&self, counter: &str) -> Option<String> {
        let serving = self.site.counter(&CounterId::new(counter)).serving?;
        self.site.ticket(serving).map(|ticket| ticket.number.to_string())
    }
}

impl Told {
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

    /// The number and how many are ahead.
    #[track_caller]
    pub fn then_holding(self) -> (String, u32) {
        match self.then() {
            Outcome::Holding { number, told, .. } => (number.to_string(), told.ahead),
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

pub fn take(person: &str, queue: &str) -> Act {
    Act::Take { queue: QueueId::new(queue), person: Some(Person::new(person)), via: None }
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

pub fn finish(counter: &str) -> Act {
    Act::Finish(Served { counter: CounterId::new(counter), number: None })
}

pub fn miss(counter: &str) -> Act {
    Act::Miss(Served { counter: CounterId::new(counter), number: None })
}
