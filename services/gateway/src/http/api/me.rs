//! The principal of the request, and their browser sessions.

use crate::http::access::{AnyRole, Authorized, StaffMember};
use crate::http::auth::{Principal, SiteScope};
use crate::http::client_ip::{ClientIp, browser_label};
use crate::http::cookies;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::browser_sessions::SessionSelection;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use paihao_contracts::staff::SessionHolder;
use paihao_domain::{Actor, ApiScope};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

pub(super) fn routes() -> Routes {
    const SESSIONS_PATH: &str = "/api/v1/me/sessions";
    const IDEMPOTENT_REASON: &str = "what has ended stays so";
    Routes::new()
        .get("/api/v1/me", show, endpoint("me", "Shows the principal of the request"))
        .get(SESSIONS_PATH, list, endpoint("my_sessions", "Lists the principal's browser sessions"))
        .post(
            SESSIONS_PATH,
            begin,
            endpoint("begin_session", "Logs a browser in with a key of the configuration")
                .without_idempotency_key("each time it is one session more")
                .responds_json::<PrincipalView>(StatusCode::CREATED)
                // The request may come with a session already.
                .responds_json::<PrincipalView>(StatusCode::OK),
        )
        .delete(
            SESSIONS_PATH,
            end_others,
            endpoint("end_other_sessions", "Ends every other browser session of the principal")
                .without_idempotency_key(IDEMPOTENT_REASON),
        )
        .delete(
            "/api/v1/me/sessions/{session}",
            end,
            endpoint(
                "end_session",
                "Ends a browser session of the principal; `current` is the one of the request",
            )
            .without_idempotency_key(IDEMPOTENT_REASON)
            .responds_no_content(),
        )
}

/// Principal of the request.
#[derive(Serialize, JsonSchema)]
pub(super) struct PrincipalView {
    id: String,
    name: String,
    role: &'static str,
    /// `null` is every site.
    sites: Option<BTreeSet<String>>,
    /// `null` is every counter.
    counters: Option<Vec<String>>,
    /// True if the request came with a session.
    session: bool,
    /// Whoever this browser is logged in as, if the request came with a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    browser: Option<BrowserPrincipal>,
}

/// Principal of the session of a browser.
#[derive(Serialize, JsonSchema)]
struct BrowserPrincipal {
    id: String,
    name: String,
}

/// A browser session.
#[derive(Serialize, JsonSchema)]
pub(super) struct BrowserSessionView {
    id: String,
    current: bool,
    begun_at: i64,
    seen_at: i64,
    browser: String,
    address: String,
}

pub(super) fn principal_view(state: &AppState, principal: &Principal) -> PrincipalView {
    let roster = state.roster.now();
    let program = roster.key(&principal.name).map(|key| key.name.clone());
    let member = roster.member(&principal.name).map(|member| member.name.clone());
    let counters = match &principal.actor {
        Actor::Staff { counters, .. } | Actor::Api { scope: ApiScope::Counters(counters), .. } => {
            Some(counters.iter().map(|counter| counter.as_str().to_owned()).collect())
        }
        _ => None,
    };
    let sites = match principal.scope() {
        SiteScope::All => None,
        SiteScope::Only(sites) => Some(sites.clone()),
    };
    PrincipalView {
        id: principal.name.to_string(),
        name: member.or(program).unwrap_or_else(|| principal.name.to_string()),
        role: principal.role(),
        sites,
        counters,
        session: principal.session.is_some(),
        browser: None,
    }
}

async fn show(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<AnyRole>,
    headers: HeaderMap,
) -> Result<Json<PrincipalView>, Problem> {
    let view = principal_view(&state, &principal);
    if principal.session.is_some() {
        return Ok(Json(view));
    }
    let of_session = Principal::of_session(&state, &headers, &Method::GET).await.ok();
    let browser = of_session.map(|principal| {
        let PrincipalView { id, name, .. } = principal_view(&state, &principal);
        BrowserPrincipal { id, name }
    });
    Ok(Json(PrincipalView { browser, ..view }))
}

