//! The browsers that a member of staff is logged in with, to their manager.

use super::me::{Listed, listed};
use super::people::theirs;
use crate::http::asker::Asker;
use crate::http::openapi::{MANAGERS, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::identity::sessions::Which;
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
            list,
            op("member_sessions", "Where a member of staff is logged in", MANAGERS)
                .refuses(unknown),
        )
        .delete(
            "/api/v1/staff/{member}/sessions/{session}",
            end,
            op("end_member_session", "A session of a member of staff ends", MANAGERS)
                .repeatable("what has ended stays so")
                .answers_nothing()
                .refuses(unknown),
        )
}

/// A member whom the asker has to do with, as whose sessions are.
async fn holder(door: &Door, asker: &Asker, id: String) -> Result<SessionHolder, Problem> {
    asker.must_manage()?;
    theirs(&*door.staff.known().await?, asker, &id)?;
    Ok(SessionHolder::Member { id })
}

async fn list(
    State(door): State<Door>,
    Path(member): Path<String>,
    asker: Asker,
) -> Result<Json<Vec<Listed>>, Problem> {
    let holder = holder(&door, &asker, member).await?;
    Ok(Json(listed(&door, &asker, &holder)))
}

async fn end(
    State(door): State<Door>,
    Path((member, session)): Path<(String, String)>,
    asker: Asker,
) -> Result<Response, Problem> {
    let holder = holder(&door, &asker, member.clone()).await?;
    door.logins.end(&holder, Which::One(&session)).await?;
    tracing::info!(staff = &*asker.name, member, "a session was ended");
    Ok(StatusCode::NO_CONTENT.into_response())
}
