//! Lines of opening hours in the form that is stored: days or dates, and intervals.

use jiff::civil::{Date, Time};

/// Intervals of opening hours; the end of one may be on the next date.
pub(super) type Hours = Vec<(Time, Time)>;

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

pub(super) const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Parses a line of a week in the form that is stored: its days and hours.
pub(super) fn parse_week_line(line: &str) -> Result<(Vec<usize>, Hours), HoursError> {
    let mut words: Vec<_> = line.split_whitespace().collect();
    let has_days = words.first().is_some_and(|w| w.starts_with(|c: char| c.is_alphabetic()));
    let days = if has_days { parse_days(words.remove(0))? } else { (0..7).collect() };
    if words.is_empty() {
        return Err(HoursError::Malformed(format!("{line:?} says no hours")));
    }
    let intervals = words.into_iter().map(parse_interval).collect::<Result<_, _>>()?;
    Ok((days, intervals))
}

/// Parses a line of dates in the form that is stored.
pub(super) fn parse_date_line(line: &str) -> Result<(Date, Date, Hours), HoursError> {
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

/// Returns the intervals in their order; `None` if they overlap.
pub(super) fn sorted(mut intervals: Hours) -> Option<Hours> {
    sort_and_check(&mut intervals, "").is_ok().then_some(intervals)
}

/// Interval of the whole business day.
pub(super) fn whole_day() -> (Time, Time) {
    (Time::midnight(), Time::midnight())
}

pub(super) fn sort_and_check(intervals: &mut Hours, day: &str) -> Result<(), HoursError> {
    intervals.sort();
    let overlap = intervals.windows(2).any(|pair| pair[0].1 > pair[1].0 || pair[0].1 <= pair[0].0);
    if overlap { Err(HoursError::Overlap(format!("hours of {day} overlap"))) } else { Ok(()) }
}

/// Interval that is the whole business day.
pub(super) const WHOLE_DAY: &str = "00:00-24:00";

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
pub(super) fn parse_interval(word: &str) -> Result<(Time, Time), HoursError> {
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

/// End of an interval: midnight is that of the end of the day.
fn end_text(to: Time) -> String {
    match to.strftime("%H:%M").to_string() {
        midnight if midnight == "00:00" => "24:00".to_owned(),
        time => time,
    }
}

pub(super) fn time_texts(hours: &[(Time, Time)]) -> Vec<[String; 2]> {
    hours.iter().map(|(from, to)| [from.strftime("%H:%M").to_string(), end_text(*to)]).collect()
}

/// Hours as they are stored: `09:00-12:00 13:30-17:30`.
pub(super) fn hours_text(hours: &[(Time, Time)]) -> String {
    let intervals = time_texts(hours).into_iter().map(|[from, to]| format!("{from}-{to}"));
    intervals.collect::<Vec<_>>().join(" ")
}
