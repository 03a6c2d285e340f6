//! Lists of dates as people write them and as the State Council announces holidays: `10月1日（周四）
//! 至7日（周三）放假调休，共7天。9月20日（周日）上班。`

use super::lines::{
    Hours, HoursError, WEEKDAYS, hours_text, parse_date_line, parse_interval, sorted, whole_day,
};
use super::words::{self, CLOSED, Period};
use jiff::civil::{Date, Time};

/// Longest list that is read, in characters.
pub const MAX_NOTICE_CHARS: usize = 20_000;

/// Hours that a list gives to dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeHours {
    /// These hours; none if it is closed.
    Hours(Vec<(Time, Time)>),
    /// Those of a working day (调休上班).
    Workday,
}

/// Reason why a part of a list is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeProblem {
    /// It names a date without saying what is then.
    SaysNothing,
    /// A date that there is not.
    NoDate(String),
    /// A date without a year, and no year is known.
    NoYear,
    /// The date is another day of the week than it says.
    OtherWeekday {
        /// The date.
        date: String,
        /// Day of the week that it is, from Monday on.
        weekday: usize,
    },
    /// Hours that are none.
    NoHours(String),
}

/// Part of a list, up to a full stop or the end of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeLine {
    /// The text.
    pub text: String,
    /// Dates that it speaks of, first and last.
    pub dates: Vec<(Date, Date, NoticeHours)>,
    /// What is not understood.
    pub problem: Option<NoticeProblem>,
}

const WORKDAY: [&str; 8] = ["照常", "正常", "上班", "补班", "补课", "上课", "调班", "workday"];

/// Reads a list; dates without a year are of this one, until the list names another.
pub fn read_notice(text: &str, year: Option<i16>) -> Vec<NoticeLine> {
    let mut year = year;
    let parts = text.split(['\n', '。', ';', '；']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(|part| read_part(part, &mut year)).collect()
}

/// Reads a line of dates with their hours, each with its year.
pub(super) fn dates_of_line(line: &str) -> Result<Vec<(Date, Date, Hours)>, HoursError> {
    let unread = || HoursError::Malformed(format!("{line:?} cannot be read"));
    let mut dates = Vec::new();
    for part in read_notice(line, None) {
        if part.problem.is_some() || part.dates.is_empty() {
            return Err(unread());
        }
        for (first, last, hours) in part.dates {
            match hours {
                NoticeHours::Hours(hours) => dates.push((first, last, hours)),
                // A line by itself does not say what the hours of a working day are.
                NoticeHours::Workday => return Err(unread()),
            }
        }
    }
    Ok(dates)
}

/// Tells whether a line of hours is about a date.
pub(super) fn begins_with_date(line: &str) -> bool {
    let line = line.trim();
    if !line.starts_with(|c: char| c.is_numeric()) {
        return false;
    }
    let is_stored_form =
        line.split_whitespace().next().is_some_and(|word| word.matches('-').count() > 1);
    is_stored_form || line.chars().take(8).any(|c| c == '年' || c == '月')
}

/// Date as far as it is written.
#[derive(Debug, Clone, Copy, Default)]
struct WrittenDate {
    year: Option<i16>,
    month: Option<u32>,
    day: u32,
}

/// Reader of one part.
struct PartReader<'a> {
    year: &'a mut Option<i16>,
    /// Month of the date before, and its year.
    context: Option<(i16, u32)>,
    /// Dates of which nothing is said yet.
    pending: Vec<(Date, Date)>,
    /// What is said before its dates.
    said_before: Option<NoticeHours>,
    hours: Hours,
    found: Vec<(Date, Date, NoticeHours)>,
    /// Number of the newest dates of which something was said, which hours behind it replace.
    newest: usize,
}

