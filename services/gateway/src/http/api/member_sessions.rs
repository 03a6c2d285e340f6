//! Browser sessions of a member of staff, for their manager.

use super::me::{BrowserSessionView, session_views};
use super::members::managed_member;
use crate::http::auth::Principal;
use crate::http::openapi::{MANAGERS, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::browser_sessions::SessionSelection;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paihao_contracts::staff::SessionHolder;

pub(super) fn routes() -> Routes {
    let unknown = &[&refusals::UNKNOWN_MEMBER, &refusals::NOT_YOUR_SITE];
    Routes::new()
        .get(
            "/api/v1/staff/{member}/sessions",
            list_sessions,
            endpoint("member_sessions", "Where a member of staff is logged in", MANAGERS)
                .refuses(unknown),
        )
        .delete(
            "/api/v1/staff/{member}/sessions/{session}",
            end_session,
            endpoint("end_member_session", "A session of a member of staff ends", MANAGERS)
                .without_idempotency_key("what has ended stays so")
                .responds_no_content()
                .refuses(unknown),
        )
}

/// Session holder of a member whom the principal manages.
async fn managed_session_holder(
    door: &AppState,
    asker: &Principal,
    id: String,
) -> Result<SessionHolder, Problem> {
    asker.require_manager()?;
    managed_member(&*door.roster.loaded().await?, asker, &id)?;
    Ok(SessionHolder::Member { id })
}

async fn list_sessions(
    State(door): State<AppState>,
    Path(member): Path<String>,
    asker: Principal,
) -> Result<Json<Vec<BrowserSessionView>>, Problem> {
    let holder = managed_session_holder(&door, &asker, member).await?;
    Ok(Json(session_views(&door, &asker, &holder)))
}

async fn end_session(
    State(door): State<AppState>,
    Path((member, session)): Path<(String, String)>,
    asker: Principal,
) -> Result<Response, Problem> {
    let holder = managed_session_holder(&door, &asker, member.clone()).await?;
    door.browser_sessions.end(&holder, SessionSelection::Only(&session)).await?;
    tracing::info!(staff = &*asker.name, member, "browser session ended");
    Ok(StatusCode::NO_CONTENT.into_response())
}
