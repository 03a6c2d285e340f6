//! Members of staff: listed with the API keys, changed and removed by managers.
//!
//! A manager of some sites manages the members and keys whose every site is among them.

use crate::http::access::{Authorized, Manager};
use crate::http::auth::{Principal, SiteScope};
use crate::http::counter_login::close_left_counters;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::identity::roster::{KeyEntry, Roster};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::staff::{ApiKey, KeyScope, Member, StaffEvent, StaffRole};
use paihao_domain::CounterId;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Largest body of a request, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 4096;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 40;

pub(super) fn routes() -> Routes {
    const IDEMPOTENT_REASON: &str = "done again, it is the same";
    let ledger_refusals = &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];
    Routes::new()
        .get(
            "/api/v1/staff",
            list,
            endpoint("staff", "Lists the members of staff and the keys of programs"),
        )
        .patch(
            "/api/v1/staff/{member}",
            update_member,
            endpoint("change_member", "Changes a member's name, role or scope")
                .json_body::<ChangeMemberRequest>()
                .without_idempotency_key(IDEMPOTENT_REASON)
                .refuses(ledger_refusals)
                .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::LAST_MANAGER])
                .refuses(&SCOPE_REFUSALS),
        )
        .delete(
            "/api/v1/staff/{member}",
            remove_member,
            endpoint("remove_member", "Removes a member of staff")
                .without_idempotency_key(IDEMPOTENT_REASON)
                .responds_no_content()
                .refuses(ledger_refusals)
                .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::LAST_MANAGER])
                .refuses(&[&refusals::NOT_YOUR_SITE]),
        )
}

/// Refusals of a scope that contains what the manager cannot grant.
pub(super) const SCOPE_REFUSALS: [&ProblemKind; 3] =
    [&refusals::NOT_YOUR_SITE, &refusals::UNKNOWN_SITE, &refusals::UNKNOWN_COUNTER];

/// Members and keys that the principal manages.
#[derive(Serialize, JsonSchema)]
struct StaffListView {
    members: Vec<MemberView>,
    keys: Vec<ApiKeyView>,
}

/// Member of staff.
#[derive(Serialize, JsonSchema)]
pub(super) struct MemberView {
    id: String,
    name: String,
    /// `manager` or `staff`.
    role: &'static str,
    /// `null` is every site.
    sites: Option<BTreeSet<String>>,
    counters: BTreeSet<String>,
}

impl From<&Member> for MemberView {
    fn from(member: &Member) -> Self {
        let Member { id, name, role, sites, counters } = member.clone();
        let role = match role {
            StaffRole::Manager => "manager",
            StaffRole::Staff => "staff",
        };
        MemberView { id, name, role, sites, counters }
    }
}

/// API key of a program, without its secret.
#[derive(Serialize, JsonSchema)]
struct ApiKeyView {
    id: String,
    name: String,
    sites: Option<BTreeSet<String>>,
    counters: BTreeSet<String>,
    purpose: Option<String>,
    /// `null` is everything that its counters permit.
    scopes: Option<BTreeSet<KeyScope>>,
    /// Unix milliseconds at which the key ends; `null` is never.
    expires_at: Option<i64>,
    expired: bool,
    /// Id of the member, or name of the key, that made it. It ends with their right to make it.
    made_by: String,
    made_at: i64,
    /// Newest recorded use within a month, in Unix milliseconds; give or take an hour.
    last_used_at: Option<i64>,
    /// Approximate origin of this use.
    last_used_from: Option<String>,
}

impl ApiKeyView {
    fn new(state: &AppState, entry: &KeyEntry) -> ApiKeyView {
        let KeyEntry { key, made_by, made_at } = entry.clone();
        let expired = key.has_expired(state.clock.now_ms());
        let last_use = state.browser_sessions.last_key_use(&key.id);
        let ApiKey { id, name, sites, counters, purpose, scopes, expires_at, hash: _ } = key;
        ApiKeyView {
            id,
            name,
            sites,
            counters,
            purpose,
            scopes,
            expires_at,
            expired,
            made_by,
            made_at,
            last_used_at: last_use.as_ref().map(|last| last.at),
            last_used_from: last_use.map(|last| last.address),
        }
    }
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Json<StaffListView>, Problem> {
    let roster = state.roster.loaded().await?;
    let covered =
        |sites: &Option<BTreeSet<String>>| principal.scope().covers(&sites.clone().into());
    let members =
        roster.members().filter(|member| covered(&member.sites)).map(MemberView::from).collect();
    let keys = roster.keys().filter(|entry| covered(&entry.key.sites));
    let keys = keys.map(|entry| ApiKeyView::new(&state, entry)).collect();
    Ok(Json(StaffListView { members, keys }))
}

/// Changes of a member; a field that is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeMemberRequest {
    name: Option<String>,
    /// `manager` or `staff`.
    #[schemars(with = "Option<String>")]
    role: Option<StaffRole>,
    /// `null` is every site.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schemars(with = "Option<BTreeSet<String>>")]
    sites: Option<Option<BTreeSet<String>>>,
    counters: Option<BTreeSet<String>>,
}

/// Deserializes a field that is present, which tells `null` from a field that is left out.
fn deserialize_present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

