//! Public view of a site at an instant of the last 72 hours.

use crate::engine::as_of::ReplayError;
use crate::http::access::{ManagerScope, SiteAccess};
use crate::http::board::{self, RenderedBoard};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::calendar::Calendar;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::civil::DateTime;
use paihao_http_api::ApiQuery;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/at",
        show,
        endpoint("site_at", "Shows the board at an instant of the last 72 hours").refuses(&[
            &refusals::PAST_GONE,
            &refusals::TOO_MANY_REQUESTS,
            &refusals::LEDGER_UNAVAILABLE,
            &refusals::NEWER_LEDGER,
        ]),
    )
}

/// Instant of the view.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SiteAtQuery {
    /// `2026-11-23T10:42:00+08:00`, or without an offset by the site's clocks.
    time: String,
}

async fn show(
    State(state): State<AppState>,
    SiteAccess { principal, site, settings, .. }: SiteAccess<ManagerScope>,
    ApiQuery(query): ApiQuery<SiteAtQuery>,
) -> Result<Json<RenderedBoard>, Problem> {
    let at = parse_instant(&query.time, &settings.calendar).ok_or_else(|| {
        refusals::malformed(
            "time: use 2026-11-23T10:42:00+08:00, or 2026-11-23T10:42 by the site's clocks",
        )
    })?;
    let _permit = state.fair_use.past_views.admit(&principal.name, &site)?;
    let snapshot = state.point_in_time.snapshot_at(&settings, at, state.clock.now_ms()).await?;
    Ok(Json(board::past_board(&settings, snapshot, at)))
}

/// Parses an instant into Unix milliseconds; without an offset it is in the site's time zone.
pub(super) fn parse_instant(text: &str, calendar: &Calendar) -> Option<i64> {
    // A plus sign in a query means a space, which people who type an address do not escape.
    let text = text.trim().replace(' ', "+");
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let local = text.parse::<DateTime>().ok()?.to_zoned(calendar.zone().clone()).ok()?;
    Some(local.timestamp().as_millisecond())
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Gone => Problem::new(&refusals::PAST_GONE),
            ReplayError::Future => refusals::malformed("time: it has not come yet"),
            ReplayError::NewerVersion => Problem::new(&refusals::NEWER_LEDGER),
            ReplayError::Unavailable => Problem::new(&refusals::LEDGER_UNAVAILABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn an_instant_has_an_offset_or_is_the_sites_own() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let calendar = Calendar::new(zone, 4);
        let read = |text| parse_instant(text, &calendar);
        let at = Some(1_795_401_720_000);
        for text in [
            "2026-11-23T10:42:00+08:00",
            "2026-11-23T10:42:00 08:00",
            "2026-11-23T02:42:00Z",
            "2026-11-23T10:42",
            "2026-11-23T10:42:00",
        ] {
            assert_eq!(read(text), at, "{text}");
        }
        for bad in ["", "10:42", "now", "2026-13-01T00:00", "1795401720000"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
