//! Permanent codes of queues as images, for owners who design a sign of their own.
//!
//! Public, because the code hangs at the entrance. It is created once, for a configured queue only.

use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::scan::codes::permanent::{PermanentCodeError, PermanentCodeKey};
use crate::scan::qr::{self, QrFormat};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use paihao_contracts::settings_log::PermanentCode;
use paihao_domain::QueueId;

pub(super) fn routes() -> Routes {
    let path = |file| format!("/api/v1/sites/{{site}}/queues/{{queue}}/{file}");
    let image_operation = |id, summary, content_type| {
        endpoint(id, summary).responds_with(content_type).refuses(&QUEUE_REFUSALS).refuses(&[
            &refusals::WECHAT_UNAVAILABLE,
            &refusals::DOOR_CODE_PENDING,
            &refusals::CACHE_UNAVAILABLE,
            &refusals::LEDGER_UNAVAILABLE,
            &refusals::NEWER_LEDGER,
        ])
    };
    Routes::new()
        .get(
            &path("door.svg"),
            async |state, path| code_image(state, path, QrFormat::Svg).await,
            image_operation("door_svg", "Draws the queue's permanent code as SVG", "image/svg+xml"),
        )
        .get(
            &path("door.png"),
            async |state, path| code_image(state, path, QrFormat::Png).await,
            image_operation("door_png", "Draws the queue's permanent code as PNG", "image/png"),
        )
        .get(
            &path("door.jpg"),
            async |state, path| code_image(state, path, QrFormat::Jpg).await,
            image_operation(
                "door_jpg",
                "Returns WeChat's own picture of the queue's permanent code",
                "image/jpeg",
            ),
        )
}

/// Refusals for a permanent code that does not exist.
const QUEUE_REFUSALS: [&ProblemKind; 3] =
    [&refusals::UNKNOWN_SITE, &refusals::UNKNOWN_QUEUE, &refusals::UNKNOWN_ACCOUNT];

async fn code_image(
    State(state): State<AppState>,
    Path((site, queue)): Path<(String, String)>,
    format: QrFormat,
) -> Result<Response, Problem> {
    let code = permanent_code(&state, &site, &queue).await?;
    let undrawable = |error: qr::TextTooLong| {
        tracing::error!(%error, "WeChat's address for a code cannot be drawn");
        Problem::new(&refusals::WECHAT_UNAVAILABLE)
    };
    let (content_type, bytes) = match format {
        QrFormat::Svg => {
            ("image/svg+xml".to_owned(), qr::poster_svg(&code.qr_url).map_err(undrawable)?.into())
        }
        QrFormat::Png => {
            ("image/png".to_owned(), qr::png(&code.qr_url).map_err(undrawable)?.into())
        }
        QrFormat::Jpg => {
            let picture = state
                .code_source
                .picture(&code.qr_ticket)
                .await
                .map_err(PermanentCodeError::from)?;
            (picture.content_type, picture.bytes)
        }
    };
    let headers =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=3600".into())];
    Ok((headers, bytes).into_response())
}

/// Permanent code of a queue, created if there is none.
pub(crate) async fn permanent_code(
    state: &AppState,
    site: &str,
    queue: &str,
) -> Result<PermanentCode, Problem> {
    let key = resolve_queue(state, site, queue)?;
    Ok(state.permanent_codes.get_or_create(&key).await?)
}

/// Key of a queue's permanent code, if the queue is configured.
pub(crate) fn resolve_queue(
    state: &AppState,
    site: &str,
    queue: &str,
) -> Result<PermanentCodeKey, Problem> {
    let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    if !settings.rules.queues.contains_key(&QueueId::new(queue)) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let account = settings.facts.account.to_string();
    let account_settings =
        state.deployment.accounts.get(&account).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let appid = account_settings.protection.app.0.clone();
    Ok(PermanentCodeKey { account, appid, site: site.to_owned(), queue: queue.to_owned() })
}

impl From<PermanentCodeError> for Problem {
    fn from(error: PermanentCodeError) -> Self {
        tracing::warn!(%error, "cannot create the permanent code");
        Problem::new(match error {
            PermanentCodeError::Ledger(_) => &refusals::LEDGER_UNAVAILABLE,
            PermanentCodeError::Cache(_) => &refusals::CACHE_UNAVAILABLE,
            PermanentCodeError::WeChat(_) => &refusals::WECHAT_UNAVAILABLE,
            PermanentCodeError::Pending => &refusals::DOOR_CODE_PENDING,
            PermanentCodeError::Unreadable => &refusals::NEWER_LEDGER,
        })
    }
}
