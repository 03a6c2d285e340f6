//! Time, business days and opening hours. Time is passed in with each command, never read from a
//! clock.

use crate::estimate::ForecastModel;
use crate::model::ids::{CounterId, QueueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Timestamp this many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// Timestamp this many minutes later.
    #[must_use]
    pub fn plus_minutes(self, minutes: u32) -> Timestamp {
        self.plus_ms(i64::from(minutes) * MINUTE_MS)
    }

    /// Milliseconds since `earlier`; negative if that is later.
    pub fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns `true` if at least `ms` have passed since `earlier`. A time in the future was
    /// written by a wrong clock, and nobody waits for it.
    pub(crate) fn is_after(self, earlier: Timestamp, ms: i64) -> bool {
        let since = self.since_ms(earlier);
        since >= ms || since < -MAX_CLOCK_SKEW_MS
    }
}

/// Milliseconds by which the clocks of two replicas may differ.
pub(crate) const MAX_CLOCK_SKEW_MS: i64 = 5 * MINUTE_MS;

/// Milliseconds in a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// Business day of a site: days since 1970-01-01 by the site's calendar (its time zone, and the
/// hour at which its day begins).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Interval of time; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// First instant.
    pub from: Timestamp,
    /// First instant after the interval.
    pub to: Timestamp,
}

impl Interval {
    fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// Business day laid out in real time by the site's calendar. The domain knows no time zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessDay {
    /// The day's number.
    pub day: Day,
    /// Interval from the day's cut-over to the next one.
    pub interval: Interval,
    /// Opening hours of each queue, in order; a queue without an entry is always open.
    pub hours: BTreeMap<QueueId, Vec<Interval>>,
    /// Planned shifts of each counter, in order; a counter without an entry has no plan.
    pub shifts: BTreeMap<CounterId, Vec<Interval>>,
}

/// Input of a decision beside site, rules and command: time, business day and forecast model of the
/// deciding replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionInput {
    /// Time of the decision.
    pub at: Timestamp,
    /// Business day of the site at that time.
    pub today: Arc<BusinessDay>,
    /// Forecast model of the replica at that time. Two replicas may have learned a little more or
    /// less; the wait that was quoted stands in the event.
    pub model: ForecastModel,
    /// `true` if another clock agrees with the time. Without that a site goes on by one day at
    /// most.
    pub confirmed: bool,
}

/// Opening status of a queue at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningStatus {
    /// The queue has no opening hours.
    Always,
    /// Within opening hours, until this time.
    Until(Timestamp),
    /// Outside of opening hours.
    Outside,
}

impl DecisionInput {
    /// Input at a time of a day that has neither opening hours nor an end.
    pub fn on_day(day: Day, at: Timestamp) -> DecisionInput {
        let lasts = Interval { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
        let (hours, shifts) = (BTreeMap::new(), BTreeMap::new());
        DecisionInput::new(at, Arc::new(BusinessDay { day, interval: lasts, hours, shifts }))
    }

    /// Input at a time of a day, with an empty forecast model.
    pub fn new(at: Timestamp, today: Arc<BusinessDay>) -> DecisionInput {
        DecisionInput { at, today, model: ForecastModel::default(), confirmed: true }
    }

    /// The same input with this forecast model.
    #[must_use]
    pub fn with_model(self, model: ForecastModel) -> DecisionInput {
        DecisionInput { model, ..self }
    }

    /// The same input by a clock that another one agrees with, or not.
    #[must_use]
    pub fn with_confirmation(self, confirmed: bool) -> DecisionInput {
        DecisionInput { confirmed, ..self }
    }

    /// Business day of the decision.
    pub fn day(&self) -> Day {
        self.today.day
    }

    /// Returns `true` if the queue has opening hours, and those of today are over.
    pub fn is_over_today(&self, queue: &QueueId) -> bool {
        let hours = self.today.hours.get(queue);
        hours.is_some_and(|intervals| intervals.iter().all(|interval| interval.to <= self.at))
    }

    /// Opening status of a queue at the time of the decision.
    pub fn opening_status(&self, queue: &QueueId) -> OpeningStatus {
        let Some(intervals) = self.today.hours.get(queue) else { return OpeningStatus::Always };
        let open = intervals.iter().find(|interval| interval.contains(self.at));
        open.map_or(OpeningStatus::Outside, |interval| OpeningStatus::Until(interval.to))
    }
}
