//! Members and API keys: listed, changed and removed by managers.
//!
//! A manager of some sites has to do with those alone whom no other site is open to.

use super::staff::idempotency_key;
use crate::http::auth::{PROGRAM_KEY_PREFIX, Principal, SiteScope};
use crate::http::openapi::{Created, IdempotencyKeyExt};
use crate::http::openapi::{MANAGERS, Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::identity::roster::Roster;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::staff::{ApiKey, Member, StaffEvent, StaffRole};
use paihao_domain::CounterId;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Bytes of a request.
const MAX_BODY_BYTES: usize = 4096;

/// Characters of a name.
const MAX_NAME_CHARS: usize = 40;

pub(super) fn routes() -> Routes {
    const IDEMPOTENT_REASON: &str = "done again, it is the same";
    let lost = &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];
    Routes::new()
        .get(
            "/api/v1/staff",
            list,
            endpoint("staff", "Who works here, and the keys of programs", MANAGERS),
        )
        .patch(
            "/api/v1/staff/{member}",
            update_member,
            endpoint(
                "change_member",
                "A member is called otherwise, or may do other things",
                MANAGERS,
            )
            .json_body::<ChangeMemberRequest>()
            .without_idempotency_key(IDEMPOTENT_REASON)
            .refuses(lost)
            .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::LAST_MANAGER])
            .refuses(&SCOPE_REFUSALS),
        )
        .delete(
            "/api/v1/staff/{member}",
            remove_member,
            endpoint("remove_member", "A member no longer works here", MANAGERS)
                .without_idempotency_key(IDEMPOTENT_REASON)
                .responds_no_content()
                .refuses(lost)
                .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::LAST_MANAGER])
                .refuses(&[&refusals::NOT_YOUR_SITE]),
        )
        .post(
            "/api/v1/keys",
            create_key,
            endpoint("make_key", "A key for a program, shown once", MANAGERS)
                .json_body::<CreateApiKeyRequest>()
                .single_use_idempotency_key()
                .refuses(lost)
                .refuses(&SCOPE_REFUSALS),
        )
        .delete(
            "/api/v1/keys/{key}",
            revoke_key,
            endpoint("revoke_key", "A program's key opens nothing any more", MANAGERS)
                .without_idempotency_key(IDEMPOTENT_REASON)
                .responds_no_content()
                .refuses(lost)
                .refuses(&[&refusals::UNKNOWN_KEY, &refusals::NOT_YOUR_SITE]),
        )
}

/// Refusals of a scope that contains what the manager cannot grant.
const SCOPE_REFUSALS: [&ProblemKind; 3] =
    [&refusals::NOT_YOUR_SITE, &refusals::UNKNOWN_SITE, &refusals::UNKNOWN_COUNTER];

/// Members and keys that the principal manages.
#[derive(Serialize, JsonSchema)]
struct StaffListView {
    members: Vec<MemberView>,
    keys: Vec<ApiKeyView>,
}

