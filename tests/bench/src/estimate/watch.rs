//! Watching a site: at each joining every estimator says how long it will take, knowing only what
//! has happened until then; when the person is called, all of them are scored on it.

use super::day::{Counter, Happening};
use super::settings::Setting;
use paihao_domain::{Accuracy, LiveCounter, Model, QueueId, Score, Situation, Visit, VisitEnd};
use std::collections::{HashMap, VecDeque};

/// The simple estimators, as the table names them.
pub const SIMPLE: [&str; 4] = [
    "configured minutes, configured counters",
    "average of last 30 waits",
    "last person called",
    "(ahead + 1) × mean of last 30 slots ÷ live counters",
];

/// "The last 30".
const LAST: usize = 30;

/// A site that is watched from day to day.
pub struct Watch<'a> {
    setting: &'a Setting,
    queue: QueueId,
    model: Model,
    waits: VecDeque<f64>,
    slots: VecDeque<f64>,
    last_wait: Option<f64>,
    said: HashMap<usize, Said>,
    counts: bool,
    found: Found,
}

/// How the estimators did.
#[derive(Default)]
pub struct Found {
    /// The simple ones.
    pub simple: [Score; 4],
    /// The product's, its promise being the 80 % bound to the second.
    pub ours: Accuracy,
    /// The product's, its promise being the upper bound as people are told it.
    pub told: Score,
}

/// What was said to somebody at joining, in seconds.
#[derive(Clone, Copy)]
struct Said {
    hour: u8,
    ahead: u32,
    simple: [u32; 4],
    predicted: u32,
    median: u32,
    p80: u32,
    high: u32,
    /// Somebody for whom a counter is free is told no time, and no estimator is scored.
    waits: bool,
}

impl<'a> Watch<'a> {
    /// Nothing has been seen yet.
    pub fn new(setting: &'a Setting) -> Self {
        Watch {
            setting,
            queue: QueueId::new("a"),
            model: Model::default(),
            waits: VecDeque::new(),
            slots: VecDeque::new(),
            last_wait: None,
            said: HashMap::new(),
            counts: false,
            found: Found::default(),
        }
    }

    /// A day begins that counts, or is only learned from.
    pub fn new_day(&mut self, counts: bool) {
        self.said.clear();
        self.last_wait = None;
        self.counts = counts;
    }

    /// Something happens.
    pub fn see(&mut self, happening: Happening) {
        match happening {
            Happening::Joined { id, at, ahead, counters } => {
                let said = self.say(at, ahead, counters);
                self.said.insert(id, said);
            }
            Happening::Called { id, waited } => {
                let said = self.said[&id];
                if self.counts && said.waits {
                    self.found.add(&said, seconds(waited));
                }
                keep(&mut self.waits, waited);
                self.last_wait = Some(waited);
            }
            Happening::Freed { id, waited, slot } => {
                keep(&mut self.slots, slot);
                let (waited_s, slot_s) = (seconds(waited), seconds(slot));
                self.learn(id, VisitEnd::Called { waited_s, slot_s, implausible: false });
            }
            Happening::Left { id } => self.learn(id, VisitEnd::Cancelled),
        }
    }

    /// How the estimators did.
    pub fn found(self) -> Found {
        self.found
    }

    fn learn(&mut self, id: usize, end: VisitEnd) {
        let Said { ahead, predicted, .. } = self.said[&id];
        self.model.learn(&self.queue, &Visit { ahead, predicted_s: Some(predicted), end });
    }

    fn say(&self, at: f64, ahead: u32, counters: &[Counter]) -> Said {
        let (minutes, configured_counters) = self.setting.configured;
        let people = f64::from(ahead + 1);
        let configured = people * f64::from(minutes) / f64::from(configured_counters);
        let slot = mean(&self.slots).unwrap_or(f64::from(minutes));
        let simple = [
            configured,
            mean(&self.waits).unwrap_or(configured),
            self.last_wait.unwrap_or(0.0),
            people * slot / counters.len() as f64,
        ];
        let situation = Situation {
            queue: self.queue.clone(),
            minutes,
            ahead,
            counters: counters.iter().map(|counter| self.live(counter, at)).collect(),
            last_wait_s: self.last_wait.map(seconds),
            closing_s: None,
        };
        let forecast = self.model.forecast(&situation).expect("a counter is open all day");
        Said {
            hour: (at / 60.0) as u8,
            ahead,
            simple: simple.map(seconds),
            predicted: forecast.predicted_s,
            median: forecast.median_s,
            p80: forecast.p80_s,
            high: forecast.told().high * 60,
            waits: !situation.counters.contains(&LiveCounter::Free),
        }
    }

    fn live(&self, counter: &Counter, at: f64) -> LiveCounter {
        counter.busy_since.map_or(LiveCounter::Free, |since| LiveCounter::Busy {
            queue: self.queue.clone(),
            minutes: self.setting.configured.0,
            spent_s: seconds(at - since),
        })
    }
}

impl Found {
    fn add(&mut self, said: &Said, waited_s: u32) {
        for (score, told) in self.simple.iter_mut().zip(said.simple) {
            score.add(told, told, waited_s);
        }
        self.ours.add(said.ahead, said.hour, said.median, said.p80, waited_s);
        self.told.add(said.median, said.high, waited_s);
    }
}

fn seconds(minutes: f64) -> u32 {
    (minutes * 60.0).round() as u32
}

fn keep(last: &mut VecDeque<f64>, value: f64) {
    last.push_back(value);
    if last.len() > LAST {
        last.pop_front();
    }
}

fn mean(values: &VecDeque<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
