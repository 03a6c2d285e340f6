//! A site's business days and opening hours, laid out in real time.
//!
//! The rules of the line know no time zones: they are handed each day as the instants between which
//! it lasts and its queues are open.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan};
use paihao_domain::{Day, Interval, Now, QueueId, Timestamp, Today};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a site counts its business days, and when its queues are open.
#[derive(Debug)]
pub struct Calendar {
    zone: TimeZone,
    day_starts_at: i8,
    hours: BTreeMap<QueueId, WeekHours>,
    /// The day that was asked for last: it is asked for with every decision.
    last: Mutex<Option<Arc<Today>>>,
}

/// A queue's opening hours: for each day of the week, Monday first, from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeekHours([Vec<(Time, Time)>; 7]);

/// Opening hours that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadHours(String);

impl Calendar {
    /// A calendar without opening hours. The business day begins at `day_starts_at` o'clock, 0 to
    /// 23, in the zone's own time.
    pub fn new(zone: TimeZone, day_starts_at: i8) -> Self {
        Calendar { zone, day_starts_at, hours: BTreeMap::new(), last: Mutex::default() }
    }

    /// The same with opening hours for some queues.
    #[must_use]
    pub fn with_hours(self, hours: BTreeMap<QueueId, WeekHours>) -> Self {
        Calendar { hours, ..self }
    }

    /// The time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// An instant, and the business day it falls in: the local date, of the day before until the
    /// hour at which the day begins.
    pub fn now(&self, unix_ms: i64) -> Now {
        let at = Timestamp(unix_ms);
        let mut last = self.last.lock();
        let known = last.as_ref().filter(|day| day.lasts.from <= at && at < day.lasts.to);
        let today = match known {
            Some(today) => today.clone(),
            None => last.insert(Arc::new(self.lay_out(unix_ms))).clone(),
        };
        Now::of(at, today)
    }

    fn lay_out(&self, unix_ms: i64) -> Today {
        let instant = Instant::from_millisecond(unix_ms).unwrap_or(Instant::UNIX_EPOCH);
        let mut date = instant.to_zoned(self.zone.clone()).date();
        let mut from = self.cut_over(date);
        if unix_ms < from.0 {
            date = date.yesterday().unwrap_or(date);
            from = self.cut_over(date);
        }
        let to = self.cut_over(date.tomorrow().unwrap_or(date));
        let lasts = Interval { from, to };
        let open = |week: &WeekHours| self.open(week, date, lasts);
        let hours = self.hours.iter().map(|(queue, week)| (queue.clone(), open(week))).collect();
        Today { day: Day(days_since_1970(date)), lasts, hours }
    }

    /// When the business day of a date begins.
    fn cut_over(&self, date: Date) -> Timestamp {
        self.instant(date, Time::constant(self.day_starts_at, 0, 0, 0))
    }

    /// A local time as an instant. A time that a change of the clocks leaves out is as much later,
    /// one that comes twice is the first of the two.
    fn instant(&self, date: Date, time: Time) -> Timestamp {
        let zoned = self.zone.to_ambiguous_zoned(date.to_datetime(time)).compatible();
        Timestamp(zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond()))
    }

    /// The opening hours of a business day, within it. What begins before the cut-over hour is of
    /// the night after, and what ends before it began ends on the next date.
    fn open(&self, week: &WeekHours, date: Date, lasts: Interval) -> Vec<Interval> {
        let of_day = &week.0[date.weekday().to_monday_zero_offset() as usize];
        let next = |date: Date| date.checked_add(1.day()).unwrap_or(date);
        let laid = of_day.iter().map(|(from, to)| {
            let begins = if from.hour() < self.day_starts_at { next(date) } else { date };
            let ends = if to <= from { next(begins) } else { begins };
            let (from, to) = (self.instant(begins, *from), self.instant(ends, *to));
            Interval { from: from.max(lasts.from), to: to.min(lasts.to) }
        });
        let mut laid: Vec<_> = laid.filter(|interval| interval.from < interval.to).collect();
        laid.sort_by_key(|interval| interval.from);
        laid
    }
}

