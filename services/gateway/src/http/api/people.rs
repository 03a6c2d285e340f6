//! Who works here, and the keys of programs: listed, changed and removed by managers.
//!
//! A manager of some sites has to do with those alone whom no other site is open to.

use super::staff::idempotency_key;
use crate::http::asker::{Asker, Opens, PROGRAM_KEY};
use crate::http::body;
use crate::http::openapi::answer::Created;
use crate::http::openapi::{MANAGERS, Routes, op};
use crate::http::refusals::{self, Kind, Problem};
use crate::http::state::Door;
use crate::identity::roster::Roster;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::staff::{Member, ProgramKey, StaffEvent, StaffRole};
use paihao_domain::CounterId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Bytes of a request.
const BODY_LIMIT: usize = 4096;

/// Characters of a name.
const LONGEST_NAME: usize = 40;

pub(super) fn routes() -> Routes {
    const ONCE: &str = "done again, it is the same";
    let lost = &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];
    Routes::new()
        .get(
            "/api/v1/staff",
            list,
            op("staff", "Who works here, and the keys of programs", MANAGERS),
        )
        .patch(
            "/api/v1/staff/{member}",
            change,
            op("change_member", "A member is called otherwise, or may do other things", MANAGERS)
                .takes::<Changes>()
                .repeatable(ONCE)
                .refuses(lost)
                .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::LAST_MANAGER])
                .refuses(&PLACE),
        )
        .delete(
            "/api/v1/staff/{member}",
            remove,
            op("remove_member", "A member no longer works here", MANAGERS)
                .repeatable(ONCE)
                .answers_nothing()
                .refuses(lost)
                .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::LAST_MANAGER])
                .refuses(&[&refusals::NOT_YOUR_SITE]),
        )
        .post(
            "/api/v1/keys",
            make_key,
            op("make_key", "A key for a program, shown once", MANAGERS)
                .takes::<KeyWanted>()
                .keyed_once()
                .refuses(lost)
                .refuses(&PLACE),
        )
        .delete(
            "/api/v1/keys/{key}",
            revoke,
            op("revoke_key", "A program's key opens nothing any more", MANAGERS)
                .repeatable(ONCE)
                .answers_nothing()
                .refuses(lost)
                .refuses(&[&refusals::UNKNOWN_KEY, &refusals::NOT_YOUR_SITE]),
        )
}

/// What nobody is given a place for.
const PLACE: [&Kind; 3] =
    [&refusals::NOT_YOUR_SITE, &refusals::UNKNOWN_SITE, &refusals::UNKNOWN_COUNTER];

/// Those whom the asker manages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Staff")]
struct Everybody {
    members: Vec<MemberListed>,
    keys: Vec<KeyListed>,
}

/// Somebody who works here.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct MemberListed {
    id: String,
    name: String,
    /// `manager` or `staff`.
    role: &'static str,
    /// `null` is every site.
    sites: Option<BTreeSet<String>>,
    counters: BTreeSet<String>,
}

impl From<&Member> for MemberListed {
    fn from(member: &Member) -> Self {
        let Member { id, name, role, sites, counters } = member.clone();
        let role = match role {
            StaffRole::Manager => "manager",
            StaffRole::Staff => "staff",
        };
        MemberListed { id, name, role, sites, counters }
    }
}

/// A key of a program, without the key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProgramKey")]
struct KeyListed {
    id: String,
    name: String,
    sites: Option<BTreeSet<String>>,
    counters: BTreeSet<String>,
}

async fn list(State(door): State<Door>, asker: Asker) -> Result<Json<Everybody>, Problem> {
    asker.must_manage()?;
    let roster = door.staff.known().await?;
    let covered = |sites: &Option<BTreeSet<String>>| asker.opens().covers(&sites.clone().into());
    let members =
        roster.members().filter(|member| covered(&member.sites)).map(MemberListed::from).collect();
    let keys = roster.keys().filter(|key| covered(&key.sites)).cloned();
    let listed =
        |ProgramKey { id, name, sites, counters, .. }| KeyListed { id, name, sites, counters };
    Ok(Json(Everybody { members, keys: keys.map(listed).collect() }))
}

