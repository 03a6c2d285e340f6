//! Invitations: a manager shows a code, and confirms whoever scanned it as a member of staff.
//!
//! The code works once and for minutes. The phone that scanned it shows digits, and the manager
//! enters them: whoever merely saw the code joins nothing.

use super::login_progress::{EnterDigitsRequest, LoginStepEvent, decline_kind, progress_stream};
use super::members::{AccessScope, MemberView, validate_name};
use super::scan_sessions::{parse_uuid, qr_image, scan_link};
use crate::http::access::{Authorized, Manager};
use crate::http::auth::{Principal, SiteScope};
use crate::http::client_ip::ClientIp;
use crate::http::digit_entry::{self, DigitEntry};
use crate::http::guesses::Guess;
use crate::http::openapi::Created;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemDetails};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use crate::identity::login;
use crate::identity::roster::Roster;
use crate::scan::qr::QrFormat;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::session::{
    DeclineReason, Invitation, ScanProgress, ScanPurpose, ScanSession,
};
use paihao_contracts::staff::{Member, StaffEvent, StaffRole};
use paihao_domain::Actor;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

pub(super) fn routes() -> Routes {
    const SESSION_REFUSALS: &[&refusals::ProblemKind] = &[
        &refusals::MALFORMED_UUID,
        &refusals::UNKNOWN_SESSION,
        &refusals::SESSION_EXPIRED,
        &refusals::CACHE_UNAVAILABLE,
        &refusals::TOO_MANY_REQUESTS,
    ];
    Routes::new()
        .post(
            "/api/v1/invitations",
            open,
            endpoint("invite", "Makes a code for somebody who is to become a member of staff")
                .json_body::<InviteMemberRequest>()
                .without_idempotency_key("each time it is one code more, which ends by itself")
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE])
                .refuses(&[&refusals::UNKNOWN_COUNTER, &refusals::UNKNOWN_ACCOUNT])
                .refuses(&[&refusals::CACHE_UNAVAILABLE, &refusals::WECHAT_UNAVAILABLE])
                .refuses(&[&refusals::CODES_NOT_PERMITTED])
                .refuses(&[&refusals::TOO_MANY_REQUESTS]),
        )
        .get(
            "/api/v1/invitations",
            list,
            endpoint("invitations", "Lists the invitations that are open, of every manager")
                .refuses(&[&refusals::CACHE_UNAVAILABLE, &refusals::TOO_MANY_REQUESTS]),
        )
        .delete(
            "/api/v1/invitations/{uuid}",
            revoke,
            endpoint("revoke_invitation", "Ends an invitation that nobody has joined by")
                .without_idempotency_key("what has ended stays so")
                .responds_no_content()
                .refuses(SESSION_REFUSALS)
                .refuses(&[&refusals::NOT_YOUR_SITE]),
        )
        .get(
            "/api/v1/invitations/{uuid}/qr.svg",
            qr_code,
            endpoint("invitation_code", "Draws the code, for the manager who invites")
                .responds_with("image/svg+xml")
                .refuses(SESSION_REFUSALS)
                .refuses(&[&refusals::WECHAT_UNAVAILABLE]),
        )
        .get(
            "/api/v1/invitations/{uuid}/events",
            events,
            endpoint(
                "invitation_events",
                "Streams the invitation's progress, for the manager who invites",
            )
            .sends_event::<LoginStepEvent>("pending")
            .sends_event::<LoginStepEvent>("scanned")
            .sends_event::<LoginStepEvent>("approved")
            .sends_event::<ProblemDetails>("refused")
            .sends_event::<LoginStepEvent>("expired")
            .refuses(SESSION_REFUSALS),
        )
        .post(
            "/api/v1/invitations/{uuid}/confirm",
            confirm,
            endpoint(
                "confirm_invitation",
                "Enters the digits of the phone that scanned: its person becomes a member of staff",
            )
            .json_body::<EnterDigitsRequest>()
            .without_idempotency_key("right digits entered again change nothing")
            .refuses(SESSION_REFUSALS)
            .refuses(&[&refusals::LOGIN_PENDING, &refusals::WRONG_DIGITS])
            .refuses(&[&refusals::LOGIN_REFUSED, &refusals::NOT_STAFF, &refusals::NOT_YOUR_SITE])
            .refuses(&[&refusals::LEDGER_UNAVAILABLE]),
        )
}

