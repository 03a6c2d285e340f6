//! Keys that sign the tokens of logins, rotated and revoked by managers of every site.

use crate::http::access::{Authorized, Manager, Owner};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::oauth::id_token;
use crate::identity::roster::Roster;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paihao_contracts::staff::{STAFF_GENERATION, StaffEvent};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    let ledger_refusals =
        &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER, &refusals::NOT_EVERY_SITE];
    Routes::new()
        .get(
            "/api/v1/signing-keys",
            list,
            endpoint("signing_keys", "Lists the keys that tokens of logins are verified with")
                .refuses(&[&refusals::NOT_EVERY_SITE]),
        )
        .post(
            "/api/v1/signing-keys",
            rotate,
            endpoint("rotate_signing_key", "Makes the next key, which is used a day later")
                .without_idempotency_key("a key that is not in use yet is the next one")
                .refuses(ledger_refusals),
        )
        .delete(
            "/api/v1/signing-keys/{key}",
            revoke,
            endpoint(
                "revoke_signing_key",
                "Revokes a key at once: what it signed is good no longer, and another one signs",
            )
            .without_idempotency_key("what is revoked stays so")
            .responds_no_content()
            .refuses(ledger_refusals)
            .refuses(&[&refusals::UNKNOWN_KEY, &refusals::FORMS_HELD_BACK]),
        )
}

/// Key that tokens are verified with.
#[derive(Serialize, JsonSchema)]
struct SigningKeyView {
    /// Id of the key, `kid` in the header of a token.
    id: String,
    made_at: i64,
    /// True if it signs now.
    active: bool,
    /// Time from which it signs, unless it is revoked, in Unix milliseconds.
    signs_from: i64,
    /// Time at which another key signs in its place, in Unix milliseconds.
    signs_until: i64,
    /// True if that key is made already; otherwise the first login after that time makes it.
    has_successor: bool,
}

fn views(state: &AppState, roster: &Roster) -> Json<Vec<SigningKeyView>> {
    let now = state.clock.now_ms();
    let active = id_token::active_key(roster.signing_keys(), now).map(|key| &key.kid);
    let published = id_token::published_keys(roster.signing_keys(), now);
    let views = published.map(|key| {
        let period = id_token::signing_period(roster.signing_keys(), key);
        SigningKeyView {
            id: key.kid.clone(),
            made_at: key.made_at,
            active: Some(&key.kid) == active,
            signs_from: period.from,
            signs_until: period.until,
            has_successor: period.has_successor,
        }
    });
    Json(views.collect())
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Json<Vec<SigningKeyView>>, Problem> {
    Owner::require(principal)?;
    Ok(views(&state, &*state.roster.loaded().await?))
}

async fn rotate(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Json<Vec<SigningKeyView>>, Problem> {
    let Owner { principal } = Owner::require(principal)?;
    let now = state.clock.now_ms();
    let roster = id_token::rotate(&state.roster, principal.author(), now).await?;
    tracing::info!(staff = &*principal.name, "signing key rotated");
    Ok(views(&state, &roster))
}

async fn revoke(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Response, Problem> {
    let Owner { principal } = Owner::require(principal)?;
    let allowed = state.settings.write_version.allows(STAFF_GENERATION);
    let revoked = |roster: &Roster| {
        let mut usable = roster.signing_keys().iter().filter(|key| !key.is_revoked);
        usable.find(|key| key.kid == id).ok_or(&refusals::UNKNOWN_KEY)?;
        if !allowed {
            return Err(Problem::new(&refusals::FORMS_HELD_BACK));
        }
        Ok(Some(StaffEvent::SigningKeyRevoked { kid: id.clone() }))
    };
    state.roster.update(principal.author(), revoked).await?;
    tracing::warn!(staff = &*principal.name, kid = id, "signing key revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
}
