//! Permanent codes of queues as images, for owners who design a sign of their own.
//!
//! Public, because the code hangs at the entrance. It is created once, for a configured queue only,
//! when somebody of the staff asks for it: an account has so many, ever.

use super::code_image::{image_response, undrawable};
use crate::http::access::Visitor;
use crate::http::middleware::EMBEDDABLE;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::scan::codes::permanent::{PermanentCodeError, PermanentCodeKey};
use crate::scan::qr::QrFormat;
use crate::scan::scene::Scene;
use crate::settings::SiteSettings;
use axum::extract::{Path, State};
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
            &refusals::NO_DOOR_CODE,
            &refusals::DOOR_CODES_LIMITED,
            &refusals::DOOR_CODE_PENDING,
            &refusals::CACHE_UNAVAILABLE,
            &refusals::LEDGER_UNAVAILABLE,
            &refusals::NEWER_LEDGER,
        ])
    };
    Routes::new()
        .get(
            &path("door.svg"),
            async |state, path, visitor| code_image(state, path, visitor, QrFormat::Svg).await,
            image_operation("door_svg", "Draws the queue's permanent code as SVG", "image/svg+xml"),
        )
        .get(
            &path("door.png"),
            async |state, path, visitor| code_image(state, path, visitor, QrFormat::Png).await,
            image_operation("door_png", "Draws the queue's permanent code as PNG", "image/png"),
        )
        .get(
            &path("door.jpg"),
            async |state, path, visitor| code_image(state, path, visitor, QrFormat::Jpg).await,
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
    visitor: Visitor,
    format: QrFormat,
) -> Result<Response, Problem> {
    let code = permanent_code(&state, &site, &queue, &visitor).await?;
    let drawings = &state.drawings;
    let drawing = match format {
        QrFormat::Svg => drawings.poster_svg(&code.qr_url).await.map_err(undrawable)?,
        // A code that WeChat did not make has no picture there.
        QrFormat::Jpg if !code.qr_ticket.is_empty() => {
            let fetch = || state.code_source.picture(&code.qr_ticket);
            drawings.wechat(&code.qr_ticket, fetch).await.map_err(PermanentCodeError::from)?
        }
        QrFormat::Png | QrFormat::Jpg => drawings.png(&code.qr_url).await.map_err(undrawable)?,
    };
    Ok(([EMBEDDABLE], image_response(drawing, "max-age=3600")).into_response())
}

/// Permanent code of a queue. If there is none, one is created for the site's staff, and for nobody
/// else.
pub(crate) async fn permanent_code(
    state: &AppState,
    site: &str,
    queue: &str,
    visitor: &Visitor,
) -> Result<PermanentCode, Problem> {
    let key = resolve_queue(state, site, queue)?;
    if let Some(code) = page_code(state, &key) {
        return Ok(code);
    }
    if visitor.is_staff_of(site) {
        let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
        let configured: Vec<_> =
            settings.queues.iter().map(|queue| queue.as_str().to_owned()).collect();
        return Ok(state.permanent_codes.get_or_create(&key, &configured).await?);
    }
    Ok(state.permanent_codes.find(&key).await?.ok_or(&refusals::NO_DOOR_CODE)?)
}

/// Code of a queue that leads to a page, if its account has such codes. It is stored nowhere: the
/// settings can change to WeChat's codes at any time.
pub(crate) fn page_code(state: &AppState, key: &PermanentCodeKey) -> Option<PermanentCode> {
    let PermanentCodeKey { account, appid, site, queue } = key.clone();
    let scene = Scene::for_queue(&site, &queue);
    let qr_url = state.page_codes.url(&account, &scene)?;
    Some(PermanentCode { account, appid, site, queue, scene, qr_ticket: String::new(), qr_url })
}

/// Returns whether a queue has a permanent code that this replica knows of.
pub(crate) fn has_door_code(state: &AppState, settings: &SiteSettings, queue: &QueueId) -> bool {
    let facts = &settings.facts;
    let key = resolve_account(state, &facts.account, &facts.id, queue.as_str());
    let has_code =
        |key| page_code(state, key).is_some() || state.permanent_codes.cached(key).is_some();
    key.as_ref().is_some_and(has_code)
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
    let key = resolve_account(state, &settings.facts.account, site, queue);
    Ok(key.ok_or(&refusals::UNKNOWN_ACCOUNT)?)
}

/// Key of a permanent code of an account, whether there is such a queue or not.
pub(crate) fn resolve_account(
    state: &AppState,
    account: &str,
    site: &str,
    queue: &str,
) -> Option<PermanentCodeKey> {
    let appid = state.deployment.account(account)?.protection().app.0.clone();
    let [account, site, queue] = [account, site, queue].map(str::to_owned);
    Some(PermanentCodeKey { account, appid, site, queue })
}

impl From<PermanentCodeError> for Problem {
    fn from(error: PermanentCodeError) -> Self {
        tracing::warn!(%error, "cannot create the permanent code");
        Problem::new(match error {
            PermanentCodeError::Ledger(_) => &refusals::LEDGER_UNAVAILABLE,
            PermanentCodeError::Cache(_) => &refusals::CACHE_UNAVAILABLE,
            PermanentCodeError::WeChat(error) => code_refusal(&error),
            PermanentCodeError::LimitReached => &refusals::DOOR_CODES_LIMITED,
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
