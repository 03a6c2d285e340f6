//! Members of staff of an account that migrates: sealed before, and known by other openids after.

use super::accounts::{log_progress, new_openids, require_account, validate_former};
use crate::http::access::Owner;
use crate::http::errors::wechat_problem;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::error::IdentityError;
use crate::identity::roster::Roster;
use crate::identity::sealed_members::{self, OpenError};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use paihao_contracts::migrating_members::{MigratingMember, MigratingMembers};
use paihao_contracts::staff::{STAFF_GENERATION, StaffEvent};
use paihao_http_api::body;
use paihao_wechat::OpenId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Largest body of a request, in bytes: a sealed list of some thousands of members.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Members of staff who were found among the followers.
#[derive(Serialize, JsonSchema)]
pub(super) struct PreparationView {
    account: String,
    /// Number of members who log in by following this account.
    members: u32,
    /// Number of members who do not, and have to be invited again.
    others: u32,
    /// The list, which only this deployment can open.
    sealed: String,
}

/// Sealed list of members, after the migration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MigrateStaffRequest {
    /// AppID or original id of the former account.
    from: String,
    /// The list.
    sealed: String,
    /// True to count only.
    #[serde(default)]
    dry_run: bool,
}

/// Numbers of members.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct MigratedStaffView {
    account: String,
    /// Members who log in at this account from now on.
    migrated: u32,
    /// Members who did so before, by an earlier request or an invitation.
    current: u32,
    /// Members for whom WeChat gives no new openid; they have to be invited again.
    unreachable: u32,
    /// Members who were removed since the list was sealed.
    removed: u32,
}

pub(super) async fn prepare(
    State(state): State<AppState>,
    Path(account): Path<String>,
    owner: Owner,
) -> Result<Json<PreparationView>, Problem> {
    require_account(&state, &account)?;
    state.roster.require_current()?;
    let roster = state.roster.loaded().await?;
    let all: BTreeSet<&str> = roster.members().map(|member| &*member.id).collect();
    let mut found = Vec::new();
    let mut after = None;
    while found.len() < all.len() {
        let page = state.wechat.followers(&account, after.as_ref()).await;
        let page = page.map_err(|error| wechat_problem(error, &refusals::MIGRATION_REFUSED))?;
        found.extend(page.openids.iter().filter_map(|openid| {
            let hash = roster.person_hash(&account, openid.expose())?;
            let id = roster.member_by_person_hash(&hash)?.id.clone();
            Some(MigratingMember { id, person: openid.expose().to_owned() })
        }));
        match page.next {
            // The same openid again would lead around in a circle.
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => break,
        }
    }
    let members = found.len() as u32;
    let by = &*owner.principal.name;
    tracing::info!(account, by, members, "members of staff sealed for a migration");
    let others = all.len() as u32 - members;
    let sealed = sealed_members::seal(&roster, &MigratingMembers::new(&account, found));
    let sealed = sealed.ok_or(&refusals::LEDGER_UNAVAILABLE)?;
    Ok(Json(PreparationView { account, members, others, sealed }))
}

/// State of a member of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberState {
    /// Logs in at the former account.
    Former,
    /// Logs in elsewhere.
    Current,
    Removed,
}

impl MemberState {
    fn of(roster: &Roster, account: &str, member: &MigratingMember) -> MemberState {
        let former = roster.person_hash(account, &member.person);
        match roster.person_hash_of(&member.id) {
            None => MemberState::Removed,
            Some(hash) if Some(hash) == former.as_deref() => MemberState::Former,
            Some(_) => MemberState::Current,
        }
    }
}

pub(super) async fn migrate(
    State(state): State<AppState>,
    Path(account): Path<String>,
    owner: Owner,
    body: Body,
) -> Result<Json<MigratedStaffView>, Problem> {
    require_account(&state, &account)?;
    let MigrateStaffRequest { from, sealed, dry_run } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let from = validate_former(&from)?;
    if !dry_run && !state.settings.write_version.allows(STAFF_GENERATION) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    state.roster.require_current()?;
    let roster = state.roster.loaded().await?;
    let list = sealed_members::open(&roster, &sealed).map_err(|error| {
        Problem::new(match error {
            OpenError::Foreign => &refusals::WRONG_SEAL,
            OpenError::Newer(_) => &refusals::NEWER_LEDGER,
        })
    })?;
    let mut view = MigratedStaffView { account, ..MigratedStaffView::default() };
    let mut former = Vec::new();
    for member in list.members {
        match MemberState::of(&roster, &list.account, &member) {
            MemberState::Former => former.push(member),
            MemberState::Current => view.current += 1,
            MemberState::Removed => view.removed += 1,
        }
    }
    let openids: Vec<_> = former.iter().map(|member| OpenId::new(&member.person)).collect();
    let new = new_openids(&state, &view.account, from, &openids).await?;
    for (member, openid) in former.into_iter().zip(openids) {
        let hash = new.get(&openid).and_then(|new| roster.person_hash(&view.account, new.expose()));
        let Some(hash) = hash else {
            view.unreachable += 1;
            continue;
        };
        // Whoever was invited again already is another member by the new openid.
        let is_invited = |roster: &Roster| roster.member_by_person_hash(&hash).is_some();
        if is_invited(&roster) {
            view.current += 1;
            continue;
        }
        if !dry_run {
            let updated = state.roster.update(owner.principal.author(), |roster| {
                let state = MemberState::of(roster, &list.account, &member);
                let event = StaffEvent::Migrated { id: member.id.clone(), person: hash.clone() };
                let is_due = state == MemberState::Former && !is_invited(roster);
                Ok::<_, IdentityError>(is_due.then_some(event))
            });
            updated.await?;
        }
        view.migrated += 1;
    }
    log_progress(&owner, &view.account, "staff", view.migrated, dry_run);
    Ok(Json(view))
}
