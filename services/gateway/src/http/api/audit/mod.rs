//! Audit log: who changed what about people, keys, sessions and settings, when and from where.
//!
//! It is a reading of the logs that decide about these, so nothing is done that is not in it.

mod entries;

use crate::http::access::{Authorized, Manager};
use crate::http::client_ip::ClientIp;
use crate::http::csv;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use entries::{AuditEntry, AuditKind};
use jiff::Timestamp;
use paihao_http_api::{ApiQuery, pagination};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Columns of the export.
const COLUMNS: [&str; 9] =
    ["time", "kind", "event", "by", "by_name", "from", "target", "target_name", "detail"];

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/audit",
        list,
        endpoint(
            "audit",
            "Lists who changed what about people, keys, sessions, settings and secrets",
        )
        .responds_json::<AuditPage>(StatusCode::OK)
        .responds_with("text/csv")
        .refuses(&[&refusals::TOO_MANY_REQUESTS]),
    )
}

/// Filter of the entries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// `people`, `keys`, `sessions`, `settings` or `secrets`.
    #[schemars(with = "Option<String>")]
    kind: Option<AuditKind>,
    /// Id of the member, or name of the key, that acted.
    by: Option<String>,
    /// Id of whoever or whatever it was done to.
    target: Option<String>,
    /// From this time on, in Unix milliseconds.
    since: Option<i64>,
    /// Before this time, in Unix milliseconds.
    until: Option<i64>,
    /// Those behind this entry, to page on.
    after: Option<String>,
    /// Size of the page, 1 to 500; 100 by default. An export has everything.
    limit: Option<usize>,
    /// `json`, the default, or `csv`.
    format: Option<String>,
}

/// Entries of the audit log.
#[derive(Serialize, JsonSchema)]
struct AuditPage {
    /// Newest first.
    entries: Vec<AuditEntry>,
    /// Value of `after` for the next page; `null` if there is nothing older.
    next: Option<String>,
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let is_csv = match query.format.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(refusals::malformed("format: use json or csv")),
    };
    let limit = pagination::limit::<AppState>(query.limit)?;
    let entries = entries::read(&state, &principal).await?;
    let equals =
        |filter: &Option<String>, value: &str| filter.as_ref().is_none_or(|filter| filter == value);
    let matching = entries.into_iter().filter(|entry| {
        query.kind.is_none_or(|kind| kind == entry.kind)
            && equals(&query.by, &entry.by)
            && equals(&query.target, &entry.target)
            && query.since.is_none_or(|since| entry.at >= since)
            && query.until.is_none_or(|until| entry.at < until)
    });
    if is_csv {
        let rows = matching.map(cells);
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
        ];
        return Ok((headers, csv::table(&COLUMNS, rows)).into_response());
    }
    let mut left = matching.peekable();
    if let Some(after) = &query.after {
        while left.next_if(|entry| entry.id != *after).is_some() {}
        left.next();
    }
    let (entries, next) = pagination::page(left, limit, |entry| entry.id.clone());
    Ok(Json(AuditPage { entries, next }).into_response())
}

fn cells(entry: AuditEntry) -> [String; COLUMNS.len()] {
    let time = Timestamp::from_millisecond(entry.at).unwrap_or_default().to_string();
    let text = |text: &Option<String>| csv::text_cell(text.as_deref().unwrap_or_default());
    [
        time,
        entry.kind.name().to_owned(),
        entry.event.to_owned(),
        csv::text_cell(&entry.by),
        text(&entry.by_name),
        text(&entry.from),
        csv::text_cell(&entry.target),
        text(&entry.target_name),
        csv::text_cell(&entry.detail),
    ]
}
