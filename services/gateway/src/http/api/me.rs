//! The principal of the request, and their browser sessions.

use crate::http::auth::{Principal, SiteScope};
use crate::http::client_ip::{self, ClientIp};
use crate::http::cookies;
use crate::http::openapi::{AUTHENTICATED, Access, Role, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::browser_sessions::SessionSelection;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
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
        .get("/api/v1/me", show, endpoint("me", "Who is asking", AUTHENTICATED))
        .get(
            SESSIONS_PATH,
            list,
            endpoint("my_sessions", "Where the asker is logged in", STAFF_ACCESS),
        )
        .post(
            SESSIONS_PATH,
            begin,
            endpoint(
                "begin_session",
                "A browser with a key of the configuration is logged in",
                STAFF_ACCESS,
            )
            .without_idempotency_key("each time it is one session more")
            .responds_json::<PrincipalView>(StatusCode::CREATED)
            // Whoever asks with a session has one.
            .responds_json::<PrincipalView>(StatusCode::OK),
        )
        .delete(
            SESSIONS_PATH,
            end_others,
            endpoint("end_other_sessions", "Every other session of the asker ends", STAFF_ACCESS)
                .without_idempotency_key(IDEMPOTENT_REASON),
        )
        .delete(
            "/api/v1/me/sessions/{session}",
            end,
            endpoint(
                "end_session",
                "A session of the asker ends; `current` is their own",
                STAFF_ACCESS,
            )
            .without_idempotency_key(IDEMPOTENT_REASON)
            .responds_no_content(),
        )
}

/// Access of those who can log in: programs have no sessions.
const STAFF_ACCESS: Access = Access::Authenticated(&[Role::Staff, Role::Manager]);

/// Somebody, as they may know themselves.
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

pub(super) fn principal_view(door: &AppState, asker: &Principal) -> PrincipalView {
    let roster = door.roster.now();
    let program = roster.keys().find(|key| *key.id == *asker.name).map(|key| key.name.clone());
    let member = roster.member(&asker.name).map(|member| member.name.clone());
    let counters = match &asker.actor {
        Actor::Staff { counters, .. } | Actor::Api { scope: ApiScope::Counters(counters), .. } => {
            Some(counters.iter().map(|counter| counter.as_str().to_owned()).collect())
        }
        _ => None,
    };
    let sites = match asker.scope() {
        SiteScope::All => None,
        SiteScope::Only(sites) => Some(sites.clone()),
    };
    PrincipalView {
        id: asker.name.to_string(),
        name: member.or(program).unwrap_or_else(|| asker.name.to_string()),
        role: asker.role(),
        sites,
        counters,
        session: asker.session.is_some(),
    }
}

async fn show(
    State(door): State<AppState>,
    asker: Principal,
) -> Result<Json<PrincipalView>, Problem> {
    Ok(Json(principal_view(&door, &asker)))
}

/// Holder whose sessions the principal may see: their own.
fn session_holder(door: &AppState, asker: &Principal) -> Result<SessionHolder, Problem> {
    if let Some(session) = &asker.session {
        return Ok(session.holder.clone());
    }
    let key = door.deployment.staff_keys.iter().find(|key| key.name == *asker.name);
    // A key made through the API is a program's, and programs keep no cookies.
    let key = key.filter(|_| asker.role() != "api").ok_or(&refusals::NOT_ALLOWED)?;
    Ok(SessionHolder::Key { name: key.name.clone(), print: key.fingerprint() })
}

async fn list(
    State(door): State<AppState>,
    asker: Principal,
) -> Result<Json<Vec<BrowserSessionView>>, Problem> {
    Ok(Json(session_views(&door, &asker, &session_holder(&door, &asker)?)))
}

/// Sessions of the principal, with the session of the request marked.
pub(super) fn session_views(
    door: &AppState,
    asker: &Principal,
    holder: &SessionHolder,
) -> Vec<BrowserSessionView> {
    let current = asker.session.as_ref().map(|session| session.id.as_str());
    let found = door.browser_sessions.list_for(holder).into_iter();
    let listed = found.map(|(id, session)| BrowserSessionView {
        current: current == Some(&*id),
        id,
        begun_at: session.begun_at,
        seen_at: session.seen_at,
        browser: session.browser,
        address: session.address,
    });
    listed.collect()
}

/// A browser that holds a key of the configuration is logged in with it, and need not keep it.
async fn begin(
    State(door): State<AppState>,
    asker: Principal,
    caller: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if asker.session.is_some() {
        return Ok((StatusCode::OK, Json(principal_view(&door, &asker))).into_response());
    }
    let holder = session_holder(&door, &asker)?;
    let (browser, address) = (client_ip::browser_label(&headers), caller.masked());
    let cookie = door.browser_sessions.create(&door.roster, holder, browser, address).await?;
    let settings = &door.settings.login;
    let cookie = cookies::set_cookie(
        settings.session_cookie(),
        &cookie,
        door.browser_sessions.cookie_max_age(),
        settings.is_secure(),
    );
    tracing::info!(staff = &*asker.name, "logged in with a key");
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(principal_view(&door, &asker)))
        .into_response())
}

/// Ends a session of the principal. The id `current` is the session of the request.
async fn end(
    State(door): State<AppState>,
    Path(id): Path<String>,
    asker: Principal,
) -> Result<Response, Problem> {
    let holder = session_holder(&door, &asker)?;
    let current = asker.session.as_ref().map(|session| session.id.as_str());
    let meant = if id == "current" { current } else { Some(&*id) };
    if let Some(meant) = meant {
        door.browser_sessions.end(&holder, SessionSelection::Only(meant)).await?;
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    if meant == current {
        let settings = &door.settings.login;
        let cookie = cookies::clear_cookie(settings.session_cookie(), settings.is_secure());
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// Number of sessions that were ended.
#[derive(Serialize, JsonSchema)]
struct EndOtherSessionsResult {
    ended: usize,
}

async fn end_others(
    State(door): State<AppState>,
    asker: Principal,
) -> Result<Json<EndOtherSessionsResult>, Problem> {
    let current = asker.session.as_ref().map_or("", |session| session.id.as_str());
    let ended = door
        .browser_sessions
        .end(&session_holder(&door, &asker)?, SessionSelection::AllExcept(current))
        .await?;
    Ok(Json(EndOtherSessionsResult { ended }))
}
