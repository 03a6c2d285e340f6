//! The permanent codes at the doors of queues, as pictures for whoever designs a sign of their own.
//!
//! Anybody may ask: the code hangs at a door. One is made for a configured queue only, and once.

use crate::http::openapi::{OPEN, Routes, op};
use crate::http::refusals::{self, Kind, Problem};
use crate::http::state::Door;
use crate::scan::codes::doors::{DoorError, QueueDoor};
use crate::scan::qr::{self, Picture};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use paihao_contracts::book::DoorCode;
use paihao_domain::QueueId;

pub(super) fn routes() -> Routes {
    let at = |what| format!("/api/v1/sites/{{site}}/queues/{{queue}}/{what}");
    let door = |id, summary, content_type| {
        op(id, summary, OPEN).answers_with(content_type).refuses(&DOOR).refuses(&[
            &refusals::WECHAT_UNAVAILABLE,
            &refusals::DOOR_CODE_PENDING,
            &refusals::CACHE_UNAVAILABLE,
            &refusals::LEDGER_UNAVAILABLE,
            &refusals::NEWER_LEDGER,
        ])
    };
    Routes::new()
        .get(
            &at("door.svg"),
            async |door, path| picture(door, path, Picture::Svg).await,
            door("door_svg", "The code at the queue's door, as a drawing", "image/svg+xml"),
        )
        .get(
            &at("door.png"),
            async |door, path| picture(door, path, Picture::Png).await,
            door("door_png", "The code at the queue's door, as a picture", "image/png"),
        )
        .get(
            &at("door.jpg"),
            async |door, path| picture(door, path, Picture::Jpg).await,
            door("door_jpg", "WeChat's own picture of the code at the door", "image/jpeg"),
        )
}

/// What a door can be refused for that is not there.
const DOOR: [&Kind; 3] =
    [&refusals::UNKNOWN_SITE, &refusals::UNKNOWN_QUEUE, &refusals::UNKNOWN_ACCOUNT];

async fn picture(
    State(door): State<Door>,
    Path((site, queue)): Path<(String, String)>,
    kind: Picture,
) -> Result<Response, Problem> {
    let code = code(&door, &site, &queue).await?;
    let undrawable = |error: qr::TooLong| {
        tracing::error!(%error, "WeChat's address for a code cannot be drawn");
        Problem::new(&refusals::WECHAT_UNAVAILABLE)
    };
    let (content_type, bytes) = match kind {
        Picture::Svg => {
            ("image/svg+xml".to_owned(), qr::poster(&code.qr_url).map_err(undrawable)?.into())
        }
        Picture::Png => ("image/png".to_owned(), qr::png(&code.qr_url).map_err(undrawable)?.into()),
        Picture::Jpg => {
            let picture = door.codes.picture(&code.qr_ticket).await.map_err(DoorError::from)?;
            (picture.content_type, picture.bytes)
        }
    };
    let headers =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=3600".into())];
    Ok((headers, bytes).into_response())
}

/// The code of a queue's door, made if need be.
pub(crate) async fn code(state: &Door, site: &str, queue: &str) -> Result<DoorCode, Problem> {
    let door = door_of(state, site, queue)?;
    Ok(state.doors.code(&door).await?)
}

/// The door of a queue, if the queue is configured.
pub(crate) fn door_of(state: &Door, site: &str, queue: &str) -> Result<QueueDoor, Problem> {
    let book = state.lines.book(site).ok_or(&refusals::UNKNOWN_SITE)?;
    if !book.rules.queues.contains_key(&QueueId::new(queue)) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let account = book.facts.account.to_string();
    let known = state.book.accounts.get(&account).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let appid = known.protection.app.0.clone();
    Ok(QueueDoor { account, appid, site: site.to_owned(), queue: queue.to_owned() })
}

impl From<DoorError> for Problem {
    fn from(error: DoorError) -> Self {
        tracing::warn!(%error, "no door code");
        Problem::new(match error {
            DoorError::Ledger(_) => &refusals::LEDGER_UNAVAILABLE,
            DoorError::Cache(_) => &refusals::CACHE_UNAVAILABLE,
            DoorError::WeChat(_) => &refusals::WECHAT_UNAVAILABLE,
            DoorError::Pending => &refusals::DOOR_CODE_PENDING,
            DoorError::Unreadable => &refusals::NEWER_LEDGER,
        })
    }
}
