//! Rehearsal of the deployment with a simulated WeChat, for managers of every site.

use crate::http::access::Owner;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::rehearsal::{RehearsalEnding, RehearsalError};
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;
use paihao_http_api::ApiQuery;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const PATH: &str = "/api/v1/rehearsal";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            PATH,
            show,
            endpoint("rehearsal", "Tells whether a rehearsal is under way, or can begin"),
        )
        .post(
            PATH,
            begin,
            endpoint(
                "begin_rehearsal",
                "Begins a rehearsal with the settings and the staff of now; the service starts again",
            )
            .without_idempotency_key("a repeat finds the rehearsal under way")
            .refuses(&[&refusals::NO_REHEARSAL]),
        )
        .delete(
            PATH,
            end,
            endpoint(
                "end_rehearsal",
                "Ends the rehearsal and forgets it, with its settings taken over; the service starts again",
            )
            .without_idempotency_key("a repeat finds no rehearsal")
            .refuses(&[&refusals::NO_REHEARSAL]),
        )
}

/// State of rehearsals.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RehearsalState {
    /// This deployment has no rehearsals: accounts stand in its file, or it has several processes.
    Unavailable,
    /// None is under way, and one can begin.
    Ready,
    /// One is under way: WeChat and the phones are simulated.
    Running,
}

/// Rehearsal, as it is now.
#[derive(Serialize, JsonSchema)]
struct RehearsalView {
    /// State.
    state: RehearsalState,
    /// Path of the page with the simulated phones, while one is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    phones: Option<&'static str>,
}

/// Way in which a rehearsal ends.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndRehearsalQuery {
    /// False to forget also what was set up in it.
    #[serde(default = "keeps")]
    keep_settings: bool,
}

fn keeps() -> bool {
    true
}

fn view(state: &AppState) -> RehearsalView {
    let running = state.rehearsals.as_ref().map(|rehearsals| rehearsals.is_under_way());
    RehearsalView {
        state: match running {
            None => RehearsalState::Unavailable,
            Some(false) => RehearsalState::Ready,
            Some(true) => RehearsalState::Running,
        },
        phones: (running == Some(true)).then_some("/phones"),
    }
}

async fn show(State(state): State<AppState>, _: Owner) -> Result<Json<RehearsalView>, Problem> {
    Ok(Json(view(&state)))
}

async fn begin(State(state): State<AppState>, _: Owner) -> Result<Json<RehearsalView>, Problem> {
    let rehearsals = state.rehearsals.as_ref().ok_or(&refusals::NO_REHEARSAL)?;
    rehearsals.begin().await.map_err(problem)?;
    Ok(Json(view(&state)))
}

async fn end(
    State(state): State<AppState>,
    owner: Owner,
    ApiQuery(query): ApiQuery<EndRehearsalQuery>,
) -> Result<Json<RehearsalView>, Problem> {
    let rehearsals = state.rehearsals.as_ref().ok_or(&refusals::NO_REHEARSAL)?;
    let author = owner.principal.author();
    let ending = RehearsalEnding {
        keeps_settings: query.keep_settings,
        author: author.id.to_owned(),
        origin: author.address.map(str::to_owned),
        session: owner.principal.session.as_ref().map(|session| session.id.clone()),
    };
    rehearsals.end(ending).await.map_err(problem)?;
    Ok(Json(view(&state)))
}

fn problem(error: RehearsalError) -> Problem {
    match error {
        RehearsalError::NotPossible => Problem::new(&refusals::NO_REHEARSAL),
        RehearsalError::Store(error) => {
            tracing::error!(error, "cannot begin or end the rehearsal");
            Problem::new(&refusals::LEDGER_UNAVAILABLE)
        }
    }
}
