//! Kiosks of a site: paired by a manager, who enters the code that the kiosk shows, listed and
//! unpaired.

use super::members::{MAX_BODY_BYTES, new_id, validate_name};
use crate::http::access::{Manager, SiteAccess};
use crate::http::auth::require_same_origin;
use crate::http::client_ip::ClientIp;
use crate::http::guesses::Guess;
use crate::http::kiosk;
use crate::http::openapi::{Created, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::browser_sessions::BrowserSessions;
use crate::identity::key_uses::KIOSK_ID_PREFIX;
use crate::identity::kiosk_pairing;
use crate::identity::roster::{KioskEntry, Roster};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paihao_cache::Unavailable;
use paihao_contracts::staff::{Kiosk, STAFF_GENERATION, StaffEvent};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let ledger_refusals = &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];
    Routes::new()
        .post(
            "/api/v1/sites/{site}/kiosk-pairings",
            request_pairing,
            endpoint(
                "request_pairing",
                "Makes a code to pair this browser with, as a kiosk of the site",
            )
            .without_idempotency_key("a code that nobody enters ends by itself")
            .responds_json::<PairingView>(StatusCode::CREATED)
            .refuses(ledger_refusals)
            .refuses(&[
                &refusals::UNKNOWN_SITE,
                &refusals::CROSS_SITE,
                &refusals::CACHE_UNAVAILABLE,
                &refusals::TOO_MANY_REQUESTS,
            ]),
        )
        .get(
            "/api/v1/sites/{site}/kiosk",
            this_kiosk,
            endpoint(
                "this_kiosk",
                "Tells whether this browser is a kiosk that is paired with the site",
            )
            .responds_json::<ThisKioskView>(StatusCode::OK)
            .refuses(ledger_refusals)
            .refuses(&[&refusals::UNKNOWN_SITE, &refusals::TOO_MANY_REQUESTS]),
        )
        .get(
            "/api/v1/sites/{site}/kiosks",
            list,
            endpoint("kiosks", "Lists the kiosks that are paired with the site"),
        )
        .post(
            "/api/v1/sites/{site}/kiosks",
            pair,
            endpoint("pair_kiosk", "Pairs the kiosk that shows a code")
                .json_body::<PairKioskRequest>()
                .without_idempotency_key("a code pairs one kiosk, once")
                .refuses(ledger_refusals)
                .refuses(&[
                    &refusals::UNKNOWN_PAIRING,
                    &refusals::CACHE_UNAVAILABLE,
                    &refusals::FORMS_HELD_BACK,
                ]),
        )
        .delete(
            "/api/v1/sites/{site}/kiosks/{kiosk}",
            unpair,
            endpoint("unpair_kiosk", "Unpairs a kiosk")
                .without_idempotency_key("what is unpaired stays so")
                .responds_no_content()
                .refuses(ledger_refusals)
                .refuses(&[&refusals::UNKNOWN_KIOSK]),
        )
}

/// Code that a kiosk shows.
#[derive(Serialize, JsonSchema)]
struct PairingView {
    /// Eight digits, which a manager of the site enters.
    code: String,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
}

/// Pairing of this browser.
#[derive(Serialize, JsonSchema)]
struct ThisKioskView {
    /// True if a manager has paired this browser with the site.
    paired: bool,
    /// True if only paired kiosks make codes and give numbers.
    required: bool,
    /// Name that the manager gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Kiosk to pair.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PairKioskRequest {
    /// Code that the kiosk shows; spaces in it do not count.
    code: String,
    /// Name by which the staff know it.
    name: String,
}

/// Paired kiosk.
#[derive(Serialize, JsonSchema)]
struct KioskView {
    id: String,
    name: String,
    /// Id of the member, or name of the key, that paired it.
    paired_by: String,
    paired_at: i64,
    /// Newest recorded use within a month, in Unix milliseconds; give or take an hour.
    last_used_at: Option<i64>,
    /// Approximate origin of this use.
    last_used_from: Option<String>,
}

impl KioskView {
    fn new(sessions: &BrowserSessions, entry: &KioskEntry) -> KioskView {
        let KioskEntry { kiosk, paired_by, paired_at } = entry.clone();
        let last_use = sessions.last_key_use(&kiosk.id);
        KioskView {
            id: kiosk.id,
            name: kiosk.name,
            paired_by,
            paired_at,
            last_used_at: last_use.as_ref().map(|last| last.at),
            last_used_from: last_use.map(|last| last.address),
        }
    }
}

