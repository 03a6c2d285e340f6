//! World of one run: its time, its chance, the weather of its network, its trace and its findings.

use crate::checks::findings::{Finding, FindingKind};
use crate::random::Random;
use crate::trace::Trace;
use paihao_chassis::Tasks;
use parking_lot::Mutex;
use std::fmt::Arguments;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

/// World of one run, which all its parts share.
pub struct World {
    /// Seed of the run.
    pub seed: u64,
    /// Tasks of the world itself: messages on their way, customers, staff. No fault stops them.
    pub tasks: Tasks,
    trace: Trace,
    started: (Instant, i64),
    weather: Mutex<Weather>,
    random: Mutex<Random>,
    findings: Mutex<Vec<Finding>>,
}

/// State of the network between the processes and their stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Longest way of a message, in milliseconds.
    pub max_delay_ms: u64,
    /// Percentage of requests that never arrive.
    pub lost_requests: u64,
    /// Percentage of requests that take effect and whose answer never arrives.
    pub lost_answers: u64,
    /// Longest time by which a follower of a log is behind, in milliseconds.
    pub max_lag_ms: u64,
}

impl Weather {
    /// Network without faults.
    pub const CALM: Weather =
        Weather { max_delay_ms: 3, lost_requests: 0, lost_answers: 0, max_lag_ms: 0 };
}

/// Course of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Way of the request; `None` if it is lost.
    pub request: Option<Duration>,
    /// Way of the answer; `None` if it is lost.
    pub answer: Option<Duration>,
}

impl World {
    /// Creates the world of a seed, at this time in Unix milliseconds.
    pub fn new(seed: u64, start_ms: i64, trace: Trace) -> World {
        World {
            seed,
            tasks: Tasks::new(),
            trace,
            started: (Instant::now(), start_ms),
            weather: Mutex::new(Weather::CALM),
            random: Mutex::new(Random::new(seed, "network")),
            findings: Mutex::default(),
        }
    }

    /// Returns the true time, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let (started, at) = self.started;
        at + i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Changes the weather.
    pub fn set_weather(&self, weather: Weather) {
        *self.weather.lock() = weather;
    }

    /// Draws the course of an exchange.
    pub fn draw_exchange(&self) -> Exchange {
        let weather = *self.weather.lock();
        let mut random = self.random.lock();
        let delay = |random: &mut Random| random.millis(0..=weather.max_delay_ms);
        let request = (!random.percent(weather.lost_requests)).then(|| delay(&mut random));
        let answer = (!random.percent(weather.lost_answers)).then(|| delay(&mut random));
        Exchange { request, answer }
    }

    /// Draws the time by which a follower is behind.
    pub fn draw_lag(&self) -> Duration {
        let max_lag_ms = self.weather.lock().max_lag_ms;
        if max_lag_ms == 0 { Duration::ZERO } else { self.millis(0..=max_lag_ms) }
    }

    /// Draws a duration in milliseconds.
    pub fn millis(&self, range: RangeInclusive<u64>) -> Duration {
        self.random.lock().millis(range)
    }

    /// Returns true in so many of a hundred cases.
    pub fn percent(&self, share: u64) -> bool {
        self.random.lock().percent(share)
    }

    /// Draws an index below a count.
    pub fn index(&self, count: usize) -> usize {
        self.random.lock().between(0..=count as u64 - 1) as usize
    }

    /// Records an event.
    pub fn record(&self, event: Arguments<'_>) {
        self.trace.record(self.now_ms(), event);
    }

    /// Reports that an invariant does not hold.
    pub fn report(&self, kind: FindingKind, text: Arguments<'_>) {
        self.record(format_args!("FINDING {}: {text}", kind.name()));
        let at_ms = self.now_ms();
        self.findings.lock().push(Finding { kind, at_ms, text: text.to_string() });
    }

    /// Returns the findings so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.lock().clone()
    }

    /// Returns the trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}