/// Role and scope of an invited member.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InviteMemberRequest {
    name: String,
    /// `manager` or `staff`.
    #[schemars(with = "String")]
    role: StaffRole,
    /// `null` is every site.
    sites: Option<BTreeSet<String>>,
    #[serde(default)]
    counters: BTreeSet<String>,
}

/// Invitation, with the addresses of its code and progress.
#[derive(Serialize, JsonSchema)]
struct InvitationView {
    uuid: Uuid,
    /// Member that the invitation creates.
    member: String,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    events: String,
    /// Address that takes the digits of the phone.
    confirm: String,
    /// Address at which a simulated phone scans the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
}

/// Invitation that is open.
#[derive(Serialize, JsonSchema)]
struct OpenInvitationView {
    uuid: Uuid,
    /// Id of the member, or name of the key, that invites.
    by: String,
    /// Member that the invitation creates.
    member: MemberView,
    /// Unix milliseconds from which on it no longer works.
    expires_at: i64,
    /// True if somebody has scanned its code and is to be confirmed.
    scanned: bool,
}

async fn open(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
    body: Body,
) -> Result<Created<InvitationView>, Problem> {
    state.rate_limiter.admit_code(client_ip)?;
    let InviteMemberRequest { name, role, sites, counters } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let name = validate_name(&name)?;
    let AccessScope { sites, counters } =
        AccessScope { sites, counters }.validated(&state, &principal, role)?;
    let member = Member { id: login::new_member_id(), name, role, sites, counters };
    let account = state.login_account().ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let uuid = entropy::uuid();
    let id = member.id.clone();
    let invitation = ScanPurpose::Invitation(Invitation { by: principal.name.to_string(), member });
    let session = state.scan_sessions.open(uuid, &account, invitation).await?;
    state.invitation_index.add(uuid, session.expires_at, state.clock.now_ms()).await?;
    let path = format!("/api/v1/invitations/{uuid}");
    tracing::info!(staff = &*principal.name, member = id, "invitation created");
    Ok(Created(InvitationView {
        uuid,
        member: id,
        expires_at: session.expires_at,
        qr_svg: format!("{path}/qr.svg"),
        events: format!("{path}/events"),
        confirm: format!("{path}/confirm"),
        scan_link: scan_link(&state, &session),
    }))
}

/// Returns whether whoever invited may still give what the invitation gives, and nobody has joined
/// by it.
pub(crate) fn is_still_good(
    state: &AppState,
    roster: &Roster,
    uuid: Uuid,
    invitation: &Invitation,
) -> bool {
    let scope = SiteScope::from(invitation.member.sites.clone());
    let inviter = Principal::of_login(state, roster, &invitation.by);
    let may_invite = |inviter: &Principal| {
        matches!(inviter.actor, Actor::Manager(_)) && inviter.scope().covers(&scope)
    };
    inviter.as_ref().is_some_and(may_invite) && !roster.is_invitation_used(&uuid.to_string())
}

/// Invitations that are open, with the sessions of their codes.
async fn open_invitations(
    state: &AppState,
) -> Result<Vec<(Uuid, ScanSession, Invitation)>, Problem> {
    let roster = state.roster.loaded().await?;
    let mut open = Vec::new();
    for uuid in state.invitation_index.list(state.clock.now_ms()).await? {
        let Ok(session) = state.scan_sessions.find(uuid).await else { continue };
        let is_open = matches!(
            session.progress,
            ScanProgress::Pending | ScanProgress::AwaitingConfirmation { .. }
        );
        let ScanPurpose::Invitation(invitation) = session.purpose.clone() else { continue };
        if is_open && is_still_good(state, &roster, uuid, &invitation) {
            open.push((uuid, session, invitation));
        }
    }
    Ok(open)
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
) -> Result<Json<Vec<OpenInvitationView>>, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let open = open_invitations(&state).await?.into_iter();
    let own = open.filter(|(.., invitation)| {
        principal.scope().covers(&invitation.member.sites.clone().into())
    });
    let views = own.map(|(uuid, session, Invitation { by, member })| OpenInvitationView {
        uuid,
        by,
        member: (&member).into(),
        expires_at: session.expires_at,
        scanned: session.progress != ScanProgress::Pending,
    });
    Ok(Json(views.collect()))
}