fn read_part(text: &str, year: &mut Option<i16>) -> NoticeLine {
    let line = |dates, problem| NoticeLine { text: text.to_owned(), dates, problem };
    if let Ok((first, last, hours)) = parse_date_line(text) {
        return match sorted(hours) {
            Some(hours) => line(vec![(first, last, NoticeHours::Hours(hours))], None),
            None => line(Vec::new(), Some(NoticeProblem::NoHours(text.to_owned()))),
        };
    }
    let mut reader = PartReader {
        year,
        context: None,
        pending: Vec::new(),
        said_before: None,
        hours: Vec::new(),
        found: Vec::new(),
        newest: 0,
    };
    let chars = words::half_width(text);
    match reader.read(&chars) {
        Ok(()) => line(reader.found, None),
        Err(problem) => line(Vec::new(), Some(problem)),
    }
}

impl PartReader<'_> {
    fn read(&mut self, chars: &[char]) -> Result<(), NoticeProblem> {
        let mut text = chars;
        let mut period: Option<Period> = None;
        while let Some((first, behind)) = text.split_first() {
            text = if let Some(rest) = self.date_or_range(text)? {
                rest
            } else if let Some((from, rest)) = words::time(text, period) {
                let (to, rest) = self.end_of_interval(from, rest, period)?;
                let interval = words::interval_text(from, to);
                let parsed = parse_interval(&interval);
                self.hours.push(parsed.map_err(|_| NoticeProblem::NoHours(interval))?);
                rest
            } else if let Some((found, rest)) = words::period(text) {
                period = Some(found);
                rest
            } else if let Some(((), rest)) = words::find_word(text, CLOSED.map(|word| (word, ()))) {
                self.say(NoticeHours::Hours(Vec::new()))?;
                rest
            } else if let Some(rest) = words::after_word(text, "全天") {
                self.hours.push(whole_day());
                rest
            } else if let Some(((), rest)) = words::find_word(text, WORKDAY.map(|word| (word, ())))
            {
                self.say(NoticeHours::Workday)?;
                rest
            } else {
                // Digits that are no date, such as 共7天, are passed as a whole.
                match words::number(text) {
                    Some((_, rest)) if first.is_ascii_digit() => rest,
                    _ => behind,
                }
            };
        }
        self.settle()?;
        if let Some(said) = self.said_before.take().filter(|_| !self.pending.is_empty()) {
            self.say(said)?;
        }
        if self.pending.is_empty() { Ok(()) } else { Err(NoticeProblem::SaysNothing) }
    }

    /// Says something of the dates that wait for it.
    fn say(&mut self, hours: NoticeHours) -> Result<(), NoticeProblem> {
        self.settle()?;
        if self.pending.is_empty() {
            self.said_before = Some(hours);
            return Ok(());
        }
        self.newest = self.pending.len();
        let said = self.pending.drain(..).map(|(first, last)| (first, last, hours.clone()));
        self.found.extend(said);
        Ok(())
    }

    /// Gives the hours that were read to their dates.
    fn settle(&mut self) -> Result<(), NoticeProblem> {
        if self.hours.is_empty() {
            return Ok(());
        }
        let hours = std::mem::take(&mut self.hours);
        let unsorted = NoticeProblem::NoHours(hours_text(&hours));
        let hours = NoticeHours::Hours(sorted(hours).ok_or(unsorted)?);
        if self.pending.is_empty() {
            // 10月10日上班，9:00-12:00
            let newest = self.found.len() - self.newest;
            self.found[newest..].iter_mut().for_each(|(.., said)| *said = hours.clone());
            return Ok(());
        }
        self.newest = self.pending.len();
        let said = self.pending.drain(..).map(|(first, last)| (first, last, hours.clone()));
        self.found.extend(said);
        Ok(())
    }

    fn end_of_interval<'a>(
        &self,
        from: u32,
        text: &'a [char],
        period: Option<Period>,
    ) -> Result<(u32, &'a [char]), NoticeProblem> {
        let only_a_time = || NoticeProblem::NoHours(words::interval_text(from, from));
        let rest = skip_blanks(text);
        let rest = words::after_word(rest, "-").ok_or_else(only_a_time)?;
        let rest = skip_blanks(rest);
        let rest = ["次日", "第二天"]
            .iter()
            .find_map(|word| words::after_word(rest, word))
            .unwrap_or(rest);
        let (end_period, rest) = match words::period(rest) {
            Some((own, rest)) => (Some(own), rest),
            None => (period, rest),
        };
        let has_own_period = period.is_none() || end_period != period;
        let (to, rest) = words::time(rest, end_period).ok_or_else(only_a_time)?;
        Ok((words::end_after(from, to, has_own_period), rest))
    }

    /// Reads a date, or the first and the last one.
    fn date_or_range<'a>(&mut self, text: &'a [char]) -> Result<Option<&'a [char]>, NoticeProblem> {
        let Some((written, rest)) = written_date(text) else {
            if let Some((year, rest)) = named_year(text) {
                *self.year = Some(year);
                return Ok(Some(rest));
            }
            return Ok(None);
        };
        // A day alone is one of the month before it: 1日至3日.
        if written.month.is_none() && self.context.is_none() {
            return Ok(None);
        }
        self.settle()?;
        let (first, rest) = self.resolved(written, rest)?;
        let connected = ["-", ".."].iter().find_map(|word| {
            let behind = words::after_word(skip_blanks(rest), word)?;
            written_date(skip_blanks(behind))
        });
        let (last, rest) = match connected {
            Some((written, rest)) => {
                let written = match (written.year, written.month, self.context) {
                    // From December on it ends in the next year.
                    (None, Some(month), Some((year, before))) if month < before => {
                        WrittenDate { year: Some(year + 1), ..written }
                    }
                    _ => written,
                };
                self.resolved(written, rest)?
            }
            None => (first, rest),
        };
        if last < first {
            return Err(NoticeProblem::NoDate(format!("{first}..{last}")));
        }
        self.pending.push((first, last));
        Ok(Some(rest))
    }

    /// Completes a date by what is known, and checks the day of the week that stands behind it.
    fn resolved<'a>(
        &mut self,
        written: WrittenDate,
        text: &'a [char],
    ) -> Result<(Date, &'a [char]), NoticeProblem> {
        let (context_year, context_month) = self.context.unzip();
        let month = written.month.or(context_month).ok_or(NoticeProblem::NoYear)?;
        let year = written.year.or(context_year).or(*self.year).ok_or(NoticeProblem::NoYear)?;
        let none = || NoticeProblem::NoDate(format!("{year}-{month}-{}", written.day));
        let narrow = |number: u32| i8::try_from(number).map_err(|_| none());
        let date = Date::new(year, narrow(month)?, narrow(written.day)?).map_err(|_| none())?;
        self.context = Some((year, month));
        let (weekday, rest) = weekday_behind(text);
        let actual = date.weekday().to_monday_zero_offset() as usize;
        if weekday.is_some_and(|weekday| weekday != actual) {
            let date = date.to_string();
            return Err(NoticeProblem::OtherWeekday { date, weekday: actual });
        }
        Ok((date, rest))
    }
}

