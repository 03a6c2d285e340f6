//! Approval of a login, by the digits entered at its page or by an answer on the phone.

use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::error::IdentityError;
use crate::identity::login::settings::Confirmation;
use crate::identity::login::{self, LoginDestination};
use crate::identity::roster::Roster;
use crate::scan::sessions::SessionError;
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use paihao_contracts::session::{
    DeclineReason, DigitChallenge, LoginTarget, ScanProgress, ScanSession, UnionId,
};
use paihao_contracts::staff::{Member, StaffEvent, StaffRole};
use std::sync::Arc;
use uuid::Uuid;

/// Time limit for the confirmation, and for the browser to redeem it.
pub(crate) const CONFIRMATION_TIMEOUT_MS: i64 = 3 * 60 * 1000;

/// Effect of a scan, an entry or an answer.
pub(crate) enum LoginOutcome {
    AwaitingConfirmation(Option<DigitChallenge>),
    LoggedIn,
    RefusedByPerson,
    NotStaff,
    TakenByAnother,
}

/// Reason for which nothing was done.
pub(crate) enum LoginError {
    Expired,
    Unavailable,
}

impl From<SessionError> for LoginError {
    fn from(error: SessionError) -> LoginError {
        match error {
            SessionError::Cache(error) => {
                tracing::warn!(%error, "cannot read the login session");
                LoginError::Unavailable
            }
            _ => LoginError::Expired,
        }
    }
}

impl From<IdentityError> for LoginError {
    fn from(_: IdentityError) -> LoginError {
        LoginError::Unavailable
    }
}

impl From<Problem> for LoginError {
    fn from(_: Problem) -> LoginError {
        LoginError::Unavailable
    }
}

/// Approves the login of a browser for a person who confirmed it. The first manager is recorded
/// before.
pub(crate) async fn approve(
    state: &AppState,
    uuid: Uuid,
    target: &LoginTarget,
    person: &str,
    unionid: Option<UnionId>,
) -> Result<LoginOutcome, LoginError> {
    let destination = state.login_destination(target);
    let Some(destination) = destination else { return Err(LoginError::Expired) };
    let session = state.scan_sessions.find(uuid).await?;
    if !is_own(&session, &destination, person) {
        return Ok(outcome_for(&session, person));
    }
    if *target == LoginTarget::First {
        claim_first_manager(state, person).await?;
    }
    let roster = state.roster.loaded().await?;
    let member = roster.member_by_person_hash(person);
    if !destination.admits(member) || *target == LoginTarget::First && member.is_none() {
        return Ok(LoginOutcome::NotStaff);
    }
    let member = member.map(|member| member.id.clone());
    let now = state.clock.now_ms();
    let advanced = state.scan_sessions.advance(uuid, |session| {
        session.expires_at = session.expires_at.max(now + CONFIRMATION_TIMEOUT_MS);
        let approved = ScanProgress::Approved {
            person: person.to_owned(),
            member: member.clone(),
            at: now,
            unionid: unionid.clone(),
        };
        is_own(session, &destination, person).then_some(approved)
    });
    Ok(outcome_for(&advanced.await?, person))
}

/// Returns whether this person may approve the session: they scanned it, or it needs no more.
fn is_own(session: &ScanSession, destination: &LoginDestination, person: &str) -> bool {
    match &session.progress {
        ScanProgress::Pending => destination.confirm == Confirmation::None,
        ScanProgress::AwaitingConfirmation { person: asked_person, .. } => asked_person == person,
        _ => false,
    }
}

/// First manager under a new id.
pub(crate) fn first_manager() -> Member {
    Member {
        id: login::new_member_id(),
        name: "管理员".into(),
        role: StaffRole::Manager,
        sites: None,
        counters: [].into(),
    }
}

/// Makes a person the first manager. Whoever is it already in a browser is known by their WeChat
/// from then on.
async fn claim_first_manager(state: &AppState, person: &str) -> Result<Arc<Roster>, Problem> {
    let member = first_manager();
    state
        .roster
        .update(login::FIRST_MANAGER_AUTHOR, |roster| {
            if roster.member_by_person_hash(person).is_some() {
                return Ok(None);
            }
            if roster.has_had_members() {
                return Err(Problem::new(&refusals::FIRST_CODE_USED));
            }
            if let Some(id) = roster.browser_manager() {
                let (id, person) = (id.to_owned(), person.to_owned());
                return Ok(Some(StaffEvent::Migrated { id, person }));
            }
            Ok(Some(StaffEvent::Joined {
                member: member.clone(),
                person: person.to_owned(),
                invitation: login::FIRST_MANAGER_AUTHOR.into(),
            }))
        })
        .await
}

/// Outcome for this person of a session in this state, equal at every repetition.
pub(crate) fn outcome_for(session: &ScanSession, person: &str) -> LoginOutcome {
    match &session.progress {
        ScanProgress::AwaitingConfirmation { person: asked_person, challenge, .. }
            if asked_person == person =>
        {
            LoginOutcome::AwaitingConfirmation(challenge.clone())
        }
        ScanProgress::Approved { person: scanned_by, .. }
        | ScanProgress::Redeemed { person: scanned_by }
            if scanned_by == person =>
        {
            LoginOutcome::LoggedIn
        }
        ScanProgress::Declined { person: scanned_by, reason } if scanned_by == person => {
            match reason {
                DeclineReason::NotStaff => LoginOutcome::NotStaff,
                DeclineReason::ByPerson => LoginOutcome::RefusedByPerson,
                DeclineReason::Already => LoginOutcome::TakenByAnother,
            }
        }
        _ => LoginOutcome::TakenByAnother,
    }
}

/// Time of the day as people at the account's sites read it: 14:03.
pub(crate) fn local_time(state: &AppState, account: &str, unix_ms: i64) -> String {
    let mut sites = state.engine.all_settings();
    let site = sites.find(|settings| &*settings.facts.account == account);
    let zone = site
        .map_or_else(|| TimeZone::fixed(offset(8)), |settings| settings.calendar.zone().clone());
    let instant = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    instant.to_zoned(zone).strftime("%H:%M").to_string()
}
