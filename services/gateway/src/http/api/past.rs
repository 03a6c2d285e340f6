//! What a line looked like: the live view of a site, at an instant of the last 72 hours.

use super::sites::{self, AsSeen};
use crate::book::calendar::Calendar;
use crate::http::asker::Asker;
use crate::http::openapi::{ANY_KEY, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::lines::past::Untold;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use jiff::civil::DateTime;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/at",
        show,
        op("site_at", "What the site looked like at an instant of the last 72 hours", ANY_KEY)
            .queried::<When>()
            .refuses(&[
                &refusals::PAST_GONE,
                &refusals::LEDGER_UNAVAILABLE,
                &refusals::NEWER_LEDGER,
            ]),
    )
}

/// Which instant.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AtQuery")]
#[serde(deny_unknown_fields)]
struct When {
    /// `2026-11-23T10:42:00+08:00`, or without an offset by the site's clocks.
    time: String,
}

async fn show(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
    when: Result<Query<When>, QueryRejection>,
) -> Result<Json<AsSeen>, Problem> {
    let book = asker.at(&door, &site)?;
    let Query(when) = when.map_err(|rejected| malformed(rejected.body_text()))?;
    let at = instant(&when.time, &book.calendar).ok_or_else(|| {
        malformed(
            "time: use 2026-11-23T10:42:00+08:00, or 2026-11-23T10:42 by the site's clocks"
                .to_owned(),
        )
    })?;
    let view = door.past.at(&book, at, door.clock.now_ms()).await?;
    Ok(Json(sites::as_seen(&book, view, at)))
}

/// Unix milliseconds; without an offset the site's own time is meant.
pub(super) fn instant(text: &str, calendar: &Calendar) -> Option<i64> {
    // A plus sign in a query is a space, as nobody remembers who writes an address by hand.
    let text = text.trim().replace(' ', "+");
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let local = text.parse::<DateTime>().ok()?.to_zoned(calendar.zone().clone()).ok()?;
    Some(local.timestamp().as_millisecond())
}

fn malformed(detail: String) -> Problem {
    Problem::new(&refusals::MALFORMED_REQUEST).detail(detail)
}

impl From<Untold> for Problem {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::Gone => Problem::new(&refusals::PAST_GONE),
            Untold::Future => malformed("time: it has not come yet".to_owned()),
            Untold::Newer => Problem::new(&refusals::NEWER_LEDGER),
            Untold::Unavailable => Problem::new(&refusals::LEDGER_UNAVAILABLE),
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
        let read = |text| instant(text, &calendar);
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
