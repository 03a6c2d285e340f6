//! Opening hours of a week and of certain dates: read from lines, as people write them too, laid
//! over others, and written as the lines that are stored.

use super::lines::{
    Hours, HoursError, WEEKDAYS, hours_text, parse_date_line, parse_week_line, sort_and_check,
    time_texts, whole_day,
};
use super::notice::{self, NoticeHours, NoticeLine};
use super::words;
use jiff::civil::{Date, Time};
use paihao_contracts::settings::SiteSetup;

/// Weekly opening hours of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeekHours {
    /// Intervals for each day of the week, Monday first; `None` is always open.
    pub(super) week: Option<[Hours; 7]>,
    pub(super) dates: DateHours,
}

/// Hours of certain dates instead of the weekly ones: a holiday, a long evening.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DateHours(pub(super) Vec<(Date, Date, Hours)>);

impl WeekHours {
    /// Parses lines such as `mon-fri 09:00-12:00 13:30-17:30` and `sat 09:00-12:00`; without days
    /// they are of every day. A day that no line names is closed; without any such line it is
    /// always open. Lines that begin with a date are parsed as [`DateHours::parse`] does. Lines as
    /// people write them are read too: `周一至周五 9:00-17:30`, `周末 休息`.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<WeekHours, HoursError> {
        WeekHours::read(lines).map(|(hours, _)| hours)
    }

    /// Parses lines, and tells whether all of them are in the form that is stored.
    pub(super) fn read<'a>(
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<(WeekHours, bool), HoursError> {
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
    pub(super) fn read<'a>(
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<(DateHours, bool), HoursError> {
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

    pub(super) fn hours_on(&self, date: Date) -> Option<&Hours> {
        let includes = |(first, last, _): &&(Date, Date, Hours)| (*first..=*last).contains(&date);
        self.0.iter().find(includes).map(|(_, _, hours)| hours)
    }
}

impl WeekHours {
    /// Returns the hours of each day, Monday first; `None` is always open.
    pub fn days(&self) -> Option<[Vec<[String; 2]>; 7]> {
        self.week.as_ref().map(|week| std::array::from_fn(|day| time_texts(&week[day])))
    }

    /// Returns the dates with hours of their own.
    pub fn dates(&self) -> &DateHours {
        &self.dates
    }

    /// Returns the lines that are stored for these hours.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(week) = &self.week {
            let mut day = 0;
            while day < week.len() {
                let run = week[day..].iter().take_while(|hours| **hours == week[day]).count();
                let last = day + run - 1;
                if !week[day].is_empty() {
                    let days = match run {
                        1 => WEEKDAYS[day].to_owned(),
                        _ => format!("{}-{}", WEEKDAYS[day], WEEKDAYS[last]),
                    };
                    lines.push(format!("{days} {}", hours_text(&week[day])));
                }
                day = last + 1;
            }
        }
        lines.extend(self.dates.lines());
        lines
    }
}

/// Dates with hours of their own, as texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatesText {
    /// First date.
    pub first: String,
    /// Last date.
    pub last: String,
    /// Its hours; none if it is closed.
    pub hours: Vec<[String; 2]>,
}

impl DatesText {
    /// Returns hours as texts.
    pub fn hours_of(hours: &[(Time, Time)]) -> Vec<[String; 2]> {
        time_texts(hours)
    }
}

impl NoticeLine {
    /// Returns the parts of a list without what is not about working days.
    pub fn only_workdays(lines: &[NoticeLine]) -> Vec<NoticeLine> {
        let only = |line: &NoticeLine| {
            let mut line = line.clone();
            line.dates.retain(|(.., hours)| *hours == NoticeHours::Workday);
            line
        };
        lines.iter().map(only).collect()
    }
}

impl DateHours {
    /// Returns the lines that are stored for these dates, oldest first.
    pub fn lines(&self) -> Vec<String> {
        let mut dates: Vec<_> = self.0.iter().collect();
        dates.sort_by_key(|(first, ..)| *first);
        let line = |(first, last, hours): &(Date, Date, Hours)| {
            let days = if first == last { first.to_string() } else { format!("{first}..{last}") };
            let hours = if hours.is_empty() { "closed".to_owned() } else { hours_text(hours) };
            format!("{days} {hours}")
        };
        dates.into_iter().map(line).collect()
    }

    /// Returns the dates as texts, oldest first.
    pub fn texts(&self) -> Vec<DatesText> {
        let mut dates: Vec<_> = self.0.iter().collect();
        dates.sort_by_key(|(first, ..)| *first);
        let text = |(first, last, hours): &(Date, Date, Hours)| DatesText {
            first: first.to_string(),
            last: last.to_string(),
            hours: time_texts(hours),
        };
        dates.into_iter().map(text).collect()
    }

    /// Returns these dates with the others in their place where both speak of a date.
    #[must_use]
    pub fn overlaid(self, others: DateHours) -> DateHours {
        let mut dates = self.0;
        for (first, last, hours) in others.0 {
            let mut kept = Vec::new();
            for (begin, end, before) in dates {
                if end < first || last < begin {
                    kept.push((begin, end, before));
                    continue;
                }
                if begin < first
                    && let Ok(until) = first.yesterday()
                {
                    kept.push((begin, until, before.clone()));
                }
                if last < end
                    && let Ok(from) = last.tomorrow()
                {
                    kept.push((from, end, before));
                }
            }
            kept.push((first, last, hours));
            dates = kept;
        }
        DateHours(dates)
    }
}

impl WeekHours {
    /// Returns the hours of a day of the week, from Monday on; `None` if it is always open.
    pub fn on(&self, weekday: usize) -> Option<&[(Time, Time)]> {
        self.week.as_ref().map(|week| &week[weekday][..])
    }

    /// Returns the hours with those of these dates in the place of the dates' own.
    #[must_use]
    pub fn with_dates(self, dates: DateHours) -> WeekHours {
        WeekHours { dates: self.dates.overlaid(dates), ..self }
    }
}

impl DateHours {
    /// Collects what the parts of a list say, the later ones before the earlier. Working days have
    /// the hours of this day of the week; of a queue that is always open they say nothing.
    pub fn of_notice(lines: &[NoticeLine], week: &WeekHours, workday: usize) -> DateHours {
        let entries = lines.iter().flat_map(|line| &line.dates);
        entries.fold(DateHours::default(), |dates, (first, last, hours)| {
            let hours = match hours {
                NoticeHours::Hours(hours) => hours.clone(),
                NoticeHours::Workday => match week.on(workday) {
                    Some(hours) => hours.to_vec(),
                    None => vec![whole_day()],
                },
            };
            dates.overlaid(DateHours(vec![(*first, *last, hours)]))
        })
    }
}

/// Puts the hours of a site in the form that is stored, where they are written as people write
/// them. What cannot be read stays, for the validation to refuse.
pub fn make_canonical(site: &mut SiteSetup) {
    let queues = site.queues.values_mut().map(|queue| &mut queue.hours);
    let shifts = site.counters.values_mut().map(|counter| &mut counter.shifts);
    for lines in queues.chain(shifts) {
        if let Ok((hours, false)) = WeekHours::read(lines.iter().map(String::as_str)) {
            *lines = hours.lines();
        }
    }
    if let Ok((dates, false)) = DateHours::read(site.dates.iter().map(String::as_str)) {
        site.dates = dates.lines();
    }
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
