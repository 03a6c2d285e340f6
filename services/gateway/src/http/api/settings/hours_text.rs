//! Opening hours as texts and as a grid: lines are read into the hours of each day, and lists of
//! holidays into the dates of a site. Nothing is changed; the page saves what it shows.

use super::request::MAX_BODY_BYTES;
use crate::http::access::{Authorized, ManagerScope};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::site::calendar::{
    DateHours, DatesText, HoursError, MAX_NOTICE_CHARS, NoticeHours, NoticeLine, NoticeProblem,
    WeekHours, read_notice,
};
use axum::Json;
use axum::body::Body;
use paihao_contracts::validation_error::{self, ValidationError};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/api/v1/book/hours/reading",
            read_hours_text,
            endpoint("read_hours_text", "Reads lines of opening hours into the hours of each day")
                .json_body::<HoursTextRequest>()
                .without_idempotency_key("it changes nothing"),
        )
        .post(
            "/api/v1/book/hours/holidays",
            read_holidays,
            endpoint("read_holidays", "Reads a list of holidays into dates of a site")
                .json_body::<HolidaysRequest>()
                .without_idempotency_key("it changes nothing"),
        )
}

/// Interval of a day: from when to when, such as `09:00` and `24:00`.
type IntervalText = [String; 2];

/// Lines to read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HoursTextRequest {
    /// Lines of hours, each list by a key of the client's choice.
    lists: BTreeMap<String, Vec<String>>,
}

/// What lines of hours mean.
#[derive(Serialize, JsonSchema)]
struct HoursReading {
    /// Hours of each day, Monday first; `null` if it is always open, or cannot be read.
    week: Option<Vec<Vec<IntervalText>>>,
    /// Dates with hours of their own, oldest first.
    dates: Vec<DatesReading>,
    /// The lines that are stored for it.
    lines: Vec<String>,
    /// What cannot be read.
    problem: Option<HoursProblem>,
}

/// Dates with hours of their own.
#[derive(Serialize, JsonSchema)]
struct DatesReading {
    /// First date, such as `2027-02-06`.
    first: String,
    /// Last date.
    last: String,
    /// Hours; none if it is closed.
    hours: Vec<IntervalText>,
}

/// Why lines of hours cannot be read.
#[derive(Serialize, JsonSchema)]
struct HoursProblem {
    /// The first line that cannot be read by itself, from 0; `null` if it is how they go together.
    line: Option<usize>,
    /// Code, as in the problems of settings.
    code: &'static str,
    /// What is wrong, in Chinese and English.
    what: String,
}

async fn read_hours_text(
    _: Authorized<ManagerScope>,
    body: Body,
) -> Result<Json<BTreeMap<String, HoursReading>>, Problem> {
    let request: HoursTextRequest = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    Ok(Json(request.lists.into_iter().map(|(key, lines)| (key, reading(&lines))).collect()))
}

fn reading(lines: &[String]) -> HoursReading {
    match WeekHours::parse(lines.iter().map(String::as_str)) {
        Ok(hours) => HoursReading {
            week: hours.days().map(Vec::from),
            dates: hours.dates().texts().into_iter().map(DatesReading::from).collect(),
            lines: hours.lines(),
            problem: None,
        },
        Err(error) => {
            let line = lines.iter().position(|line| {
                // A closed day is nothing by itself, and no fault.
                let alone = WeekHours::parse(["mon-sun 00:00-24:00", line]);
                matches!(alone, Err(HoursError::Malformed(_)))
            });
            let ValidationError { code, .. } = kind(&error);
            let what = format!("{} ({error})", kind(&error).message());
            let problem = Some(HoursProblem { line, code, what });
            HoursReading { week: None, dates: Vec::new(), lines: Vec::new(), problem }
        }
    }
}

fn kind(error: &HoursError) -> &'static ValidationError {
    match error {
        HoursError::Malformed(_) => &validation_error::BAD_HOURS,
        HoursError::Overlap(_) => &validation_error::HOURS_OVERLAP,
        HoursError::CrossesDayStart(_) => &validation_error::CUT_OVER_WITHIN_HOURS,
    }
}

impl From<DatesText> for DatesReading {
    fn from(DatesText { first, last, hours }: DatesText) -> DatesReading {
        DatesReading { first, last, hours }
    }
}

/// List of holidays to read, with the hours that it is laid over.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HolidaysRequest {
    /// The list: holidays as the State Council announces them, or dates with hours.
    text: String,
    /// Year of dates without one, until the list names another.
    #[schemars(range(min = 1970, max = 2999))]
    year: Option<i16>,
    /// Day of the week whose hours working days have, from 0 for Monday; 0 by default.
    #[serde(default)]
    #[schemars(range(min = 0, max = 6))]
    workday: usize,
    /// Dates of the site.
    #[serde(default)]
    dates: Vec<String>,
    /// Hours of each queue.
    #[serde(default)]
    queues: BTreeMap<String, Vec<String>>,
}

/// What a list of holidays means, and the hours with it.
#[derive(Serialize, JsonSchema)]
struct HolidaysReading {
    /// The parts of the list, in its order.
    parts: Vec<HolidaysPart>,
    /// Dates of the site with those of the list.
    dates: Vec<String>,
    /// Hours of each queue with those of working days, where the queues differ in them.
    queues: BTreeMap<String, Vec<String>>,
}

/// Part of a list of holidays, up to a full stop.
#[derive(Serialize, JsonSchema)]
struct HolidaysPart {
    /// The text.
    text: String,
    /// Dates that it speaks of; none if it speaks of none.
    dates: Vec<HolidayDates>,
    /// What is not understood.
    problem: Option<HolidaysProblem>,
}

