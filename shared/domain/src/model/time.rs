//! Time as the rules know it: handed in with each command, never asked for.

use crate::estimate::ForecastModel;
use crate::model::ids::QueueId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This much later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// So many minutes later.
    #[must_use]
    pub fn plus_minutes(self, minutes: u32) -> Timestamp {
        self.plus_ms(i64::from(minutes) * MINUTE_MS)
    }

    /// Milliseconds from `earlier` to this, negative if it is not earlier.
    pub fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// A business day of a site: days since 1970-01-01, as the site's calendar counts them (its time
/// zone, and the hour at which its day begins).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// From when to when; the end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Interval {
    fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// A business day as the site's calendar lays it out in real time: the domain knows no time zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessDay {
    /// Which day.
    pub day: Day,
    /// From its cut-over to the next one.
    pub interval: Interval,
    /// When each queue gives out numbers, in order; a queue that is not in it always does.
    pub hours: BTreeMap<QueueId, Vec<Interval>>,
}

/// The moment of a decision, by the clock of the replica that decides, and what that has learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionInput {
    /// The instant.
    pub at: Timestamp,
    /// The business day it falls in at this site.
    pub today: Arc<BusinessDay>,
    /// What the replica has learned of the site's visits by then. Two replicas may know a little
    /// more or less: what somebody is told from it stands in the event.
    pub model: ForecastModel,
}

/// What a queue's opening hours say about a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningStatus {
    /// There are none.
    Always,
    /// Within them, until then.
    Until(Timestamp),
    /// Outside of them.
    Outside,
}

impl DecisionInput {
    /// A moment of a day without opening hours and without an end.
    pub fn on_day(day: Day, at: Timestamp) -> DecisionInput {
        let lasts = Interval { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
        DecisionInput::new(
            at,
            Arc::new(BusinessDay { day, interval: lasts, hours: BTreeMap::new() }),
        )
    }

    /// A moment of a day, with nothing learned yet.
    pub fn new(at: Timestamp, today: Arc<BusinessDay>) -> DecisionInput {
        DecisionInput { at, today, model: ForecastModel::default() }
    }

    /// The same with what was learned.
    #[must_use]
    pub fn with_model(self, learned: ForecastModel) -> DecisionInput {
        DecisionInput { model: learned, ..self }
    }

    /// The business day.
    pub fn day(&self) -> Day {
        self.today.day
    }

    /// What a queue's opening hours say now.
    pub fn opening_status(&self, queue: &QueueId) -> OpeningStatus {
        let Some(intervals) = self.today.hours.get(queue) else { return OpeningStatus::Always };
        let within = intervals.iter().find(|interval| interval.contains(self.at));
        within.map_or(OpeningStatus::Outside, |interval| OpeningStatus::Until(interval.to))
    }
}
