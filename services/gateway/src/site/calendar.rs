//! Calendar of a site: its business days, opening hours and shifts as instants.
//!
//! The rules of the domain know no time zones: they get each day as the instants between which it
//! lasts and its queues are open.

mod canonical;
mod notice;
mod words;

use canonical::hours_text as canonical_text;
pub use canonical::{DatesText, make_canonical};
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

/// Intervals of opening hours; the end of one may be on the next date.
type Hours = Vec<(Time, Time)>;

/// Weekly opening hours of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeekHours {
    /// Intervals for each day of the week, Monday first; `None` is always open.
    week: Option<[Hours; 7]>,
    dates: DateHours,
}

/// Hours of certain dates instead of the weekly ones: a holiday, a long evening.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DateHours(Vec<(Date, Date, Hours)>);

/// Error in opening hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// They cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// Two intervals overlap, or a date is named twice.
    #[error("{0}")]
    Overlap(String),
    /// The business day ends in the middle of them.
    #[error("{0}")]
    CrossesDayStart(String),
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
    fn open_intervals(&self, hours: &Hours, date: Date, day: Interval) -> Vec<Interval> {
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

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl WeekHours {
    /// Parses lines such as `mon-fri 09:00-12:00 13:30-17:30` and `sat 09:00-12:00`; without days
    /// they are of every day. A day that no line names is closed; without any such line it is
    /// always open. Lines that begin with a date are parsed as [`DateHours::parse`] does. Lines as
    /// people write them are read too: `周一至周五 9:00-17:30`, `周末 休息`.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<WeekHours, HoursError> {
        WeekHours::read(lines).map(|(hours, _)| hours)
    }

    /// Parses lines, and tells whether all of them are in the form that is stored.
    fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<(WeekHours, bool), HoursError> {
        let is_date = |line: &&str| notice::begins_with_date(line);
        let (dates, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_date);
        let (dates, mut is_stored_form) = DateHours::read(dates)?;
        if lines.is_empty() {
            return Ok((WeekHours { week: None, dates }, is_stored_form));
        }
        let mut week: [Hours; 7] = Default::default();
        let mut closed = Vec::new();
        for line in lines {
            let (translated, own_closed) = match parse_week_line(line) {
                Ok(parsed) => (vec![parsed], Vec::new()),
                Err(error) => {
                    is_stored_form = false;
                    let unread = |part| HoursError::Malformed(format!("{part:?} cannot be read"));
                    let words = words::week_line(line)
                        .map_err(|part| if line.is_ascii() { error } else { unread(part) })?;
                    let parsed = words.lines.iter().map(|line| parse_week_line(line));
                    (parsed.collect::<Result<_, _>>()?, words.closed)
                }
            };
            for (days, intervals) in translated {
                for day in days {
                    week[day].extend(&intervals);
                }
            }
            closed.extend(own_closed);
        }
        for day in &closed {
            week[*day].clear();
        }
        for (day, intervals) in week.iter_mut().enumerate() {
            sort_and_check(intervals, WEEKDAYS[day])?;
        }
        if week.iter().all(Vec::is_empty) {
            let message = "closed on every day of the week: close the queue instead".to_owned();
            return Err(HoursError::Malformed(message));
        }
        Ok((WeekHours { week: Some(week), dates }, is_stored_form))
    }
}

/// Parses a line of a week in the form that is stored: its days and hours.
fn parse_week_line(line: &str) -> Result<(Vec<usize>, Hours), HoursError> {
    let mut words: Vec<_> = line.split_whitespace().collect();
    let has_days = words.first().is_some_and(|w| w.starts_with(|c: char| c.is_alphabetic()));
    let days = if has_days { parse_days(words.remove(0))? } else { (0..7).collect() };
    if words.is_empty() {
        return Err(HoursError::Malformed(format!("{line:?} says no hours")));
    }
    let intervals = words.into_iter().map(parse_interval).collect::<Result<_, _>>()?;
    Ok((days, intervals))
}

impl WeekHours {
    /// Checks that each business day's hours lie within it, one after the other, where days begin
    /// at this hour.
    pub fn check_within_days(&self, day_starts_at: i8) -> Result<(), HoursError> {
        for (hours, day) in self.week.iter().flatten().zip(WEEKDAYS) {
            check_within_day(hours, day, day_starts_at)?;
        }
        self.dates.check_within_days(day_starts_at)
    }
}

impl DateHours {
    /// Checks that the hours lie within the business days, where days begin at this hour.
    pub fn check_within_days(&self, day_starts_at: i8) -> Result<(), HoursError> {
        self.0.iter().try_for_each(|(first, _, hours)| {
            check_within_day(hours, &first.to_string(), day_starts_at)
        })
    }