/// What is to change; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "MemberChanges")]
#[serde(deny_unknown_fields)]
struct Changes {
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

async fn change(
    State(door): State<Door>,
    Path(id): Path<String>,
    asker: Asker,
    body: Body,
) -> Result<Json<MemberListed>, Problem> {
    asker.must_manage()?;
    let wanted: Changes = body::json(body, BODY_LIMIT).await?;
    let name = wanted.name.as_deref().map(named).transpose()?;
    let (role, sites, counters) = (wanted.role, wanted.sites, wanted.counters);
    if let Some(name) = name {
        let renamed = |roster: &Roster| {
            let known = theirs(roster, &asker, &id)?;
            let event = StaffEvent::Renamed { id: id.clone(), name: name.clone() };
            Ok((known.name != name).then_some(event))
        };
        door.staff.change(&asker.name, renamed).await?;
    }
    let roster = door.staff.change(&asker.name, |roster| {
        let known = theirs(roster, &asker, &id)?;
        let role = role.unwrap_or(known.role);
        let wanted = Place {
            sites: sites.clone().unwrap_or_else(|| known.sites.clone()),
            counters: counters.clone().unwrap_or_else(|| known.counters.clone()),
        };
        let Place { sites, counters } = wanted.checked(&door, &asker, role)?;
        if role != StaffRole::Manager || sites.is_some() {
            not_the_last(roster, known)?;
        }
        let same = (known.role, &known.sites, &known.counters) == (role, &sites, &counters);
        Ok((!same).then(|| StaffEvent::RoleChanged { id: id.clone(), role, sites, counters }))
    });
    let roster = roster.await?;
    tracing::info!(staff = &*asker.name, member = id, "a member was changed");
    Ok(Json(theirs(&roster, &asker, &id)?.into()))
}

async fn remove(
    State(door): State<Door>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    asker.must_manage()?;
    let removed = |roster: &Roster| {
        not_the_last(roster, theirs(roster, &asker, &id)?)?;
        Ok(Some(StaffEvent::Removed { id: id.clone() }))
    };
    door.staff.change(&asker.name, removed).await?;
    tracing::info!(staff = &*asker.name, member = id, "a member was removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A key that a program is to have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyWanted {
    name: String,
    sites: Option<BTreeSet<String>>,
    #[serde(default)]
    counters: BTreeSet<String>,
}

/// A key that was just made.
#[derive(Serialize, JsonSchema)]
struct KeyMade {
    id: String,
    /// Told this once.
    key: String,
}

async fn make_key(
    State(door): State<Door>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Created<KeyMade>, Problem> {
    asker.must_manage()?;
    let wish = idempotency_key(&headers)?;
    let KeyWanted { name, sites, counters } = body::json(body, BODY_LIMIT).await?;
    let name = named(&name)?;
    // A program without counters acts as a manager; with some, as staff there.
    let role = if counters.is_empty() { StaffRole::Manager } else { StaffRole::Staff };
    let Place { sites, counters } = Place { sites, counters }.checked(&door, &asker, role)?;
    let roster = door.staff.known().await?;
    let tag = wish.map(|wish| roster.tag("key", &[&asker.name, wish]));
    let id = match tag {
        // The same wish, at any replica and at any time, is the same id.
        Some(tag) => format!("k_{}", &tag.ok_or(&refusals::LEDGER_UNAVAILABLE)?[..12]),
        None => fresh("k_"),
    };
    let key = format!("{PROGRAM_KEY}{}", entropy::token(24));
    let hash = hex::encode(Sha256::digest(&key));
    let made = ProgramKey { id: id.clone(), name, hash, sites, counters };
    let event = |roster: &Roster| match roster.was_made(&id) {
        true => Err(Problem::new(&refusals::KEY_MADE_BEFORE).detail(id.clone())),
        false => Ok(Some(StaffEvent::KeyMade { key: made.clone() })),
    };
    door.staff.change(&asker.name, event).await?;
    tracing::info!(staff = &*asker.name, key = id, "a key was made");
    Ok(Created(KeyMade { id, key }))
}

async fn revoke(
    State(door): State<Door>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    asker.must_manage()?;
    let revoked = |roster: &Roster| {
        let key = roster.keys().find(|key| key.id == id).ok_or(&refusals::UNKNOWN_KEY)?;
        match asker.opens().covers(&key.sites.clone().into()) {
            true => Ok(Some(StaffEvent::KeyRevoked { id: id.clone() })),
            false => Err(Problem::new(&refusals::NOT_YOUR_SITE)),
        }
    };
    door.staff.change(&asker.name, revoked).await?;
    tracing::info!(staff = &*asker.name, key = id, "a key was revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Where somebody works.
pub(super) struct Place {
    pub(super) sites: Option<BTreeSet<String>>,
    pub(super) counters: BTreeSet<String>,
}

impl Place {
    /// The same, if it is there and the asker may give it.
    pub(super) fn checked(
        self,
        door: &Door,
        asker: &Asker,
        role: StaffRole,
    ) -> Result<Place, Problem> {
        let Place { sites, counters } = self;
        let malformed = |detail: &str| Problem::new(&refusals::MALFORMED_REQUEST).detail(detail);
        for site in sites.iter().flatten() {
            door.lines.book(site).ok_or(&refusals::UNKNOWN_SITE)?;
        }
        let opens = Opens::from(sites.clone());
        if !asker.opens().covers(&opens) {
            return Err(Problem::new(&refusals::NOT_YOUR_SITE));
        }
        if role == StaffRole::Manager {
            return Ok(Place { sites, counters: BTreeSet::new() });
        }
        if counters.is_empty() {
            return Err(malformed("counters: staff have at least one"));
        }
        for counter in &counters {
            let id = CounterId::new(counter);
            let mut books = door.lines.books().filter(|book| opens.contains(&book.facts.id));
            if !books.any(|book| book.rules.counters.contains_key(&id)) {
                return Err(Problem::new(&refusals::UNKNOWN_COUNTER).detail(counter.clone()));
            }
        }
        Ok(Place { sites, counters })
    }
}

/// A member that the asker has to do with.
pub(super) fn theirs<'a>(
    roster: &'a Roster,
    asker: &Asker,
    id: &str,
) -> Result<&'a Member, Problem> {
    let member = roster.member(id).ok_or(&refusals::UNKNOWN_MEMBER)?;
    match asker.opens().covers(&member.sites.clone().into()) {
        true => Ok(member),
        false => Err(Problem::new(&refusals::NOT_YOUR_SITE)),
    }
}

/// Somebody has to be left who may do everything.
fn not_the_last(roster: &Roster, member: &Member) -> Result<(), Problem> {
    let runs_all = |member: &Member| member.role == StaffRole::Manager && member.sites.is_none();
    let others = || roster.members().any(|other| other.id != member.id && runs_all(other));
    match runs_all(member) && !others() {
        true => Err(Problem::new(&refusals::LAST_MANAGER)),
        false => Ok(()),
    }
}

/// A name that people can read.
pub(super) fn named(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let length = name.chars().count();
    match (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control) {
        true => Ok(name.to_owned()),
        false => {
            let detail = format!("name: 1 to {LONGEST_NAME} characters on one line");
            Err(Problem::new(&refusals::MALFORMED_REQUEST).detail(detail))
        }
    }
}

/// An id that nobody has or had.
pub(super) fn fresh(kind: &str) -> String {
    format!("{kind}{}", hex::encode(entropy::bytes::<6>()))
}
