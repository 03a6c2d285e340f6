//! The first manager, in the browser that opened the link and without a scan: the way in while no
//! Official Account works yet.

use super::me::{PrincipalView, begin_session, principal_view};
use crate::http::auth::{Principal, PrincipalSession, require_same_origin};
use crate::http::client_ip::{ClientIp, browser_label};
use crate::http::login_approval;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::login::{self, first_manager};
use crate::identity::roster::FIRST_IN_BROWSER;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::staff::{SessionHolder, StaffEvent};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Deserialize;

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 1024;

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/first-manager",
        become_first,
        endpoint(
            "become_first_manager",
            "Makes whoever has the first manager's link a manager in this browser, without a scan",
        )
        .json_body::<FirstManagerRequest>()
        .without_idempotency_key("each time it is one session more")
        .responds_json::<PrincipalView>(StatusCode::CREATED)
        .refuses(&[&refusals::TOO_MANY_REQUESTS, &refusals::CROSS_SITE])
        .refuses(&[&refusals::FIRST_CODE_USED, &refusals::LEDGER_UNAVAILABLE]),
    )
}

/// Link of the first manager.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FirstManagerRequest {
    /// Its code: what follows `#first=`.
    code: String,
}

async fn become_first(
    State(state): State<AppState>,
    client_ip: ClientIp,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    require_same_origin(&headers, state.settings.login.public_url.as_deref())?;
    state.rate_limiter.admit_code(client_ip)?;
    let FirstManagerRequest { code } = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let roster = state.roster.loaded().await?;
    if !first_manager::is_valid(&roster, &code, state.clock.now_ms()) {
        return Err(Problem::new(&refusals::FIRST_CODE_USED));
    }
    let member = login_approval::first_manager();
    // Nobody's WeChat has it, and a scan by the link puts theirs in its place.
    let person = hex::encode(entropy::bytes::<16>());
    let roster = state
        .roster
        .update(login::FIRST_MANAGER_AUTHOR, |roster| {
            if roster.has_had_members() {
                return Err(Problem::new(&refusals::FIRST_CODE_USED));
            }
            let joins = roster.browser_manager().is_none();
            Ok(joins.then(|| StaffEvent::Joined {
                member: member.clone(),
                person: person.clone(),
                invitation: FIRST_IN_BROWSER.into(),
            }))
        })
        .await?;
    let id = roster.browser_manager().ok_or(&refusals::FIRST_CODE_USED)?.to_owned();
    let holder = SessionHolder::Member { id };
    let principal = Principal::from_holder(&state, &roster, &holder);
    let principal = principal.ok_or(&refusals::FIRST_CODE_USED)?;
    let cookie =
        begin_session(&state, holder.clone(), browser_label(&headers), client_ip.masked()).await?;
    tracing::info!(staff = &*principal.name, "became the first manager in a browser");
    let session = PrincipalSession { id: String::new(), holder };
    let view = principal_view(&state, &principal.with_session(session));
    Ok((StatusCode::CREATED, cookie, Json(view)).into_response())
}