/// Dates of a list of holidays.
#[derive(Serialize, JsonSchema)]
struct HolidayDates {
    /// First date.
    first: String,
    /// Last date.
    last: String,
    /// What is then.
    kind: HolidayKind,
    /// Hours of dates that are open.
    hours: Vec<IntervalText>,
}

/// What is on a date of a list.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HolidayKind {
    Closed,
    Workday,
    Open,
}

/// Why a part of a list is not understood.
#[derive(Serialize, JsonSchema)]
struct HolidaysProblem {
    /// `says_nothing`, `no_date`, `no_year`, `other_weekday` or `no_hours`.
    code: &'static str,
    /// The date or hours that it is about.
    about: String,
    /// Day of the week that the date is, from 0 for Monday.
    weekday: Option<usize>,
}

async fn read_holidays(
    _: Authorized<ManagerScope>,
    body: Body,
) -> Result<Json<HolidaysReading>, Problem> {
    let request: HolidaysRequest = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    if request.workday > 6 || request.year.is_some_and(|year| !(1970..=2999).contains(&year)) {
        return Err(refusals::malformed("use a workday from 0 to 6, and a year from 1970 to 2999"));
    }
    if request.text.chars().count() > MAX_NOTICE_CHARS {
        let detail = format!("text: use {MAX_NOTICE_CHARS} characters at most");
        return Err(refusals::malformed(detail));
    }
    let parts = read_notice(&request.text, request.year);
    let malformed = |error: HoursError| refusals::malformed(error.to_string());
    let of_list = |lines: &[String]| WeekHours::parse(lines.iter().map(String::as_str));
    let mut weeks = BTreeMap::new();
    for (queue, lines) in &request.queues {
        weeks.insert(queue, of_list(lines).map_err(malformed)?);
    }
    let dates = DateHours::parse(request.dates.iter().map(String::as_str)).map_err(malformed)?;
    let queues_agree = {
        let mut of_queues = weeks.values().map(|week| week.on(request.workday));
        let first = of_queues.next();
        of_queues.all(|hours| Some(hours) == first)
    };
    let all_alike = weeks.values().next().cloned().unwrap_or_default();
    let of_site = DateHours::of_notice(&parts, &all_alike, request.workday);
    let queues = weeks.into_iter().map(|(queue, week)| {
        let lines = if queues_agree {
            request.queues[queue].clone()
        } else {
            // What the site says of a working day is that of one queue.
            let working_days = NoticeLine::only_workdays(&parts);
            let own = DateHours::of_notice(&working_days, &week, request.workday);
            week.with_dates(own).lines()
        };
        (queue.clone(), lines)
    });
    let queues = queues.collect();
    Ok(Json(HolidaysReading {
        dates: dates.overlaid(of_site).lines(),
        queues,
        parts: parts.into_iter().map(HolidaysPart::from).collect(),
    }))
}

impl From<NoticeLine> for HolidaysPart {
    fn from(line: NoticeLine) -> HolidaysPart {
        let problem = line.problem.map(HolidaysProblem::from);
        let dates = line.dates.into_iter().map(|(first, last, hours)| {
            let (kind, hours) = match hours {
                NoticeHours::Workday => (HolidayKind::Workday, Vec::new()),
                NoticeHours::Hours(hours) if hours.is_empty() => (HolidayKind::Closed, Vec::new()),
                NoticeHours::Hours(hours) => (HolidayKind::Open, DatesText::hours_of(&hours)),
            };
            HolidayDates { first: first.to_string(), last: last.to_string(), kind, hours }
        });
        HolidaysPart { text: line.text, dates: dates.collect(), problem }
    }
}

impl From<NoticeProblem> for HolidaysProblem {
    fn from(problem: NoticeProblem) -> HolidaysProblem {
        let plain = |code, about| HolidaysProblem { code, about, weekday: None };
        match problem {
            NoticeProblem::SaysNothing => plain("says_nothing", String::new()),
            NoticeProblem::NoDate(date) => plain("no_date", date),
            NoticeProblem::NoYear => plain("no_year", String::new()),
            NoticeProblem::NoHours(hours) => plain("no_hours", hours),
            NoticeProblem::OtherWeekday { date, weekday } => {
                HolidaysProblem { code: "other_weekday", about: date, weekday: Some(weekday) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_are_read_into_days_and_the_first_bad_one_is_named() {
        let good = reading(&lines(&["周一至周五 9:00-17:30", "2027-02-06 closed"]));
        assert_eq!(good.lines, ["mon-fri 09:00-17:30", "2027-02-06 closed"]);
        let week = good.week.unwrap();
        assert_eq!(week[4], [["09:00".to_owned(), "17:30".to_owned()]]);
        assert!(week[5].is_empty());
        assert_eq!((&*good.dates[0].first, good.dates[0].hours.len()), ("2027-02-06", 0));
        let problem =
            |texts: &[&str]| reading(&lines(texts)).problem.map(|found| (found.line, found.code));
        assert_eq!(problem(&["周日休息", "周八 9:00-17:30"]), Some((Some(1), "bad_hours")));
        assert_eq!(problem(&["mon 9:00-12:00", "mon 11:00-13:00"]), Some((None, "hours_overlap")));
        assert_eq!(problem(&["每天休息"]), Some((Some(0), "bad_hours")));
        assert_eq!(problem(&[]), None);
    }
}
