//! Opening hours as the lines that are stored, which every program reads, and dates that are laid
//! over others.

use super::{DateHours, Hours, NoticeHours, NoticeLine, WEEKDAYS, WeekHours, whole_day};
use jiff::civil::{Date, Time};
use paihao_contracts::settings::SiteSetup;

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

/// End of an interval: midnight is that of the end of the day.
fn end_text(to: Time) -> String {
    match to.strftime("%H:%M").to_string() {
        midnight if midnight == "00:00" => "24:00".to_owned(),
        time => time,
    }
}

fn time_texts(hours: &[(Time, Time)]) -> Vec<[String; 2]> {
    hours.iter().map(|(from, to)| [from.strftime("%H:%M").to_string(), end_text(*to)]).collect()
}

/// Hours as they are stored: `09:00-12:00 13:30-17:30`.
pub(super) fn hours_text(hours: &[(Time, Time)]) -> String {
    let intervals = time_texts(hours).into_iter().map(|[from, to]| format!("{from}-{to}"));
    intervals.collect::<Vec<_>>().join(" ")
}