/// Holder whose sessions the principal may see: their own.
fn session_holder(state: &AppState, principal: &Principal) -> Result<SessionHolder, Problem> {
    if let Some(session) = &principal.session {
        return Ok(session.holder.clone());
    }
    let key = state.deployment.staff_keys.iter().find(|key| key.name == *principal.name);
    // A key made through the API is a program's, and programs keep no cookies.
    let key = key.filter(|_| principal.role() != "api").ok_or(&refusals::NOT_ALLOWED)?;
    Ok(SessionHolder::Key { name: key.name.clone(), print: key.fingerprint() })
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<StaffMember>,
) -> Result<Json<Vec<BrowserSessionView>>, Problem> {
    let holder = session_holder(&state, &principal)?;
    Ok(Json(session_views(&state, &principal, &holder).await?))
}

/// Sessions of the principal, with the session of the request marked.
pub(super) async fn session_views(
    state: &AppState,
    principal: &Principal,
    holder: &SessionHolder,
) -> Result<Vec<BrowserSessionView>, Problem> {
    let current = principal.session.as_ref().map(|session| session.id.as_str());
    let sessions = state.browser_sessions.list_for(holder).await?.into_iter();
    let views = sessions.map(|(id, session)| BrowserSessionView {
        current: current == Some(&*id),
        id,
        begun_at: session.begun_at,
        seen_at: session.seen_at,
        browser: session.browser,
        address: session.address,
    });
    Ok(views.collect())
}

/// Logs a browser in with a key of the configuration, so that it need not keep the key.
async fn begin(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<StaffMember>,
    client_ip: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if principal.session.is_some() {
        return Ok((StatusCode::OK, Json(principal_view(&state, &principal))).into_response());
    }
    let holder = session_holder(&state, &principal)?;
    let headers =
        begin_session(&state, holder, browser_label(&headers), client_ip.masked()).await?;
    tracing::info!(staff = &*principal.name, "logged in with a key");
    let view = principal_view(&state, &principal);
    Ok((StatusCode::CREATED, headers, Json(view)).into_response())
}

/// Begins a browser session. Returns the header that sets its cookie.
pub(super) async fn begin_session(
    state: &AppState,
    holder: SessionHolder,
    browser: String,
    address: String,
) -> Result<[(HeaderName, HeaderValue); 1], Problem> {
    let sessions = &state.browser_sessions;
    let secret = sessions.create(&state.roster, holder, browser, address).await?;
    let settings = &state.settings.login;
    let name = settings.session_cookie();
    let cookie =
        cookies::set_cookie(name, &secret, sessions.cookie_max_age(), settings.is_secure());
    Ok([(header::SET_COOKIE, cookie)])
}

/// Ends a session of the principal. The id `current` is the session of the request.
async fn end(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<StaffMember>,
) -> Result<Response, Problem> {
    let holder = session_holder(&state, &principal)?;
    let current = principal.session.as_ref().map(|session| session.id.as_str());
    let selected = if id == "current" { current } else { Some(&*id) };
    if let Some(selected) = selected {
        let selection = SessionSelection::Only(selected);
        state.browser_sessions.end(principal.author(), &holder, selection).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if selected == current {
        let settings = &state.settings.login;
        let cookie = cookies::clear_cookie(settings.session_cookie(), settings.is_secure());
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Number of sessions that were ended.
#[derive(Serialize, JsonSchema)]
struct EndOtherSessionsResult {
    ended: usize,
}

async fn end_others(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<StaffMember>,
) -> Result<Json<EndOtherSessionsResult>, Problem> {
    let current = principal.session.as_ref().map_or("", |session| session.id.as_str());
    let ended = state
        .browser_sessions
        .end(
            principal.author(),
            &session_holder(&state, &principal)?,
            SessionSelection::AllExcept(current),
        )
        .await?;
    Ok(Json(EndOtherSessionsResult { ended }))
}
