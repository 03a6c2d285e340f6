//! API keys of programs, created and revoked by managers.

use super::members::{AccessScope, MAX_BODY_BYTES, SCOPE_REFUSALS, validate_name};
use crate::http::access::{Authorized, Manager};
use crate::http::auth::PROGRAM_KEY_PREFIX;
use crate::http::counter_login::close_left_counters;
use crate::http::idempotency;
use crate::http::openapi::{Created, IdempotencyKeyExt, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::roster::Roster;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::staff::{ApiKey, StaffEvent, StaffRole};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

pub(super) fn routes() -> Routes {
    let ledger_refusals = &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];
    Routes::new()
        .post(
            "/api/v1/keys",
            create_key,
            endpoint("make_key", "Makes a key for a program, which is shown once")
                .json_body::<CreateApiKeyRequest>()
                .single_use_idempotency_key()
                .refuses(ledger_refusals)
                .refuses(&SCOPE_REFUSALS),
        )
        .delete(
            "/api/v1/keys/{key}",
            revoke_key,
            endpoint("revoke_key", "Revokes a program's key")
                .without_idempotency_key("what is revoked stays so")
                .responds_no_content()
                .refuses(ledger_refusals)
                .refuses(&[&refusals::UNKNOWN_KEY, &refusals::NOT_YOUR_SITE]),
        )
}

/// API key to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKeyRequest {
    name: String,
    sites: Option<BTreeSet<String>>,
    #[serde(default)]
    counters: BTreeSet<String>,
}

/// Created API key, with its secret.
#[derive(Serialize, JsonSchema)]
struct CreatedApiKey {
    id: String,
    /// Secret, which no other response contains.
    key: String,
}

async fn create_key(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
    headers: HeaderMap,
    body: Body,
) -> Result<Created<CreatedApiKey>, Problem> {
    let idempotency_key = idempotency::key(&headers)?;
    let CreateApiKeyRequest { name, sites, counters } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = validate_name(&name)?;
    // A program without counters acts as a manager; with some, as staff there.
    let role = if counters.is_empty() { StaffRole::Manager } else { StaffRole::Staff };
    let AccessScope { sites, counters } =
        AccessScope { sites, counters }.validated(&state, &principal, role)?;
    let roster = state.roster.loaded().await?;
    let tag = idempotency_key.map(|key| roster.tag("key", &[&principal.name, key]));
    let id = match tag {
        // One idempotency key gives one id, at any replica and at any time.
        Some(tag) => format!("k_{}", &tag.ok_or(&refusals::LEDGER_UNAVAILABLE)?[..12]),
        None => super::members::new_id("k_"),
    };
    let key = format!("{PROGRAM_KEY_PREFIX}{}", entropy::token(24));
    let hash = hex::encode(Sha256::digest(&key));
    let api_key = ApiKey { id: id.clone(), name, hash, sites, counters };
    let event = |roster: &Roster| {
        if roster.is_key_id_issued(&id) {
            Err(Problem::new(&refusals::KEY_MADE_BEFORE).with_detail(id.clone()))
        } else {
            Ok(Some(StaffEvent::KeyMade { key: api_key.clone() }))
        }
    };
    state.roster.update(&principal.name, event).await?;
    tracing::info!(staff = &*principal.name, key = id, "API key created");
    Ok(Created(CreatedApiKey { id, key }))
}

async fn revoke_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Response, Problem> {
    let revoked = |roster: &Roster| {
        let key = roster.keys().find(|key| key.id == id).ok_or(&refusals::UNKNOWN_KEY)?;
        principal.authorize_scope(&key.sites.clone().into())?;
        Ok::<_, Problem>(Some(StaffEvent::KeyRevoked { id: id.clone() }))
    };
    state.roster.update(&principal.name, revoked).await?;
    tracing::info!(staff = &*principal.name, key = id, "API key revoked");
    close_left_counters(&state, &principal, &id).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
