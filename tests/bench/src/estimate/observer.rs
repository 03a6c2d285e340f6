//! Observer of a site that runs all estimators. Each estimates when a customer joins, from what has
//! happened until then, and is scored when the customer is called.

use super::day::{Counter, DayEvent};
use super::settings::Setting;
use paihao_domain::{
    Accuracy, AccuracyScore, ForecastInput, ForecastMethod, ForecastModel, LiveCounter,
    Observation, ObservationEnd, QueueId,
};
use std::collections::{HashMap, VecDeque};

/// Names of the simple estimators, as in the table.
pub const SIMPLE_ESTIMATORS: [&str; 4] = [
    "configured minutes, configured counters",
    "average of last 30 waits",
    "last person called",
    "(ahead + 1) × mean of last 30 slots ÷ live counters",
];

/// Number of waits or slots of which the simple estimators take the mean.
const RECENT_WINDOW: usize = 30;

/// Observer of one site, from day to day.
pub struct EstimatorObserver<'a> {
    setting: &'a Setting,
    queue: QueueId,
    model: ForecastModel,
    waits: VecDeque<f64>,
    slots: VecDeque<f64>,
    last_wait: Option<f64>,
    predictions: HashMap<usize, Prediction>,
    scoring: bool,
    scores: EstimatorScores,
}

/// Scores of the estimators.
#[derive(Default)]
pub struct EstimatorScores {
    /// Scores of the simple estimators.
    pub simple: [AccuracyScore; 4],
    /// Accuracy of the product's estimator, with the 80 % bound to the second.
    pub product: Accuracy,
    /// Score of the product's estimator, with the upper bound as it is shown.
    pub quoted: AccuracyScore,
}

/// Estimates for one customer on joining, in seconds.
#[derive(Clone, Copy)]
struct Prediction {
    hour: u8,
    ahead: u32,
    simple: [u32; 4],
    predicted: u32,
    median: u32,
    p80: u32,
    promised: Option<u32>,
    /// False if a counter is free: the customer is shown no time, and no estimator is scored.
    waits: bool,
}

impl<'a> EstimatorObserver<'a> {
    /// Creates an observer that has seen nothing yet.
    pub fn new(setting: &'a Setting) -> Self {
        EstimatorObserver {
            setting,
            queue: QueueId::new("a"),
            model: ForecastModel::default(),
            waits: VecDeque::new(),
            slots: VecDeque::new(),
            last_wait: None,
            predictions: HashMap::new(),
            scoring: false,
            scores: EstimatorScores::default(),
        }
    }

    /// Begins a day, which is scored or only trains the estimators.
    pub fn new_day(&mut self, counts: bool) {
        self.predictions.clear();
        self.last_wait = None;
        self.scoring = counts;
    }

    /// Applies an event of the day.
    pub fn on_event(&mut self, event: DayEvent) {
        match event {
            DayEvent::Joined { id, at, ahead, counters } => {
                let prediction = self.predict(at, ahead, counters);
                self.predictions.insert(id, prediction);
            }
            DayEvent::Called { id, waited } => {
                let prediction = self.predictions[&id];
                if self.scoring && prediction.waits {
                    self.scores.record(&prediction, seconds(waited));
                }
                push_recent(&mut self.waits, waited);
                self.last_wait = Some(waited);
            }
            DayEvent::Freed { id, waited, slot } => {
                push_recent(&mut self.slots, slot);
                let waited_s = seconds(waited);
                let slot_s = seconds(slot);
                self.record_visit(
                    id,
                    ObservationEnd::Called { waited_s, slot_s, implausible: false },
                );
            }
            DayEvent::Left { id } => self.record_visit(id, ObservationEnd::Cancelled),
        }
    }

    /// Returns the scores.
    pub fn into_scores(self) -> EstimatorScores {
        self.scores
    }

    fn record_visit(&mut self, id: usize, end: ObservationEnd) {
        let Prediction { ahead, predicted, .. } = self.predictions[&id];
        let predicted = Some((ForecastMethod::Formula, predicted));
        self.model.learn(&self.queue, &Observation { ahead, predicted, end });
    }

    fn predict(&self, at: f64, ahead: u32, counters: &[Counter]) -> Prediction {
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
        let input = ForecastInput {
            queue: self.queue.clone(),
            minutes,
            ahead,
            counters: counters.iter().map(|counter| self.live_counter(counter, at)).collect(),
            last_wait_s: self.last_wait.map(seconds),
            closing_s: None,
        };
        let forecast = self.model.forecast(&input).expect("a counter is open all day");
        Prediction {
            hour: (at / 60.0) as u8,
            ahead,
            simple: simple.map(seconds),
            predicted: forecast.predicted_s,
            median: forecast.median_s,
            p80: forecast.p80_s,
            promised: forecast.to_estimate().promised_minutes().map(|minutes| minutes * 60),
            waits: !input.counters.contains(&LiveCounter::Free),
        }
    }

    fn live_counter(&self, counter: &Counter, at: f64) -> LiveCounter {
        counter.busy_since.map_or(LiveCounter::Free, |since| LiveCounter::Busy {
            queue: self.queue.clone(),
            minutes: self.setting.configured.0,
            spent_s: seconds(at - since),
        })
    }
}

impl EstimatorScores {
    fn record(&mut self, prediction: &Prediction, waited_s: u32) {
        for (score, predicted) in self.simple.iter_mut().zip(prediction.simple) {
            score.add(predicted, Some(predicted), waited_s);
        }
        self.product.add(
            prediction.ahead,
            prediction.hour,
            prediction.median,
            Some(prediction.p80),
            waited_s,
        );
        self.quoted.add(prediction.median, prediction.promised, waited_s);
    }
}

fn seconds(minutes: f64) -> u32 {
    (minutes * 60.0).round() as u32
}

fn push_recent(last: &mut VecDeque<f64>, value: f64) {
    last.push_back(value);
    if last.len() > RECENT_WINDOW {
        last.pop_front();
    }
}

fn mean(values: &VecDeque<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