fn days_since_1970(date: Date) -> i32 {
    let day = |date: Date| date.duration_since(Date::ZERO).as_hours() / 24;
    (day(date) - day(jiff::civil::date(1970, 1, 1))) as i32
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl WeekHours {
    /// Reads lines such as `mon-fri 09:00-12:00 13:30-17:30` and `sat 09:00-12:00`; without days
    /// they are of every day. A day that no line names is closed.
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<WeekHours, BadHours> {
        let mut week = WeekHours::default();
        for line in lines {
            let mut words: Vec<_> = line.split_whitespace().collect();
            let named = words.first().is_some_and(|w| w.starts_with(|c: char| c.is_alphabetic()));
            let days = match named {
                true => days(words.remove(0))?,
                false => (0..7).collect(),
            };
            if words.is_empty() {
                return Err(BadHours(format!("{line:?} says no hours")));
            }
            for word in words {
                let interval = interval(word)?;
                for day in &days {
                    week.0[*day].push(interval);
                }
            }
        }
        for (day, intervals) in week.0.iter_mut().enumerate() {
            intervals.sort();
            let overlap =
                intervals.windows(2).any(|two| two[0].1 > two[1].0 || two[0].1 <= two[0].0);
            if overlap {
                return Err(BadHours(format!("hours of {} overlap", WEEKDAYS[day])));
            }
        }
        Ok(week)
    }
}

/// `mon`, `mon-fri`, `sat-mon`.
fn days(word: &str) -> Result<Vec<usize>, BadHours> {
    let day = |name: &str| {
        let place = WEEKDAYS.iter().position(|known| *known == name.to_ascii_lowercase());
        place.ok_or_else(|| BadHours(format!("{name:?} is no day: use {}", WEEKDAYS.join(", "))))
    };
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7 + 1;
    Ok((0..count).map(|step| (first + step) % 7).collect())
}

/// `09:00-12:00`; `24:00` is midnight.
fn interval(word: &str) -> Result<(Time, Time), BadHours> {
    let bad = || BadHours(format!("{word:?} is not from when to when, as in 09:00-17:30"));
    let time = |text: &str| {
        let text = if text == "24:00" { "00:00" } else { text };
        Time::strptime("%H:%M", text).map_err(|_| bad())
    };
    let (from, to) = word.split_once('-').ok_or_else(bad)?;
    match (time(from)?, time(to)?) {
        (from, to) if from == to => Err(bad()),
        interval => Ok(interval),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(instant: &str) -> i64 {
        instant.parse::<Instant>().unwrap().as_millisecond()
    }

    fn calendar(zone: &str, starts: i8, lines: &[&str]) -> Calendar {
        let week = WeekHours::read(lines.iter().copied()).unwrap();
        let hours = BTreeMap::from([(QueueId::new("a"), week)]);
        Calendar::new(TimeZone::get(zone).unwrap(), starts).with_hours(hours)
    }

    fn day(zone: &str, instant: &str) -> i32 {
        calendar(zone, 4, &[]).now(ms(instant)).day().0
    }

    /// The opening hours of the day an instant falls in, as instants.
    fn open(calendar: &Calendar, instant: &str) -> Vec<(String, String)> {
        let text = |at: Timestamp| Instant::from_millisecond(at.0).unwrap().to_string();
        let today = calendar.now(ms(instant)).today;
        today.hours[&QueueId::new("a")].iter().map(|i| (text(i.from), text(i.to))).collect()
    }

    #[test]
    fn the_day_begins_at_the_sites_own_hour() {
        // 03:59 and 04:00 on 2 January in Shanghai.
        let before = day("Asia/Shanghai", "2026-01-01T19:59:59Z");
        let after = day("Asia/Shanghai", "2026-01-01T20:00:00Z");
        assert_eq!(after, before + 1);
        // Midnight UTC changes nothing there.
        assert_eq!(day("Asia/Shanghai", "2026-01-02T00:00:00Z"), after);
    }

    #[test]
    fn days_of_twenty_three_and_twenty_five_hours_are_one_day_each() {
        // Clocks in Berlin went forward on 29 March 2026 and go back on 25 October.
        for (before, on, hours) in
            [("2026-03-28", "2026-03-29", 23), ("2026-10-24", "2026-10-25", 25)]
        {
            let noon = |date: &str| format!("{date}T10:00:00Z");
            assert_eq!(day("Europe/Berlin", &noon(on)) - day("Europe/Berlin", &noon(before)), 1);
            // The night before the change belongs to the day before.
            let lasts = calendar("Europe/Berlin", 4, &[]).now(ms(&noon(before))).today.lasts;
            assert_eq!(lasts.to.since_ms(lasts.from), hours * 3_600_000);
        }
    }

    #[test]
    fn a_cut_over_in_the_hour_that_is_left_out_is_an_hour_later() {
        let calendar = calendar("Europe/Berlin", 2, &[]);
        let lasts = calendar.now(ms("2026-03-29T10:00:00Z")).today.lasts;
        assert_eq!(lasts.from.0, ms("2026-03-29T01:00:00Z"), "03:00 summer time");
        assert_eq!(calendar.now(ms("2026-03-29T00:59:59Z")).today.lasts.to, lasts.from);
    }

    #[test]
    fn hours_are_local_before_and_after_the_clocks_change() {
        let calendar = calendar("Europe/Berlin", 4, &["09:00-17:30"]);
        assert_eq!(
            open(&calendar, "2026-03-28T10:00:00Z"),
            [("2026-03-28T08:00:00Z".to_owned(), "2026-03-28T16:30:00Z".to_owned())]
        );
        assert_eq!(
            open(&calendar, "2026-03-30T10:00:00Z"),
            [("2026-03-30T07:00:00Z".to_owned(), "2026-03-30T15:30:00Z".to_owned())]
        );
    }

    #[test]
    fn hours_over_midnight_are_of_the_evening_they_begin_in() {
        let lines = ["fri 18:00-02:00", "sat 20:00-24:00"];
        let calendar = calendar("Asia/Shanghai", 4, &lines);
        let friday = [("2026-11-20T10:00:00Z".to_owned(), "2026-11-20T18:00:00Z".to_owned())];
        // Friday noon, and Saturday at one in the night.
        assert_eq!(open(&calendar, "2026-11-20T04:00:00Z"), friday);
        assert_eq!(open(&calendar, "2026-11-20T17:00:00Z"), friday);
        assert_eq!(
            open(&calendar, "2026-11-21T04:00:00Z"),
            [("2026-11-21T12:00:00Z".to_owned(), "2026-11-21T16:00:00Z".to_owned())]
        );
        assert_eq!(open(&calendar, "2026-11-22T04:00:00Z"), []);
    }

    #[test]
    fn what_begins_before_the_cut_over_hour_is_of_the_night_after() {
        let calendar = calendar("Asia/Shanghai", 4, &["fri 01:00-05:00"]);
        // It ends with the day.
        assert_eq!(
            open(&calendar, "2026-11-20T04:00:00Z"),
            [("2026-11-20T17:00:00Z".to_owned(), "2026-11-20T20:00:00Z".to_owned())]
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_so() {
        for line in
            ["mon", "mon 9-17", "noday 09:00-17:00", "09:00-09:00", "mon 09:00-12:00 11:00-13:00"]
        {
            assert!(WeekHours::read([line]).is_err(), "{line}");
        }
        assert!(WeekHours::read(["sat-mon 10:00-12:00", "tue 22:00-02:00"]).is_ok());
    }
}