fn skip_blanks(text: &[char]) -> &[char] {
    let blanks = text.iter().take_while(|c| c.is_whitespace()).count();
    &text[blanks..]
}

/// Year by itself: `2026年` without a month behind it.
fn named_year(text: &[char]) -> Option<(i16, &[char])> {
    let (year, rest) = words::number(text).filter(|(year, _)| (1970..=2999).contains(year))?;
    let rest = words::after_word(rest, "年")?;
    Some((i16::try_from(year).ok()?, rest))
}

/// Reads a date: `2026年10月1日`, `10月1日`, `7日`, `2026-10-01`, `2026/10/1`, `10/1`, `10.1`.
fn written_date(text: &[char]) -> Option<(WrittenDate, &[char])> {
    if let Some((day, rest)) = day_of_month(text) {
        return Some((WrittenDate { day, ..WrittenDate::default() }, rest));
    }
    let (number, rest) = words::number(text)?;
    let (mark, behind) = rest.split_first()?;
    match mark {
        '年' => {
            let year = if number < 100 { number + 2000 } else { number };
            let (month, rest) = words::number(skip_blanks(behind))?;
            let (day, rest) = day_of_month(skip_blanks(words::after_word(rest, "月")?))?;
            let year = Some(i16::try_from(year).ok()?);
            Some((WrittenDate { year, month: Some(month), day }, rest))
        }
        '月' => {
            let (day, rest) = day_of_month(skip_blanks(behind))?;
            Some((WrittenDate { year: None, month: Some(number), day }, rest))
        }
        '-' | '/' | '.' => {
            let (second, rest) = words::number(behind)?;
            let third = rest.split_first().filter(|(next, _)| *next == mark);
            match third.and_then(|(_, rest)| words::number(rest)) {
                Some((day, rest)) if number >= 1970 => {
                    let year = Some(i16::try_from(number).ok()?);
                    Some((WrittenDate { year, month: Some(second), day }, rest))
                }
                _ if *mark != '-' && number <= 12 => {
                    let date = WrittenDate { year: None, month: Some(number), day: second };
                    Some((date, rest))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Reads the day of a month, which `日` ends: `7日`, also at the end of a list: `1、2日`, `1-7日`.
fn day_of_month(text: &[char]) -> Option<(u32, &[char])> {
    let list = text.iter().take_while(|c| c.is_ascii_digit() || ",-".contains(**c)).count();
    if !matches!(text.get(list), Some('日' | '号')) {
        return None;
    }
    let (day, rest) = words::number(text)?;
    let behind = ["日", "号"].iter().find_map(|word| words::after_word(rest, word));
    Some((day, behind.unwrap_or(rest)))
}

/// Reads the day of the week behind a date: `（周四）`, `(农历正月初七、周一)`, `星期四`, `Thu`.
fn weekday_behind(text: &[char]) -> (Option<usize>, &[char]) {
    let rest = skip_blanks(text);
    if let Some(inside) = words::after_word(rest, "(")
        && let Some(end) = inside.iter().position(|c| *c == ')')
    {
        let (inside, behind) = (&inside[..end], &inside[end + 1..]);
        let weekday = (0..inside.len()).find_map(|start| named_weekday(&inside[start..]));
        return (weekday.map(|(day, _)| day), behind);
    }
    match named_weekday(rest) {
        Some((day, rest)) => (Some(day), rest),
        None => (None, text),
    }
}

fn named_weekday(text: &[char]) -> Option<(usize, &[char])> {
    let english = || words::find_word(text, WEEKDAYS.into_iter().zip(0..));
    words::weekday(text).or_else(english)
}

#[cfg(test)]
mod tests {
    use super::super::hours::DateHours;
    use super::*;

    /// What a list says, a line for each of its dates.
    fn read(text: &str, year: i16) -> String {
        let lines = read_notice(text, Some(year));
        let text = |line: &NoticeLine| {
            let problem = line.problem.as_ref().map(|problem| format!("? {problem:?}"));
            let dates = line.dates.iter().map(|(first, last, hours)| {
                let what = match hours {
                    NoticeHours::Workday => "work".to_owned(),
                    NoticeHours::Hours(hours) if hours.is_empty() => "closed".to_owned(),
                    NoticeHours::Hours(hours) => hours_text(hours),
                };
                format!("{first}..{last} {what}")
            });
            dates.chain(problem).collect::<Vec<_>>()
        };
        lines.iter().flat_map(text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_list_is_read_as_holidays_are_announced() {
        let notice = "各部门：现将2026年元旦、春节等放假调休日期通知如下。\n\
            一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。\n\
            二、春节：2月15日（农历腊月二十八、周日）至23日（农历正月初七、周一）放假调休，共9天。\
            2月14日（周六）、2月28日（周六）上班。\n\
            三、国庆节：10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。\n\
            请妥善安排好值班。";
        assert_eq!(
            read(notice, 2019),
            "2026-01-01..2026-01-03 closed\n2026-01-04..2026-01-04 work\n\
             2026-02-15..2026-02-23 closed\n2026-02-14..2026-02-14 work\n\
             2026-02-28..2026-02-28 work\n2026-10-01..2026-10-07 closed\n\
             2026-09-20..2026-09-20 work\n2026-10-10..2026-10-10 work"
        );
    }

    #[test]
    fn dates_are_read_in_every_usual_form() {
        for (written, meant) in [
            ("10月1日至7日放假", "2026-10-01..2026-10-07 closed"),
            ("10月1日-10月7日 休息", "2026-10-01..2026-10-07 closed"),
            ("放假：１０月１日～７日", "2026-10-01..2026-10-07 closed"),
            ("9月27日（周日）上班", "2026-09-27..2026-09-27 work"),
            ("9月26、27日上班", "2026-09-26..2026-09-26 work\n2026-09-27..2026-09-27 work"),
            ("10月1-7日放假", "2026-10-01..2026-10-07 closed"),
            (
                "10月1日至5日，8日放假",
                "2026-10-01..2026-10-05 closed\n2026-10-08..2026-10-08 closed",
            ),
            ("9月26日、27日上班", "2026-09-26..2026-09-26 work\n2026-09-27..2026-09-27 work"),
            ("12月31日至1月2日放假", "2026-12-31..2027-01-02 closed"),
            ("2026年12月31日至2027年1月2日放假", "2026-12-31..2027-01-02 closed"),
            ("2027-02-06..2027-02-12 closed", "2027-02-06..2027-02-12 closed"),
            (
                "2026-12-31 09:00-12:00 14:00-16:00",
                "2026-12-31..2026-12-31 09:00-12:00 14:00-16:00",
            ),
            ("2026-12-31 休息", "2026-12-31..2026-12-31 closed"),
            ("2026/12/31 上午9点至12点", "2026-12-31..2026-12-31 09:00-12:00"),
            ("10/1-10/7 关门", "2026-10-01..2026-10-07 closed"),
            ("10.1-10.7 关门", "2026-10-01..2026-10-07 closed"),
            ("12月31日营业时间 18:00-次日2:00", "2026-12-31..2026-12-31 18:00-02:00"),
            ("12月31日 18:00-02:00", "2026-12-31..2026-12-31 18:00-02:00"),
            ("10月10日上班，9:00-12:00", "2026-10-10..2026-10-10 09:00-12:00"),
            (
                "10月1日休息，10月2日 9:00-12:00",
                "2026-10-01..2026-10-01 closed\n2026-10-02..2026-10-02 09:00-12:00",
            ),
            ("10月1日 全天", "2026-10-01..2026-10-01 00:00-24:00"),
            ("国庆节快乐", ""),
            ("共7天", ""),
            ("10月1日", "? SaysNothing"),
            ("2月30日放假", "? NoDate(\"2026-2-30\")"),
            ("10月7日至1日放假", "? NoDate(\"2026-10-07..2026-10-01\")"),
            ("9月27日（周六）上班", "? OtherWeekday { date: \"2026-09-27\", weekday: 6 }"),
            ("10月1日 9:00", "? NoHours(\"09:00-09:00\")"),
            ("10月1日 9:00-12:00 11:00-13:00", "? NoHours(\"09:00-12:00 11:00-13:00\")"),
        ] {
            assert_eq!(read(written, 2026), meant, "{written}");
        }
        assert_eq!(read_notice("10月1日放假", None)[0].problem, Some(NoticeProblem::NoYear));
    }

    #[test]
    fn a_line_of_the_configuration_names_its_year() {
        let dates =
            DateHours::parse(["2027年2月6日至12日 放假", "2026-12-31 09:00-12:00"]).unwrap();
        assert_eq!(dates.lines(), ["2026-12-31 09:00-12:00", "2027-02-06..2027-02-12 closed"]);
        assert!(DateHours::parse(["2月6日至12日 放假"]).is_err());
        assert!(DateHours::parse(["2027年2月6日 上班"]).is_err());
    }
}
