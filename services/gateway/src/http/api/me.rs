//! Who is asking, told to them; and the browsers they are logged in with.

use crate::http::asker::{Asker, Opens};
use crate::http::callers::{self, Caller};
use crate::http::cookies;
use crate::http::openapi::{Access, LOGGED_IN, Role, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::identity::sessions::Which;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use paihao_contracts::staff::SessionHolder;
use paihao_domain::{Actor, Scope};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

pub(super) fn routes() -> Routes {
    const AT: &str = "/api/v1/me/sessions";
    const ONCE: &str = "what has ended stays so";
    Routes::new()
        .get("/api/v1/me", show, op("me", "Who is asking", LOGGED_IN))
        .get(AT, list, op("my_sessions", "Where the asker is logged in", PEOPLE))
        .post(
            AT,
            begin,
            op("begin_session", "A browser with a key of the configuration is logged in", PEOPLE)
                .repeatable("each time it is one session more")
                .answers_as::<Me>(StatusCode::CREATED)
                // Whoever asks with a session has one.
                .answers_as::<Me>(StatusCode::OK),
        )
        .delete(
            AT,
            end_others,
            op("end_other_sessions", "Every other session of the asker ends", PEOPLE)
                .repeatable(ONCE),
        )
        .delete(
            "/api/v1/me/sessions/{session}",
            end,
            op("end_session", "A session of the asker ends; `current` is their own", PEOPLE)
                .repeatable(ONCE)
                .answers_nothing(),
        )
}

/// Whoever can be logged in: programs keep no cookies.
const PEOPLE: Access = Access::Known(&[Role::Staff, Role::Manager]);

/// Somebody, as they may know themselves.
#[derive(Serialize, JsonSchema)]
pub(super) struct Me {
    id: String,
    name: String,
    role: &'static str,
    /// `null` is every site.
    sites: Option<BTreeSet<String>>,
    /// `null` is every counter.
    counters: Option<Vec<String>>,
    /// Whether they came with a session.
    session: bool,
}

/// A browser that somebody is logged in with.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct Listed {
    id: String,
    current: bool,
    begun_at: i64,
    seen_at: i64,
    browser: String,
    address: String,
}

pub(super) fn me(door: &Door, asker: &Asker) -> Me {
    let roster = door.staff.now();
    let program = roster.keys().find(|key| *key.id == *asker.name).map(|key| key.name.clone());
    let member = roster.member(&asker.name).map(|member| member.name.clone());
    let counters = match &asker.actor {
        Actor::Staff { counters, .. } | Actor::Api { scope: Scope::Counters(counters), .. } => {
            Some(counters.iter().map(|counter| counter.as_str().to_owned()).collect())
        }
        _ => None,
    };
    let sites = match asker.opens() {
        Opens::Every => None,
        Opens::These(sites) => Some(sites.clone()),
    };
    Me {
        id: asker.name.to_string(),
        name: member.or(program).unwrap_or_else(|| asker.name.to_string()),
        role: asker.role(),
        sites,
        counters,
        session: asker.session.is_some(),
    }
}

async fn show(State(door): State<Door>, asker: Asker) -> Result<Json<Me>, Problem> {
    Ok(Json(me(&door, &asker)))
}

/// Whose sessions somebody may see: those of whoever they came as.
fn holder(door: &Door, asker: &Asker) -> Result<SessionHolder, Problem> {
    if let Some(session) = &asker.session {
        return Ok(session.holder.clone());
    }
    let key = door.book.staff_keys.iter().find(|key| key.name == *asker.name);
    // A key made through the API is a program's, and programs keep no cookies.
    let key = key.filter(|_| asker.role() != "api").ok_or(&refusals::NOT_ALLOWED)?;
    Ok(SessionHolder::Key { name: key.name.clone(), print: key.print() })
}

async fn list(State(door): State<Door>, asker: Asker) -> Result<Json<Vec<Listed>>, Problem> {
    Ok(Json(listed(&door, &asker, &holder(&door, &asker)?)))
}

/// Somebody's sessions, and which of them the asker came with.
pub(super) fn listed(door: &Door, asker: &Asker, holder: &SessionHolder) -> Vec<Listed> {
    let current = asker.session.as_ref().map(|session| session.id.as_str());
    let found = door.logins.of(holder).into_iter();
    let listed = found.map(|(id, session)| Listed {
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
    State(door): State<Door>,
    asker: Asker,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if asker.session.is_some() {
        return Ok((StatusCode::OK, Json(me(&door, &asker))).into_response());
    }
    let holder = holder(&door, &asker)?;
    let (browser, address) = (callers::browser(&headers), caller.roughly());
    let cookie = door.logins.begin(&door.staff, holder, browser, address).await?;
    let settings = &door.settings.login;
    let cookie = cookies::keep(
        settings.session_cookie(),
        &cookie,
        door.logins.longest(),
        settings.is_secure(),
    );
    tracing::info!(staff = &*asker.name, "logged in with a key");
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(me(&door, &asker)))
        .into_response())
}

/// `current` is the one that it is asked with.
async fn end(
    State(door): State<Door>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    let holder = holder(&door, &asker)?;
    let current = asker.session.as_ref().map(|session| session.id.as_str());
    let meant = if id == "current" { current } else { Some(&*id) };
    if let Some(meant) = meant {
        door.logins.end(&holder, Which::One(meant)).await?;
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    if meant == current {
        let settings = &door.settings.login;
        let cookie = cookies::forget(settings.session_cookie(), settings.is_secure());
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// How many sessions ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionsEnded")]
struct Ended {
    ended: usize,
}

async fn end_others(State(door): State<Door>, asker: Asker) -> Result<Json<Ended>, Problem> {
    let current = asker.session.as_ref().map_or("", |session| session.id.as_str());
    let ended = door.logins.end(&holder(&door, &asker)?, Which::AllBut(current)).await?;
    Ok(Json(Ended { ended }))
}