/// Invitation with this uuid, for the manager who created it.
async fn find_own_invitation(
    state: &AppState,
    uuid: &str,
    principal: &Principal,
) -> Result<(Uuid, ScanSession, Invitation), Problem> {
    let uuid = parse_uuid(uuid)?;
    let session = state.scan_sessions.find(uuid).await?;
    match session.purpose.clone() {
        ScanPurpose::Invitation(invitation) if invitation.by == *principal.name => {
            Ok((uuid, session, invitation))
        }
        _ => Err(Problem::new(&refusals::UNKNOWN_SESSION)),
    }
}

async fn revoke(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let uuid = parse_uuid(&uuid)?;
    let session = state.scan_sessions.find(uuid).await?;
    let ScanPurpose::Invitation(invitation) = session.purpose else {
        return Err(Problem::new(&refusals::UNKNOWN_SESSION));
    };
    principal.authorize_scope(&invitation.member.sites.clone().into())?;
    let revoked = state.scan_sessions.advance(uuid, |session| match &session.progress {
        ScanProgress::Pending => Some(declined("")),
        ScanProgress::AwaitingConfirmation { person, .. } => Some(declined(person)),
        _ => None,
    });
    revoked.await?;
    tracing::info!(staff = &*principal.name, member = invitation.member.id, "invitation revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn declined(person: &str) -> ScanProgress {
    ScanProgress::Declined { person: person.to_owned(), reason: DeclineReason::Already }
}

async fn confirm(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
    body: Body,
) -> Result<Json<MemberView>, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let EnterDigitsRequest { digits } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let (uuid, _, invitation) = find_own_invitation(&state, &uuid, &principal).await?;
    state.guesses.admit(client_ip)?;
    match digit_entry::enter(&state.scan_sessions, uuid, &digits).await? {
        DigitEntry::Right { person, tag, .. } => {
            let member = join(&state, &principal, uuid, &invitation, person).await?;
            tracing::info!(staff = &*principal.name, member = member.id, tag, "member joined");
            Ok(Json((&member).into()))
        }
        DigitEntry::Wrong => {
            state.guesses.note_wrong(Guess::Code, client_ip).await;
            Err(Problem::new(&refusals::WRONG_DIGITS))
        }
        DigitEntry::NotAsked(session) => match session.progress {
            ScanProgress::Declined { reason, .. } => Err(Problem::new(decline_kind(reason))),
            ScanProgress::Approved { .. } => {
                let roster = state.roster.loaded().await?;
                let member = roster.member(&invitation.member.id);
                Ok(Json(member.ok_or(&refusals::NOT_STAFF)?.into()))
            }
            _ => Err(Problem::new(&refusals::LOGIN_PENDING)),
        },
    }
}

/// Records the membership, if whoever invited may still give it, and ends the invitation.
async fn join(
    state: &AppState,
    principal: &Principal,
    uuid: Uuid,
    invitation: &Invitation,
    person: String,
) -> Result<Member, Problem> {
    let member = &invitation.member;
    let updated = state.roster.update(principal.author(), |roster| {
        if roster.member_by_person_hash(&person).is_some() {
            return Ok(None);
        }
        if !is_still_good(state, roster, uuid, invitation) {
            return Err(Problem::new(&refusals::NOT_YOUR_SITE));
        }
        Ok(Some(StaffEvent::Joined {
            member: member.clone(),
            person: person.clone(),
            invitation: uuid.to_string(),
        }))
    });
    let roster = updated.await?;
    let joined = roster.member_by_person_hash(&person).filter(|joined| joined.id == member.id);
    let advanced = state.scan_sessions.advance(uuid, |session| {
        let is_asked = matches!(session.progress, ScanProgress::AwaitingConfirmation { .. });
        is_asked.then(|| match joined {
            Some(member) => ScanProgress::Approved {
                person: person.clone(),
                member: Some(member.id.clone()),
                at: 0,
                unionid: None,
            },
            None => declined(&person),
        })
    });
    advanced.await?;
    joined.cloned().ok_or_else(|| Problem::new(&refusals::NOT_STAFF))
}

async fn qr_code(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let (_, session, _) = find_own_invitation(&state, &uuid, &principal).await?;
    qr_image(&state, &session, QrFormat::Svg).await
}

async fn events(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
    place: StreamPlace,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let (uuid, ..) = find_own_invitation(&state, &uuid, &principal).await?;
    Ok(progress_stream(&state, uuid, place))
}
