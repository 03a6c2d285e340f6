//! Invitations: a manager shows a code, and whoever scans it becomes a member of staff.
//!
//! The code works once and for minutes, and the manager sees at once that it was scanned.

use super::logins::{LoginStepEvent, progress_stream};
use super::members::{AccessScope, validate_name};
use super::scan_sessions::{parse_uuid, qr_image, scan_link};
use crate::http::access::{Authorized, Manager};
use crate::http::auth::Principal;
use crate::http::client_ip::ClientIp;
use crate::http::openapi::Created;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemDetails};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use crate::identity::login;
use crate::scan::qr::QrFormat;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use paihao_chassis::entropy;
use paihao_contracts::session::{Invitation, ScanPurpose, ScanSession};
use paihao_contracts::staff::{Member, StaffRole};
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
            endpoint("invite", "Makes a code that turns whoever scans it into a member of staff")
                .json_body::<InviteMemberRequest>()
                .without_idempotency_key("each time it is one code more, which ends by itself")
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE])
                .refuses(&[&refusals::UNKNOWN_COUNTER, &refusals::UNKNOWN_ACCOUNT])
                .refuses(&[&refusals::CACHE_UNAVAILABLE, &refusals::WECHAT_UNAVAILABLE])
                .refuses(&[&refusals::CODES_NOT_PERMITTED])
                .refuses(&[&refusals::TOO_MANY_REQUESTS]),
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
            .sends_event::<LoginStepEvent>("approved")
            .sends_event::<ProblemDetails>("refused")
            .sends_event::<LoginStepEvent>("expired")
            .refuses(SESSION_REFUSALS),
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
    /// Member that the scan creates.
    member: String,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    events: String,
    /// Address at which a simulated phone scans the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
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
    let account = state.settings.login.account.as_ref().ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let uuid = entropy::uuid();
    let id = member.id.clone();
    let invitation = ScanPurpose::Invitation(Invitation { by: principal.name.to_string(), member });
    let session = state.scan_sessions.open(uuid, account, invitation).await?;
    let path = format!("/api/v1/invitations/{uuid}");
    tracing::info!(staff = &*principal.name, member = id, "invitation created");
    Ok(Created(InvitationView {
        uuid,
        member: id,
        expires_at: session.expires_at,
        qr_svg: format!("{path}/qr.svg"),
        events: format!("{path}/events"),
        scan_link: scan_link(&state, &session),
    }))
}

/// Invitation with this uuid, for the manager who created it.
async fn find_own_invitation(
    state: &AppState,
    uuid: &str,
    principal: &Principal,
) -> Result<(Uuid, ScanSession), Problem> {
    let uuid = parse_uuid(uuid)?;
    let session = state.scan_sessions.find(uuid).await?;
    match &session.purpose {
        ScanPurpose::Invitation(invitation) if invitation.by == *principal.name => {
            Ok((uuid, session))
        }
        _ => Err(Problem::new(&refusals::UNKNOWN_SESSION)),
    }
}

async fn qr_code(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
    client_ip: ClientIp,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let (_, session) = find_own_invitation(&state, &uuid, &principal).await?;
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
    let (uuid, _) = find_own_invitation(&state, &uuid, &principal).await?;
    Ok(progress_stream(&state, uuid, place))
}