async fn update_member(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
    body: Body,
) -> Result<Json<MemberView>, Problem> {
    let request: ChangeMemberRequest = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = request.name.as_deref().map(validate_name).transpose()?;
    if let Some(name) = name {
        let rename = |roster: &Roster| {
            let member = managed_member(roster, &principal, &id)?;
            let event = StaffEvent::Renamed { id: id.clone(), name: name.clone() };
            Ok::<_, Problem>((member.name != name).then_some(event))
        };
        state.roster.update(principal.author(), rename).await?;
    }
    let before = state.roster.loaded().await?;
    let roster = state.roster.update(principal.author(), |roster| {
        let member = managed_member(roster, &principal, &id)?;
        let role = request.role.unwrap_or(member.role);
        let scope = AccessScope {
            sites: request.sites.clone().unwrap_or_else(|| member.sites.clone()),
            counters: request.counters.clone().unwrap_or_else(|| member.counters.clone()),
        };
        let AccessScope { sites, counters } = scope.validated(&state, &principal, role)?;
        if role != StaffRole::Manager || sites.is_some() {
            ensure_not_last_manager(roster, member)?;
        }
        let is_same = (member.role, &member.sites, &member.counters) == (role, &sites, &counters);
        let event = || StaffEvent::RoleChanged { id: id.clone(), role, sites, counters };
        Ok::<_, Problem>((!is_same).then(event))
    });
    let roster = roster.await?;
    tracing::info!(staff = &*principal.name, member = id, "member changed");
    close_counters_of_ended_keys(&state, &principal, &before, &roster).await;
    let rights = |roster: &Roster| roster.member(&id).map(|it| (it.role, it.sites.clone()));
    if rights(&before) != rights(&roster) {
        state.backchannel_logout.tell(&before, &id);
    }
    close_left_counters(&state, &principal, &id).await;
    Ok(Json(managed_member(&roster, &principal, &id)?.into()))
}

async fn remove_member(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Response, Problem> {
    let remove = |roster: &Roster| {
        ensure_not_last_manager(roster, managed_member(roster, &principal, &id)?)?;
        Ok::<_, Problem>(Some(StaffEvent::Removed { id: id.clone() }))
    };
    let before = state.roster.loaded().await?;
    let roster = state.roster.update(principal.author(), remove).await?;
    close_counters_of_ended_keys(&state, &principal, &before, &roster).await;
    state.backchannel_logout.tell(&before, &id);
    tracing::info!(staff = &*principal.name, member = id, "member removed");
    close_left_counters(&state, &principal, &id).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Closes the counters at which keys were that ended with the rights of their maker.
async fn close_counters_of_ended_keys(
    state: &AppState,
    manager: &Principal,
    before: &Roster,
    after: &Roster,
) {
    for KeyEntry { key, .. } in before.keys() {
        if after.key(&key.id).is_none() {
            close_left_counters(state, manager, &key.id).await;
        }
    }
}

/// Sites and counters of a member.
pub(super) struct AccessScope {
    pub(super) sites: Option<BTreeSet<String>>,
    pub(super) counters: BTreeSet<String>,
}

impl AccessScope {
    /// Validates that the scope exists and that the principal may grant it.
    pub(super) fn validated(
        self,
        state: &AppState,
        principal: &Principal,
        role: StaffRole,
    ) -> Result<AccessScope, Problem> {
        let AccessScope { sites, counters } = self;
        for site in sites.iter().flatten() {
            state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
        }
        let scope = SiteScope::from(sites.clone());
        principal.authorize_scope(&scope)?;
        if role == StaffRole::Manager {
            return Ok(AccessScope { sites, counters: BTreeSet::new() });
        }
        if counters.is_empty() {
            return Err(refusals::malformed("counters: staff have at least one"));
        }
        for counter in &counters {
            let id = CounterId::new(counter);
            let mut granted =
                state.engine.all_settings().filter(|settings| scope.contains(&settings.facts.id));
            if !granted.any(|settings| settings.rules.counters.contains_key(&id)) {
                return Err(Problem::new(&refusals::UNKNOWN_COUNTER).with_detail(counter.clone()));
            }
        }
        Ok(AccessScope { sites, counters })
    }
}

/// Member whom the principal manages.
pub(super) fn managed_member<'a>(
    roster: &'a Roster,
    principal: &Principal,
    id: &str,
) -> Result<&'a Member, Problem> {
    let member = roster.member(id).ok_or(&refusals::UNKNOWN_MEMBER)?;
    principal.authorize_scope(&member.sites.clone().into())?;
    Ok(member)
}

/// Refused if this is the last member who manages every site.
fn ensure_not_last_manager(roster: &Roster, member: &Member) -> Result<(), Problem> {
    let manages_all = |member: &Member| member.role == StaffRole::Manager && member.sites.is_none();
    let has_other = || roster.members().any(|other| other.id != member.id && manages_all(other));
    if manages_all(member) && !has_other() {
        Err(Problem::new(&refusals::LAST_MANAGER))
    } else {
        Ok(())
    }
}

/// Validates a name: short, on one line and not blank.
pub(super) fn validate_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let length = name.chars().count();
    if (1..=MAX_NAME_CHARS).contains(&length) && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        let detail = format!("name: 1 to {MAX_NAME_CHARS} characters on one line");
        Err(refusals::malformed(detail))
    }
}

/// Random id with this prefix.
pub(super) fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(entropy::bytes::<6>()))
}
