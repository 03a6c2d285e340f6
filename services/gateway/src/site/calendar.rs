//! Calendar of a site: its business days, opening hours and shifts as instants.
//!
//! The rules of the domain know no time zones: they get each day as the instants between which it
//! lasts and its queues are open.

mod hours;
mod lines;
mod notice;
mod words;

pub use hours::{DateHours, DatesText, WeekHours, make_canonical};
pub use lines::HoursError;
pub use notice::{MAX_NOTICE_CHARS, NoticeHours, NoticeLine, NoticeProblem, read_notice};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan};
use paihao_domain::{BusinessDay, CounterId, Day, DecisionInput, Interval, QueueId, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Calendar of a site's business days and opening hours.
#[derive(Debug)]
pub struct Calendar {
    zone: TimeZone,
    day_starts_at: i8,
    hours: BTreeMap<QueueId, WeekHours>,
    dates: DateHours,
    shifts: BTreeMap<CounterId, WeekHours>,
    /// Cache of the last computed business day, which every decision needs.
    cached_day: Mutex<Option<Arc<BusinessDay>>>,
}

impl Calendar {
    /// Creates a calendar without opening hours. The business day begins at `day_starts_at`
    /// o'clock, 0 to 23, in the zone's own time.
    pub fn new(zone: TimeZone, day_starts_at: i8) -> Self {
        Calendar {
            zone,
            day_starts_at,
            hours: BTreeMap::new(),
            dates: DateHours::default(),
            shifts: BTreeMap::new(),
            cached_day: Mutex::default(),
        }
    }

    /// Returns the calendar with opening hours for some queues.
    #[must_use]
    pub fn with_hours(self, hours: BTreeMap<QueueId, WeekHours>) -> Self {
        Calendar { hours, ..self }
    }

    /// Returns the calendar with dates on which every queue of [`Calendar::with_hours`] has these
    /// hours, unless it names the date itself.
    #[must_use]
    pub fn with_dates(self, dates: DateHours) -> Self {
        Calendar { dates, ..self }
    }

    /// Returns the calendar with planned shifts of some counters.
    #[must_use]
    pub fn with_shifts(self, shifts: BTreeMap<CounterId, WeekHours>) -> Self {
        Calendar { shifts, ..self }
    }

    /// Returns the time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the decision input of an instant, with its business day: the local date, or the date
    /// before until the hour at which the day begins.
    pub fn at(&self, unix_ms: i64) -> DecisionInput {
        let at = Timestamp(unix_ms);
        let mut cached = self.cached_day.lock();
        let valid = cached.as_ref().filter(|day| day.interval.from <= at && at < day.interval.to);
        let today = match valid {
            Some(today) => today.clone(),
            None => cached.insert(Arc::new(self.business_day(unix_ms))).clone(),
        };
        DecisionInput::new(at, today)
    }

    /// Returns the decision input at the start of the business day after that of `now`. Decisions
    /// are made on the cached day, which this leaves there.
    pub fn next_day(&self, now: &DecisionInput) -> DecisionInput {
        let at = now.today.interval.to;
        DecisionInput::new(at, Arc::new(self.business_day(at.0)))
    }

    fn business_day(&self, unix_ms: i64) -> BusinessDay {
        let instant = Instant::from_millisecond(unix_ms).unwrap_or(Instant::UNIX_EPOCH);
        let mut date = instant.to_zoned(self.zone.clone()).date();
        let mut from = self.day_start(date);
        if unix_ms < from.0 {
            date = date.yesterday().unwrap_or(date);
            from = self.day_start(date);
        }
        let to = self.day_start(date.tomorrow().unwrap_or(date));
        let interval = Interval { from, to };
        let on_date = |hours: &WeekHours, dates: &DateHours| {
            let special = hours.dates.hours_on(date).or_else(|| dates.hours_on(date));
            let weekday = date.weekday().to_monday_zero_offset() as usize;
            let usual = hours.week.as_ref().map(|week| &week[weekday]);
            Some(self.open_intervals(special.or(usual)?, date, interval))
        };
        let hours = self
            .hours
            .iter()
            .filter_map(|(queue, hours)| Some((queue.clone(), on_date(hours, &self.dates)?)));
        // The holidays of the queues say nothing of the staff.
        let shifts = self.shifts.iter().filter_map(|(counter, shifts)| {
            Some((counter.clone(), on_date(shifts, &DateHours::default())?))
        });
        BusinessDay {
            day: Day(days_since_1970(date)),
            interval,
            hours: hours.collect(),
            shifts: shifts.collect(),
        }
    }

    /// Returns the instant at which the business day of a date begins.
    fn day_start(&self, date: Date) -> Timestamp {
        self.local_instant(date, Time::constant(self.day_starts_at, 0, 0, 0))
    }

    /// Converts a local time to an instant. A time that a change of the clocks skips is as much
    /// later; of a time that occurs twice it is the first.
    fn local_instant(&self, date: Date, time: Time) -> Timestamp {
        let zoned = self.zone.to_ambiguous_zoned(date.to_datetime(time)).compatible();
        Timestamp(zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond()))
    }

    /// Returns the opening hours of a business day as instants within it. An interval that begins
    /// before the cut-over hour is in the night after, and one that ends before it begins ends on
    /// the next date.
    fn open_intervals(&self, hours: &[(Time, Time)], date: Date, day: Interval) -> Vec<Interval> {
        let next = |date: Date| date.checked_add(1.day()).unwrap_or(date);
        let intervals = hours.iter().map(|(from, to)| {
            if from == to {
                return day;
            }
            let begins = if from.hour() < self.day_starts_at { next(date) } else { date };
            let ends = if to <= from { next(begins) } else { begins };
            Interval {
                from: self.local_instant(begins, *from).max(day.from),
                to: self.local_instant(ends, *to).min(day.to),
            }
        });
        let mut intervals: Vec<_> =
            intervals.filter(|interval| interval.from < interval.to).collect();
        intervals.sort_by_key(|interval| interval.from);
        intervals
    }
}

/// Days from 1970-01-01 to a date.
pub(crate) fn days_since_1970(date: Date) -> i32 {
    let day = |date: Date| date.duration_since(Date::ZERO).as_hours() / 24;
    (day(date) - day(jiff::civil::date(1970, 1, 1))) as i32
}

/// Date that is a number of days after 1970-01-01.
pub(crate) fn date_from_days(day: i32) -> Date {
    jiff::civil::date(1970, 1, 1).saturating_add(i64::from(day).days())
}

#[cfg(test)]
mod tests;
