//! Sites: their public boards, once and as a stream.

use super::door_codes::has_door_code;
use crate::engine::Engine;
use crate::http::access::Manager;
use crate::http::board::{BoardView, RenderedBoard, current_board};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::staff_action::{StaffAction, StaffActionResponse, WholeSite};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use paihao_contracts::commit::DAY_RESET_GENERATION;
use paihao_domain::{Act, QueueId};
use paihao_http_api::sse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/sites", list, endpoint("sites", "Lists the sites"))
        .get(
            "/api/v1/sites/{site}",
            show,
            endpoint(
                "site",
                "Shows a site's current calls and waiting numbers, without identities",
            )
            .refuses(&[&refusals::UNKNOWN_SITE]),
        )
        .get(
            "/api/v1/sites/{site}/events",
            events,
            endpoint("site_events", "Streams the same whenever it changes")
                .sends_event::<BoardView>("site")
                .refuses(&[&refusals::UNKNOWN_SITE]),
        )
        .post(
            "/api/v1/sites/{site}/reset-day",
            reset_day,
            endpoint(
                "reset_day",
                "Leads a site back whose business day lies in the future, because of a wrong clock",
            )
            .refuses(&[&refusals::NOT_DUE, &refusals::FORMS_HELD_BACK]),
        )
}

/// Word of the caller for the clock.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResetDayRequest {
    /// True if the clock is right although nothing confirms it; then a day that is over ends, too.
    #[serde(default)]
    force: bool,
}

/// Answers `not_due` if the site stands in the present day.
async fn reset_day(
    action: StaffAction<Manager, WholeSite, ResetDayRequest>,
) -> StaffActionResponse {
    if action.stands_in_future().await? && !action.may_write(DAY_RESET_GENERATION) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    action.submit(Act::ResetDay { force: action.body.force }).await
}

/// Routes of the admin port: `GET /sites/{site}/digest`, a hash of the state at a position, by
/// which replicas can be compared.
pub fn digest_routes(engine: Engine) -> Router {
    let digest = async move |Path(site): Path<String>, State(engine): State<Engine>| {
        let snapshot = engine.snapshot(&site).ok_or(Problem::new(&refusals::UNKNOWN_SITE))?;
        let digest = snapshot.digest();
        Ok::<_, Problem>(Json(SiteDigest { site, position: snapshot.position.0, digest }))
    };
    Router::new().route("/sites/{site}/digest", get(digest)).with_state(engine)
}

#[derive(Serialize)]
struct SiteDigest {
    site: String,
    position: u64,
    digest: String,
}

#[derive(Serialize, JsonSchema)]
struct SiteSummary {
    site: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<String>,
}

async fn list(State(state): State<AppState>) -> Result<Json<Vec<SiteSummary>>, Problem> {
    let sites = state.engine.all_settings().map(|settings| SiteSummary {
        site: settings.facts.id.to_string(),
        name: settings.facts.name.to_string(),
        name_en: settings.english_names.of_site().map(str::to_owned),
    });
    Ok(Json(sites.collect()))
}

async fn show(
    State(state): State<AppState>,
    Path(site): Path<String>,
) -> Result<Json<RenderedBoard>, Problem> {
    let settings = state.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let snapshot = state.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let has_code = |queue: &QueueId| has_door_code(&state, &settings, queue);
    let now_ms = state.clock.now_ms();
    Ok(Json(current_board(&state.engine, &settings, snapshot, now_ms, has_code)))
}

async fn events(
    State(state): State<AppState>,
    Path(site): Path<String>,
    place: StreamPlace,
) -> Result<Response, Problem> {
    let snapshots = state.engine.watch(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let stop = state.stop.clone();
    let render = move |snapshot| {
        let settings = state.engine.settings(&site)?;
        let has_code = |queue: &QueueId| has_door_code(&state, &settings, queue);
        let now_ms = state.clock.now_ms();
        let engine = &state.engine;
        Some(state.board_cache.board_json(engine, &settings, snapshot, now_ms, has_code))
    };
    let events = place.hold(sse::render_on_change("site", snapshots, None, render));
    Ok(sse::event_stream(events, &stop).into_response())
}
