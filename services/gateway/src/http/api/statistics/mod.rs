//! Statistics of a site: counts, durations, accuracy, fairness, as docs/reference/statistics.md
//! defines them.

mod csv;
mod view;

use crate::http::access::{ManagerOrProgram, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::projections::visits::day_fold::EndedVisits;
use crate::projections::visits::statistics::Grouping;
use crate::settings::calendar::days_since_1970;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use paihao_chassis::blocking;
use paihao_domain::{QueueId, Ticket};
use paihao_http_api::ApiQuery;
use schemars::JsonSchema;
use serde::Deserialize;
use view::StatisticsView;

/// Largest number of days in one request.
const MAX_DAYS: i32 = 400;

/// Largest number of days in one request by the hour.
const MAX_DAYS_BY_HOUR: i32 = 62;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/api/v1/sites/{site}/numbers",
            show,
            endpoint("numbers", "Shows counts, durations, accuracy and fairness by day or hour")
                .refuses(STATISTICS_REFUSALS),
        )
        .get(
            "/api/v1/sites/{site}/numbers.csv",
            show_csv,
            endpoint("numbers_csv", "Exports the statistics as CSV with a header row")
                .responds_with("text/csv")
                .refuses(STATISTICS_REFUSALS),
        )
}

const STATISTICS_REFUSALS: &[&refusals::ProblemKind] =
    &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];

/// Query of statistics.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatisticsQuery {
    /// First business day, `2026-11-01`; today, if left out.
    from: Option<String>,
    /// Last business day; the first, if left out.
    to: Option<String>,
    /// Length of a slot: `day`, the default, or `hour`.
    by: Option<String>,
    /// Id of the only queue; every queue, if left out.
    queue: Option<String>,
}

/// Validated query of statistics.
struct StatisticsSelection {
    from: i32,
    to: i32,
    by_hour: bool,
    queue: Option<QueueId>,
}

async fn show(
    State(state): State<AppState>,
    access: SiteAccess<ManagerOrProgram>,
    ApiQuery(query): ApiQuery<StatisticsQuery>,
) -> Result<Json<StatisticsView>, Problem> {
    Ok(Json(load_statistics(&state, &access, &query).await?))
}

async fn show_csv(
    State(state): State<AppState>,
    access: SiteAccess<ManagerOrProgram>,
    ApiQuery(query): ApiQuery<StatisticsQuery>,
) -> Result<Response, Problem> {
    let statistics = load_statistics(&state, &access, &query).await?;
    let StatisticsView { from, to, .. } = &statistics;
    let disposition = format!("attachment; filename=\"{}-{from}-{to}.csv\"", access.site);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, csv::table(&statistics.rows)).into_response())
}

async fn load_statistics(
    state: &AppState,
    SiteAccess { site, settings, .. }: &SiteAccess<ManagerOrProgram>,
    query: &StatisticsQuery,
) -> Result<StatisticsView, Problem> {
    let now = settings.calendar.at(state.clock.now_ms());
    let StatisticsSelection { from, to, by_hour, queue } = parse_query(query, now.day().0)?;
    // A visit that ends between the two reads is in both, and counted once.
    let snapshot = state.engine.snapshot(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let today = snapshot.site.day().map(|day| day.0).filter(|day| (from..=to).contains(day));
    let grouping = Grouping { by_hour, zone: settings.calendar.zone().clone(), queue };
    let EndedVisits { mut statistics, ended_today } =
        state.visits.statistics(&settings.subject, from..=to, today, grouping).await?;
    if let Some(day) = today {
        let has_ended =
            |ticket: &Ticket| ended_today.contains(&(day, ticket.id.0, ticket.taken_at.0));
        let live = snapshot.site.tickets().filter(|ticket| ticket.is_live());
        for ticket in live.filter(|ticket| !has_ended(ticket)) {
            statistics.add_ongoing(ticket, day);
        }
    }
    if state.delivery_status.newer().is_some() {
        return Err(Problem::new(&refusals::NEWER_LEDGER));
    }
    let messages = state.delivery_status.count_by_stage(site, from, to);
    let settings = settings.clone();
    let documents = state.live_settings.now();
    let view = blocking::run(move || {
        let range = (from, to, by_hour);
        StatisticsView::from_statistics(&settings, &documents, range, &statistics, messages)
    });
    Ok(view.await)
}

fn parse_query(query: &StatisticsQuery, today: i32) -> Result<StatisticsSelection, Problem> {
    let day = |name: &str, text: &str| match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => Ok(days_since_1970(date)),
        _ => Err(refusals::malformed(format!("{name}: use a date such as 2026-11-23"))),
    };
    let from = query.from.as_ref().map_or(Ok(today), |text| day("from", text))?;
    let to = query.to.as_ref().map_or(Ok(from), |text| day("to", text))?;
    let by_hour = match query.by.as_deref() {
        None | Some("day") => false,
        Some("hour") => true,
        Some(_) => return Err(refusals::malformed("by: use day or hour")),
    };
    let max = if by_hour { MAX_DAYS_BY_HOUR } else { MAX_DAYS };
    if to < from {
        return Err(refusals::malformed("to: it is before from"));
    }
    if to - from >= max {
        return Err(refusals::malformed(format!("to: at most {max} days at once")));
    }
    Ok(StatisticsSelection { from, to, by_hour, queue: query.queue.as_deref().map(QueueId::new) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(from: &str, to: &str, by: &str) -> Result<(i32, i32, bool), Problem> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = StatisticsQuery { from: some(from), to: some(to), by: some(by), queue: None };
        parse_query(&query, 20_000)
            .map(|selection| (selection.from, selection.to, selection.by_hour))
    }

    #[test]
    fn days_are_dates_and_not_too_many() {
        assert_eq!(parsed("", "", "").ok(), Some((20_000, 20_000, false)));
        assert_eq!(parsed("2026-11-23", "", "hour").ok(), Some((20_780, 20_780, true)));
        assert_eq!(parsed("2025-10-20", "2026-11-23", "").ok(), Some((20_381, 20_780, false)));
        for (from, to, by) in [
            ("2026-11-23", "2026-11-22", ""),
            ("2025-10-19", "2026-11-23", ""),
            ("2026-09-01", "2026-11-23", "hour"),
            ("23.11.2026", "", ""),
            ("2026-11-23T10:00", "", ""),
            ("2026-02-30", "", ""),
            ("", "", "week"),
        ] {
            assert!(parsed(from, to, by).is_err(), "{from} {to} {by}");
        }
    }
}
