//! Browser sessions of a member of staff, for their manager.

use super::me::{BrowserSessionView, session_views};
use super::members::managed_member;
use crate::http::access::{Authorized, Manager};
use crate::http::auth::Principal;
use crate::http::openapi::{Routes, endpoint};
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
            endpoint("member_sessions", "Lists the browser sessions of a member of staff")
                .refuses(unknown),
        )
        .delete(
            "/api/v1/staff/{member}/sessions/{session}",
            end_session,
            endpoint("end_member_session", "Ends a browser session of a member of staff")
                .without_idempotency_key("what has ended stays so")
                .responds_no_content()
                .refuses(unknown),
        )
}

/// Session holder of a member whom the principal manages.
async fn managed_session_holder(
    state: &AppState,
    principal: &Principal,
    id: String,
) -> Result<SessionHolder, Problem> {
    managed_member(&*state.roster.loaded().await?, principal, &id)?;
    Ok(SessionHolder::Member { id })
}

async fn list_sessions(
    State(state): State<AppState>,
    Path(member): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Json<Vec<BrowserSessionView>>, Problem> {
    let holder = managed_session_holder(&state, &principal, member).await?;
    Ok(Json(session_views(&state, &principal, &holder).await?))
}

async fn end_session(
    State(state): State<AppState>,
    Path((member, session)): Path<(String, String)>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Response, Problem> {
    let holder = managed_session_holder(&state, &principal, member.clone()).await?;
    let selection = SessionSelection::Only(&session);
    state.browser_sessions.end(principal.author(), &holder, selection).await?;
    state.backchannel_logout.tell(&*state.roster.loaded().await?, &member);
    tracing::info!(staff = &*principal.name, member, "browser session ended");
    Ok(StatusCode::NO_CONTENT.into_response())
}
