//! Opening hours of a queue as people read them: today and tomorrow, in the site's time zone.

use crate::engine::SubmitError;
use crate::http::refusals::{self, Problem};
use crate::settings::SiteSettings;
use jiff::Timestamp as Instant;
use paihao_domain::{DecisionInput, Interval, QueueId, Refusal, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// Opening hours of a queue on two business days; each an interval in Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct HoursView {
    /// Hours of today; none if it is closed today.
    today: Vec<[i64; 2]>,
    /// Hours of tomorrow; none if it is closed then.
    tomorrow: Vec<[i64; 2]>,
}

/// Opening hours of a queue; `None` if it has none, and so is always open.
pub(crate) fn hours_view(
    settings: &SiteSettings,
    queue: &QueueId,
    now: &DecisionInput,
) -> Option<HoursView> {
    let hours = |day: &DecisionInput| {
        let intervals = day.today.hours.get(queue)?.iter();
        Some(intervals.map(|Interval { from, to }| [from.0, to.0]).collect())
    };
    let today = hours(now)?;
    Some(HoursView { today, tomorrow: hours(&settings.calendar.next_day(now))? })
}

/// Sentence with the opening hours of a queue, in Chinese and English; empty if it has none.
pub(crate) fn hours_sentences(
    settings: &SiteSettings,
    queue: &QueueId,
    now_ms: i64,
) -> (String, String) {
    let today = settings.calendar.at(now_ms);
    if !today.today.hours.contains_key(queue) {
        return Default::default();
    }
    let tomorrow = settings.calendar.next_day(&today);
    let [(today_zh, today_en), (tomorrow_zh, tomorrow_en)] =
        [&today, &tomorrow].map(|day| day_hours(settings, day, queue));
    (
        format!("开放时间：今天 {today_zh}，明天 {tomorrow_zh}。"),
        format!("Hours: today {today_en}, tomorrow {tomorrow_en}."),
    )
}

/// Problem of a command that was not carried out, with the opening hours of a queue that gives no
/// numbers now.
pub(crate) fn command_problem(settings: &SiteSettings, now_ms: i64, error: SubmitError) -> Problem {
    let hours = match &error {
        SubmitError::Refused(
            Refusal::QueueClosed(queue)
            | Refusal::QueuePaused(queue)
            | Refusal::QueueClosing(queue)
            | Refusal::OutOfHours(queue),
        ) => hours_sentences(settings, queue, now_ms),
        _ => Default::default(),
    };
    refusals::with_hours(error.into(), hours)
}

/// Hours of a queue on a business day, in Chinese and English: 09:00–12:00 13:30–17:30.
pub(crate) fn day_hours(
    settings: &SiteSettings,
    day: &DecisionInput,
    queue: &QueueId,
) -> (String, String) {
    match day.today.hours.get(queue).map(Vec::as_slice) {
        None => ("全天".to_owned(), "all day".to_owned()),
        Some([]) => ("休息".to_owned(), "closed".to_owned()),
        Some([interval]) if *interval == day.today.interval => {
            ("全天".to_owned(), "all day".to_owned())
        }
        Some(intervals) => {
            let intervals = intervals.iter().map(|Interval { from, to }| {
                let end = match clock_time(settings, *to) {
                    midnight if midnight == "00:00" => "24:00".to_owned(),
                    time => time,
                };
                format!("{}–{end}", clock_time(settings, *from))
            });
            let text = intervals.collect::<Vec<_>>().join(" ");
            (text.clone(), text)
        }
    }
}

/// Hour and minute in the site's time zone.
pub(crate) fn clock_time(settings: &SiteSettings, at: Timestamp) -> String {
    let instant = Instant::from_millisecond(at.0).unwrap_or(Instant::UNIX_EPOCH);
    instant.to_zoned(settings.calendar.zone().clone()).strftime("%H:%M").to_string()
}