/// Somebody who works here.
#[derive(Serialize, JsonSchema)]
struct MemberView {
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

/// A key of a program, without the key.
#[derive(Serialize, JsonSchema)]
struct ApiKeyView {
    id: String,
    name: String,
    sites: Option<BTreeSet<String>>,
    counters: BTreeSet<String>,
}

async fn list(
    State(door): State<AppState>,
    asker: Principal,
) -> Result<Json<StaffListView>, Problem> {
    asker.require_manager()?;
    let roster = door.roster.loaded().await?;
    let covered = |sites: &Option<BTreeSet<String>>| asker.scope().covers(&sites.clone().into());
    let members =
        roster.members().filter(|member| covered(&member.sites)).map(MemberView::from).collect();
    let keys = roster.keys().filter(|key| covered(&key.sites)).cloned();
    let listed =
        |ApiKey { id, name, sites, counters, .. }| ApiKeyView { id, name, sites, counters };
    Ok(Json(StaffListView { members, keys: keys.map(listed).collect() }))
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
    #[serde(default, deserialize_with = "said")]
    #[schemars(with = "Option<BTreeSet<String>>")]
    sites: Option<Option<BTreeSet<String>>>,
    counters: Option<BTreeSet<String>>,
}

/// Tells `null` from nothing.
fn said<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

async fn update_member(
    State(door): State<AppState>,
    Path(id): Path<String>,
    asker: Principal,
    body: Body,
) -> Result<Json<MemberView>, Problem> {
    asker.require_manager()?;
    let wanted: ChangeMemberRequest = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = wanted.name.as_deref().map(validate_name).transpose()?;
    let (role, sites, counters) = (wanted.role, wanted.sites, wanted.counters);
    if let Some(name) = name {
        let renamed = |roster: &Roster| {
            let known = managed_member(roster, &asker, &id)?;
            let event = StaffEvent::Renamed { id: id.clone(), name: name.clone() };
            Ok::<_, Problem>((known.name != name).then_some(event))
        };
        door.roster.update(&asker.name, renamed).await?;
    }
    let roster = door.roster.update(&asker.name, |roster| {
        let known = managed_member(roster, &asker, &id)?;
        let role = role.unwrap_or(known.role);
        let wanted = AccessScope {
            sites: sites.clone().unwrap_or_else(|| known.sites.clone()),
            counters: counters.clone().unwrap_or_else(|| known.counters.clone()),
        };
        let AccessScope { sites, counters } = wanted.validated(&door, &asker, role)?;
        if role != StaffRole::Manager || sites.is_some() {
            ensure_not_last_manager(roster, known)?;
        }
        let same = (known.role, &known.sites, &known.counters) == (role, &sites, &counters);
        let changed = || StaffEvent::RoleChanged { id: id.clone(), role, sites, counters };
        Ok::<_, Problem>((!same).then(changed))
    });
    let roster = roster.await?;
    tracing::info!(staff = &*asker.name, member = id, "member changed");
    Ok(Json(managed_member(&roster, &asker, &id)?.into()))
}

async fn remove_member(
    State(door): State<AppState>,
    Path(id): Path<String>,
    asker: Principal,
) -> Result<Response, Problem> {
    asker.require_manager()?;
    let removed = |roster: &Roster| {
        ensure_not_last_manager(roster, managed_member(roster, &asker, &id)?)?;
        Ok::<_, Problem>(Some(StaffEvent::Removed { id: id.clone() }))
    };
    door.roster.update(&asker.name, removed).await?;
    tracing::info!(staff = &*asker.name, member = id, "member removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A key that a program is to have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKeyRequest {
    name: String,
    sites: Option<BTreeSet<String>>,
    #[serde(default)]
    counters: BTreeSet<String>,
}

/// A key that was just made.
#[derive(Serialize, JsonSchema)]
struct CreatedApiKey {
    id: String,
    /// Told this once.
    key: String,
}

async fn create_key(
    State(door): State<AppState>,
    asker: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Created<CreatedApiKey>, Problem> {
    asker.require_manager()?;
    let wish = idempotency_key(&headers)?;
    let CreateApiKeyRequest { name, sites, counters } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = validate_name(&name)?;
    // A program without counters acts as a manager; with some, as staff there.
    let role = if counters.is_empty() { StaffRole::Manager } else { StaffRole::Staff };
    let AccessScope { sites, counters } =
        AccessScope { sites, counters }.validated(&door, &asker, role)?;
    let roster = door.roster.loaded().await?;
    let tag = wish.map(|wish| roster.tag("key", &[&asker.name, wish]));
    let id = match tag {
        // The same wish, at any replica and at any time, is the same id.
        Some(tag) => format!("k_{}", &tag.ok_or(&refusals::LEDGER_UNAVAILABLE)?[..12]),
        None => new_id("k_"),
    };
    let key = format!("{PROGRAM_KEY_PREFIX}{}", entropy::token(24));
    let hash = hex::encode(Sha256::digest(&key));
    let made = ApiKey { id: id.clone(), name, hash, sites, counters };
    let event = |roster: &Roster| match roster.is_key_id_issued(&id) {
        true => Err(Problem::new(&refusals::KEY_MADE_BEFORE).with_detail(id.clone())),
        false => Ok(Some(StaffEvent::KeyMade { key: made.clone() })),
    };
    door.roster.update(&asker.name, event).await?;
    tracing::info!(staff = &*asker.name, key = id, "API key created");
    Ok(Created(CreatedApiKey { id, key }))
}

async fn revoke_key(
    State(door): State<AppState>,
    Path(id): Path<String>,
    asker: Principal,
) -> Result<Response, Problem> {
    asker.require_manager()?;
    let revoked = |roster: &Roster| {
        let key = roster.keys().find(|key| key.id == id).ok_or(&refusals::UNKNOWN_KEY)?;
        match asker.scope().covers(&key.sites.clone().into()) {
            true => Ok(Some(StaffEvent::KeyRevoked { id: id.clone() })),
            false => Err(Problem::new(&refusals::NOT_YOUR_SITE)),
        }
    };
    door.roster.update(&asker.name, revoked).await?;
    tracing::info!(staff = &*asker.name, key = id, "API key revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
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
        door: &AppState,
        asker: &Principal,
        role: StaffRole,
    ) -> Result<AccessScope, Problem> {
        let AccessScope { sites, counters } = self;
        let malformed =
            |detail: &str| Problem::new(&refusals::MALFORMED_REQUEST).with_detail(detail);
        for site in sites.iter().flatten() {
            door.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
        }
        let opens = SiteScope::from(sites.clone());
        if !asker.scope().covers(&opens) {
            return Err(Problem::new(&refusals::NOT_YOUR_SITE));
        }
        if role == StaffRole::Manager {
            return Ok(AccessScope { sites, counters: BTreeSet::new() });
        }
        if counters.is_empty() {
            return Err(malformed("counters: staff have at least one"));
        }
        for counter in &counters {
            let id = CounterId::new(counter);
            let mut books =
                door.engine.all_settings().filter(|book| opens.contains(&book.facts.id));
            if !books.any(|book| book.rules.counters.contains_key(&id)) {
                return Err(Problem::new(&refusals::UNKNOWN_COUNTER).with_detail(counter.clone()));
            }
        }
        Ok(AccessScope { sites, counters })
    }
}

/// A member whom the principal manages.
pub(super) fn managed_member<'a>(
    roster: &'a Roster,
    asker: &Principal,
    id: &str,
) -> Result<&'a Member, Problem> {
    let member = roster.member(id).ok_or(&refusals::UNKNOWN_MEMBER)?;
    match asker.scope().covers(&member.sites.clone().into()) {
        true => Ok(member),
        false => Err(Problem::new(&refusals::NOT_YOUR_SITE)),
    }
}

/// Somebody has to be left who may do everything.
fn ensure_not_last_manager(roster: &Roster, member: &Member) -> Result<(), Problem> {
    let runs_all = |member: &Member| member.role == StaffRole::Manager && member.sites.is_none();
    let others = || roster.members().any(|other| other.id != member.id && runs_all(other));
    match runs_all(member) && !others() {
        true => Err(Problem::new(&refusals::LAST_MANAGER)),
        false => Ok(()),
    }
}

/// A name that people can read.
pub(super) fn validate_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let length = name.chars().count();
    match (1..=MAX_NAME_CHARS).contains(&length) && !name.chars().any(char::is_control) {
        true => Ok(name.to_owned()),
        false => {
            let detail = format!("name: 1 to {MAX_NAME_CHARS} characters on one line");
            Err(Problem::new(&refusals::MALFORMED_REQUEST).with_detail(detail))
        }
    }
}

/// An id that nobody has or had.
pub(super) fn new_id(kind: &str) -> String {
    format!("{kind}{}", hex::encode(entropy::bytes::<6>()))
}
