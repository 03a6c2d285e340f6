//! QR code usage of a site, for its staff.

use super::door_codes::{page_code, resolve_queue};
use crate::http::access::{AnyRole, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::scan::codes::usage::QrUsage;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/codes",
        show,
        endpoint("codes", "Shows what the QR codes of the site's account have cost")
            .refuses(&[&refusals::UNKNOWN_ACCOUNT]),
    )
}

/// Usage of an account's codes, and the permanent codes of the site.
#[derive(Serialize, JsonSchema)]
struct QrUsageView {
    account: String,
    #[serde(flatten)]
    cost: QrUsage,
    doors: Vec<PermanentCodeView>,
}

/// Permanent code of a queue.
#[derive(Serialize, JsonSchema)]
struct PermanentCodeView {
    queue: String,
    /// Content of the code; `null` until it was requested once.
    url: Option<String>,
    poster: String,
}

async fn show(
    State(state): State<AppState>,
    SiteAccess { site, settings, .. }: SiteAccess<AnyRole>,
) -> Result<Json<QrUsageView>, Problem> {
    let account = settings.facts.account.to_string();
    let account_settings = state.deployment.account(&account).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let cost = state.qr_usage.for_account(&account, &account_settings.protection().app.0).await;
    let queues = settings.queues.iter().map(|queue| queue.as_str());
    let doors = queues.map(|queue| {
        let key = resolve_queue(&state, &site, queue)?;
        let cached = || state.permanent_codes.cached(&key);
        let url = page_code(&state, &key).or_else(cached).map(|code| code.qr_url);
        Ok(PermanentCodeView {
            queue: queue.to_owned(),
            url,
            poster: format!("/poster/{site}/{queue}"),
        })
    });
    let doors = doors.collect::<Result<_, Problem>>()?;
    Ok(Json(QrUsageView { account, cost, doors }))
}
