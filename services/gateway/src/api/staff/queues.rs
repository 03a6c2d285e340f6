//! What is done about a whole queue.

use super::Asked;
use super::answer::Done;
use crate::Door;
use crate::refusals::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use axum::{Json, Router};
use paihao_domain::{Act, QueueId, QueueState};
use serde::Deserialize;

pub(super) fn routes() -> Router<Door> {
    let at = |action| format!("/api/v1/sites/{{site}}/queues/{{queue}}/{action}");
    let set = |state| {
        post(move |door, path, uri, headers, body| about(state, door, path, uri, headers, body))
    };
    Router::new()
        .route(&at("open"), set(Some(QueueState::Open)))
        .route(&at("pause"), set(Some(QueueState::Paused)))
        .route(&at("halt"), set(Some(QueueState::Halted)))
        .route(&at("close"), set(Some(QueueState::Closed)))
        .route(&at("clear"), set(None))
}

/// The body, which may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Sets the queue to a state; clears it for `None`.
async fn about(
    state: Option<QueueState>,
    State(door): State<Door>,
    Path((site, queue)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let asked = Asked::hear(&door, &site, &headers, &uri, body).await?;
    let Nothing {} = asked.wanted()?;
    let queue = QueueId::new(&queue);
    let act = match state {
        Some(state) => Act::SetQueue { queue, state },
        None => Act::ClearQueue(queue),
    };
    asked.submit(act).await
}
