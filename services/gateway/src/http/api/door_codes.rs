//! Permanent codes of queues as images, for owners who design a sign of their own.
//!
//! Public, because the code hangs at the entrance. It is created once, for a configured queue only.

use crate::http::middleware::EMBEDDABLE;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::scan::codes::permanent::{PermanentCodeError, PermanentCodeKey};
use crate::scan::qr::{self, QrFormat};
use crate::scan::scene::Scene;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use paihao_contracts::settings_log::PermanentCode;
use paihao_domain::QueueId;
use paihao_wechat::AccountClientError;

pub(super) fn routes() -> Routes {
    let path = |file| format!("/api/v1/sites/{{site}}/queues/{{queue}}/{file}");
    let image_operation = |id, summary, content_type| {
        endpoint(id, summary).responds_with(content_type).refuses(&QUEUE_REFUSALS).refuses(&[
            &refusals::WECHAT_UNAVAILABLE,
            &refusals::CODES_NOT_PERMITTED,
            &refusals::CODES_USED_UP,
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

/// WeChat's code for an API that the account may not call.
pub(super) const FORBIDDEN_API: i64 = 48001;

/// WeChat's code for an account that has all of its permanent codes.
const TOO_MANY_CODES: i64 = 45029;

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
        // A code that WeChat did not make has no picture there.
        QrFormat::Jpg if !code.qr_ticket.is_empty() => {
            let picture = state
                .code_source
                .picture(&code.qr_ticket)
                .await
                .map_err(PermanentCodeError::from)?;
            (picture.content_type, picture.bytes)
        }
        QrFormat::Png | QrFormat::Jpg => {
            ("image/png".to_owned(), qr::png(&code.qr_url).map_err(undrawable)?.into())
        }
    };
    let headers =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=3600".into())];
    Ok((headers, [EMBEDDABLE], bytes).into_response())
}

/// Permanent code of a queue, created if there is none.
pub(crate) async fn permanent_code(
    state: &AppState,
    site: &str,
    queue: &str,
) -> Result<PermanentCode, Problem> {
    let key = resolve_queue(state, site, queue)?;
    match page_code(state, &key) {
        Some(code) => Ok(code),
        None => Ok(state.permanent_codes.get_or_create(&key).await?),
    }
}

/// Code of a queue that leads to a page, if its account has such codes. It is stored nowhere: the
/// settings can change to WeChat's codes at any time.
pub(crate) fn page_code(state: &AppState, key: &PermanentCodeKey) -> Option<PermanentCode> {
    let PermanentCodeKey { account, appid, site, queue } = key.clone();
    let scene = Scene::for_queue(&site, &queue);
    let qr_url = state.page_codes.url(&account, &scene)?;
    Some(PermanentCode { account, appid, site, queue, scene, qr_ticket: String::new(), qr_url })
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
    let appid = account_settings.protection().app.0.clone();
    Ok(PermanentCodeKey { account, appid, site: site.to_owned(), queue: queue.to_owned() })
}

impl From<PermanentCodeError> for Problem {
    fn from(error: PermanentCodeError) -> Self {
        tracing::warn!(%error, "cannot create the permanent code");
        Problem::new(match error {
            PermanentCodeError::Ledger(_) => &refusals::LEDGER_UNAVAILABLE,
            PermanentCodeError::Cache(_) => &refusals::CACHE_UNAVAILABLE,
            PermanentCodeError::WeChat(error) => code_refusal(&error),
            PermanentCodeError::Pending => &refusals::DOOR_CODE_PENDING,
            PermanentCodeError::Unreadable => &refusals::NEWER_LEDGER,
        })
    }
}

/// Refusal for a code that WeChat did not make.
pub(crate) fn code_refusal(error: &AccountClientError) -> &'static ProblemKind {
    match error.code() {
        Some(FORBIDDEN_API) => &refusals::CODES_NOT_PERMITTED,
        Some(TOO_MANY_CODES) => &refusals::CODES_USED_UP,
        _ => &refusals::WECHAT_UNAVAILABLE,
    }
}