    /// Parses lines such as `2027-02-06..2027-02-12 closed` and `2026-12-31 09:00-12:00`, and dates
    /// as people write them: `2027年2月6日至12日 放假`.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<DateHours, HoursError> {
        DateHours::read(lines).map(|(dates, _)| dates)
    }

    /// Parses lines, and tells whether all of them are in the form that is stored.
    fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<(DateHours, bool), HoursError> {
        let mut dates = DateHours::default();
        let mut is_stored_form = true;
        for line in lines {
            let parsed = match parse_date_line(line) {
                Ok(parsed) => vec![parsed],
                Err(error) if line.is_ascii() => return Err(error),
                Err(_) => {
                    is_stored_form = false;
                    notice::dates_of_line(line)?
                }
            };
            for (first, last, hours) in parsed {
                dates.add(first, last, hours)?;
            }
        }
        Ok((dates, is_stored_form))
    }

    /// Adds hours of dates that have none yet.
    fn add(&mut self, first: Date, last: Date, mut hours: Hours) -> Result<(), HoursError> {
        let days = if first == last { first.to_string() } else { format!("{first}..{last}") };
        if self.0.iter().any(|(begin, end, _)| first <= *end && *begin <= last) {
            return Err(HoursError::Overlap(format!("another line speaks of {days} too")));
        }
        sort_and_check(&mut hours, &days)?;
        self.0.push((first, last, hours));
        Ok(())
    }

    fn hours_on(&self, date: Date) -> Option<&Hours> {
        let includes = |(first, last, _): &&(Date, Date, Hours)| (*first..=*last).contains(&date);
        self.0.iter().find(includes).map(|(_, _, hours)| hours)
    }
}

/// Parses a line of dates in the form that is stored.
fn parse_date_line(line: &str) -> Result<(Date, Date, Hours), HoursError> {
    let mut words = line.split_whitespace();
    let days = words.next().unwrap_or_default();
    let (first_text, last_text) = days.split_once("..").unwrap_or((days, days));
    let date = |text: &str| {
        let malformed =
            || HoursError::Malformed(format!("{text:?} is no date, such as 2027-02-06"));
        Date::strptime("%Y-%m-%d", text).map_err(|_| malformed())
    };
    let first = date(first_text)?;
    let last = date(last_text)?;
    if last < first {
        return Err(HoursError::Malformed(format!("{days} ends before it begins")));
    }
    let words: Vec<_> = words.collect();
    let hours = match &words[..] {
        [] => {
            return Err(HoursError::Malformed(format!("{line:?} says no hours, nor closed")));
        }
        ["closed"] => Vec::new(),
        words => words.iter().map(|word| parse_interval(word)).collect::<Result<_, _>>()?,
    };
    Ok((first, last, hours))
}

fn check_within_day(hours: &Hours, day: &str, day_starts_at: i8) -> Result<(), HoursError> {
    const DAY: i32 = 24 * 60;
    // The whole day has neither a beginning nor an end in it.
    if let [(from, to)] = hours[..]
        && from == to
    {
        return Ok(());
    }
    let minute = |time: Time| i32::from(time.hour()) * 60 + i32::from(time.minute());
    let begins = i32::from(day_starts_at) * 60;
    // Minutes since the business day began.
    let spans = hours.iter().map(|(from, to)| {
        let since = (minute(*from) - begins).rem_euclid(DAY);
        (since, since + (minute(*to) - minute(*from) - 1).rem_euclid(DAY) + 1)
    });
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    if spans.iter().any(|(_, to)| *to > DAY) {
        let message =
            format!("hours of {day} go on after {day_starts_at} o'clock, when the day ends");
        return Err(HoursError::CrossesDayStart(message));
    }
    if spans.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        Err(HoursError::Overlap(format!("hours of {day} overlap")))
    } else {
        Ok(())
    }
}

/// Returns the intervals in their order; `None` if they overlap.
fn sorted(mut intervals: Hours) -> Option<Hours> {
    sort_and_check(&mut intervals, "").is_ok().then_some(intervals)
}

/// Interval of the whole business day.
fn whole_day() -> (Time, Time) {
    (Time::midnight(), Time::midnight())
}

fn sort_and_check(intervals: &mut Hours, day: &str) -> Result<(), HoursError> {
    intervals.sort();
    let overlap = intervals.windows(2).any(|pair| pair[0].1 > pair[1].0 || pair[0].1 <= pair[0].0);
    if overlap { Err(HoursError::Overlap(format!("hours of {day} overlap"))) } else { Ok(()) }
}

/// Interval that is the whole business day.
const WHOLE_DAY: &str = "00:00-24:00";

/// Parses days of the week: `mon`, `mon-fri`, `sat-mon`.
fn parse_days(word: &str) -> Result<Vec<usize>, HoursError> {
    let day = |name: &str| {
        let index = WEEKDAYS.iter().position(|weekday| *weekday == name.to_ascii_lowercase());
        index.ok_or_else(|| {
            HoursError::Malformed(format!("{name:?} is no day: use {}", WEEKDAYS.join(", ")))
        })
    };
    let (first_name, last_name) = word.split_once('-').unwrap_or((word, word));
    let first = day(first_name)?;
    let last = day(last_name)?;
    let count = (last + 7 - first) % 7 + 1;
    Ok((0..count).map(|step| (first + step) % 7).collect())
}

/// Parses an interval: `09:00-12:00`; `24:00` is midnight. `00:00-24:00` is the whole business day,
/// whenever that begins: from and to are equal.
fn parse_interval(word: &str) -> Result<(Time, Time), HoursError> {
    let malformed =
        || HoursError::Malformed(format!("{word:?} is not from when to when, as in 09:00-17:30"));
    let time = |text: &str| {
        let text = if text == "24:00" { "00:00" } else { text };
        Time::strptime("%H:%M", text).map_err(|_| malformed())
    };
    let (from, to) = word.split_once('-').ok_or_else(malformed)?;
    match (time(from)?, time(to)?) {
        (from, to) if from == to && word != WHOLE_DAY => Err(malformed()),
        interval => Ok(interval),
    }
}

#[cfg(test)]
mod tests;