async fn request_pairing(
    State(state): State<AppState>,
    Path(site): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    require_same_origin(&headers, state.settings.login.public_url.as_deref())?;
    state.rate_limiter.admit_code(client_ip)?;
    state.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let roster = state.roster.loaded().await?;
    state.roster.require_current()?;
    // A browser that asks again keeps its credential: a manager may just be entering the last code.
    let is_usable = |cookie: &&str| !roster.is_retired_kiosk_hash(&kiosk_pairing::hash(cookie));
    let known = kiosk::credential(&state, &headers).filter(is_usable);
    let credential = known.map_or_else(kiosk_pairing::new_credential, str::to_owned);
    let hash = kiosk_pairing::hash(&credential);
    let now = state.clock.now_ms();
    let code = kiosk_pairing::request(&*state.cache, &site, hash, now).await;
    let kiosk_pairing::PairingCode { code, expires_at } = code.map_err(cache_problem)?;
    let view = PairingView { code, expires_at };
    Ok((StatusCode::CREATED, [kiosk::cookie(&state, &credential)], Json(view)).into_response())
}

async fn this_kiosk(
    State(state): State<AppState>,
    Path(site): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let settings = state.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let required = settings.paired_kiosks_only;
    let roster = state.roster.loaded().await?;
    let Some(entry) = kiosk::paired(&state, &roster, &site, &headers) else {
        return Ok(Json(ThisKioskView { paired: false, required, name: None }).into_response());
    };
    state.roster.require_current()?;
    let view = ThisKioskView { paired: true, required, name: Some(entry.kiosk.name.clone()) };
    // The cookie lasts for as long as the kiosk is in use.
    let cookie = kiosk::credential(&state, &headers).map(|value| [kiosk::cookie(&state, value)]);
    Ok((cookie, Json(view)).into_response())
}

async fn list(
    State(state): State<AppState>,
    SiteAccess { site, .. }: SiteAccess<Manager>,
) -> Result<Json<Vec<KioskView>>, Problem> {
    let roster = state.roster.loaded().await?;
    let kiosks = roster.kiosks_of(&site);
    Ok(Json(kiosks.map(|entry| KioskView::new(&state.browser_sessions, entry)).collect()))
}

async fn pair(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<Manager>,
    client_ip: ClientIp,
    body: Body,
) -> Result<Created<KioskView>, Problem> {
    let PairKioskRequest { code, name } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = validate_name(&name)?;
    state.roster.require_current()?;
    if !state.settings.write_version.allows(STAFF_GENERATION) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    state.guesses.admit(client_ip)?;
    let found = kiosk_pairing::find(&*state.cache, &site, &code, state.clock.now_ms()).await;
    let Some(hash) = found.map_err(cache_problem)? else {
        state.guesses.note_wrong(Guess::Code, client_ip).await;
        return Err(Problem::new(&refusals::UNKNOWN_PAIRING));
    };
    let id = new_id(KIOSK_ID_PREFIX);
    let paired = |roster: &Roster| {
        if roster.kiosk_by_hash(&site, &hash).is_some() {
            return Ok::<_, Problem>(None);
        }
        let (id, name, site, hash) = (id.clone(), name.clone(), site.clone(), hash.clone());
        Ok(Some(StaffEvent::KioskPaired { kiosk: Kiosk { id, name, site, hash } }))
    };
    let roster = state.roster.update(principal.author(), paired).await?;
    kiosk_pairing::forget(&*state.cache, &code).await;
    let entry = roster.kiosk_by_hash(&site, &hash).ok_or(&refusals::UNKNOWN_PAIRING)?;
    tracing::info!(staff = &*principal.name, site, kiosk = entry.kiosk.id, "kiosk paired");
    Ok(Created(KioskView::new(&state.browser_sessions, entry)))
}

async fn unpair(
    State(state): State<AppState>,
    Path((_, id)): Path<(String, String)>,
    SiteAccess { principal, site, .. }: SiteAccess<Manager>,
) -> Result<Response, Problem> {
    let unpaired = |roster: &Roster| {
        let is_here = roster.kiosks_of(&site).any(|entry| entry.kiosk.id == id);
        let event = StaffEvent::KioskUnpaired { id: id.clone() };
        if is_here { Ok(Some(event)) } else { Err(Problem::new(&refusals::UNKNOWN_KIOSK)) }
    };
    state.roster.update(principal.author(), unpaired).await?;
    tracing::info!(staff = &*principal.name, site, kiosk = id, "kiosk unpaired");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn cache_problem(error: Unavailable) -> Problem {
    tracing::warn!(%error, "cannot access the code of a kiosk");
    Problem::new(&refusals::CACHE_UNAVAILABLE)
}
