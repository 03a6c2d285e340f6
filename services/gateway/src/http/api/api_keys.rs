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
use paihao_contracts::staff::{ApiKey, KeyScope, STAFF_GENERATION, StaffEvent, StaffRole};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Longest purpose of a key, in characters.
const MAX_PURPOSE_CHARS: usize = 200;

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
                .refuses(&[&refusals::FORMS_HELD_BACK])
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
    /// What the key is for.
    purpose: Option<String>,
    /// `null` is everything that its counters permit: acts there, or those of a manager.
    scopes: Option<BTreeSet<KeyScope>>,
    /// Unix milliseconds at which the key ends; `null` is never.
    expires_at: Option<i64>,
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
    let CreateApiKeyRequest { name, sites, counters, purpose, scopes, expires_at } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = validate_name(&name)?;
    let purpose = purpose.filter(|text| !text.trim().is_empty());
    let purpose = purpose.as_deref().map(validate_purpose).transpose()?;
    validate_scopes(scopes.as_ref(), !counters.is_empty())?;
    if expires_at.is_some_and(|at| at <= state.clock.now_ms()) {
        return Err(refusals::malformed("expires_at: a time to come"));
    }
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
    let api_key =
        ApiKey { id: id.clone(), name, hash, sites, counters, purpose, scopes, expires_at };
    if api_key.has_limits() && !state.settings.write_version.allows(STAFF_GENERATION) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    let event = |roster: &Roster| {
        if roster.is_key_id_issued(&id) {
            Err(Problem::new(&refusals::KEY_MADE_BEFORE).with_detail(id.clone()))
        } else {
            Ok(Some(StaffEvent::KeyMade { key: api_key.clone() }))
        }
    };
    state.roster.update(principal.author(), event).await?;
    tracing::info!(staff = &*principal.name, key = id, "API key created");
    Ok(Created(CreatedApiKey { id, key }))
}

fn validate_purpose(purpose: &str) -> Result<String, Problem> {
    let purpose = purpose.trim();
    let fits =
        purpose.chars().count() <= MAX_PURPOSE_CHARS && !purpose.chars().any(char::is_control);
    if fits {
        Ok(purpose.to_owned())
    } else {
        let detail = format!("purpose: at most {MAX_PURPOSE_CHARS} characters on one line");
        Err(refusals::malformed(detail))
    }
}

/// Validates that a key can do something, and nothing beyond its counters.
fn validate_scopes(scopes: Option<&BTreeSet<KeyScope>>, has_counters: bool) -> Result<(), Problem> {
    let Some(scopes) = scopes else { return Ok(()) };
    if scopes.is_empty() {
        return Err(refusals::malformed("scopes: at least one"));
    }
    if has_counters && scopes.contains(&KeyScope::Manage) {
        return Err(refusals::malformed("scopes: a key of counters does not manage"));
    }
    Ok(())
}

async fn revoke_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Response, Problem> {
    let revoked = |roster: &Roster| {
        let key = roster.key(&id).ok_or(&refusals::UNKNOWN_KEY)?;
        principal.authorize_scope(&key.sites.clone().into())?;
        Ok::<_, Problem>(Some(StaffEvent::KeyRevoked { id: id.clone() }))
    };
    state.roster.update(principal.author(), revoked).await?;
    tracing::info!(staff = &*principal.name, key = id, "API key revoked");
    close_left_counters(&state, &principal, &id).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
