//! A manager shows a code, and whoever scans it works here from then on.
//!
//! Here the code on the screen is what is given away: it works once and for minutes, and the manager
//! who shows it sees at once who has come.

use super::login::{Nothing, told};
use super::people::{Place, named};
use super::sessions::{picture, scan_link};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::callers::Caller;
use crate::http::openapi::answer::Created;
use crate::http::openapi::{MANAGERS, Routes, op};
use crate::http::refusals::{self, Problem, ProblemSeen};
use crate::http::state::Door;
use crate::identity::login;
use crate::scan::qr::Picture;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use paihao_chassis::entropy;
use paihao_contracts::session::{Invitation, Purpose, ScanSession};
use paihao_contracts::staff::{Member, StaffRole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Bytes of a request.
const BODY_LIMIT: usize = 4096;

pub(super) fn routes() -> Routes {
    const WATCHED: &[&refusals::Kind] = &[
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
            op("invite", "A code that makes whoever scans it a member of staff", MANAGERS)
                .takes::<Invited>()
                .repeatable("each time it is one code more, which ends by itself")
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE])
                .refuses(&[&refusals::UNKNOWN_COUNTER, &refusals::UNKNOWN_ACCOUNT])
                .refuses(&[&refusals::CACHE_UNAVAILABLE, &refusals::WECHAT_UNAVAILABLE])
                .refuses(&[&refusals::TOO_MANY_REQUESTS]),
        )
        .get(
            "/api/v1/invitations/{uuid}/qr.svg",
            drawn,
            op("invitation_code", "The code, to the manager who invites", MANAGERS)
                .answers_with("image/svg+xml")
                .refuses(WATCHED)
                .refuses(&[&refusals::WECHAT_UNAVAILABLE]),
        )
        .get(
            "/api/v1/invitations/{uuid}/events",
            events,
            op("invitation_events", "Whether somebody has come, to the manager", MANAGERS)
                .tells::<Nothing>("pending")
                .tells::<Nothing>("approved")
                .tells::<ProblemSeen>("refused")
                .tells::<Nothing>("expired")
                .refuses(WATCHED),
        )
}

/// Whom a manager invites.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "InvitationWanted")]
#[serde(deny_unknown_fields)]
struct Invited {
    name: String,
    /// `manager` or `staff`.
    #[schemars(with = "String")]
    role: StaffRole,
    /// `null` is every site.
    sites: Option<BTreeSet<String>>,
    #[serde(default)]
    counters: BTreeSet<String>,
}

/// An invitation to be scanned.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitationOpened")]
struct Opened {
    uuid: Uuid,
    /// Who the one is from then on who scans.
    member: String,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    events: String,
    /// Where a simulated phone can scan the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
}

async fn open(
    State(door): State<Door>,
    asker: Asker,
    caller: Caller,
    body: Body,
) -> Result<Created<Opened>, Problem> {
    asker.must_manage()?;
    door.limits.code(caller)?;
    let Invited { name, role, sites, counters } = body::json(body, BODY_LIMIT).await?;
    let name = named(&name)?;
    let Place { sites, counters } = Place { sites, counters }.checked(&door, &asker, role)?;
    let member = Member { id: login::fresh_member(), name, role, sites, counters };
    let account = door.settings.login.account.as_ref().ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let (uuid, id) = (entropy::uuid(), member.id.clone());
    let invitation = Purpose::Invitation(Invitation { by: asker.name.to_string(), member });
    let session = door.sessions.open(uuid, account, invitation).await?;
    let at = format!("/api/v1/invitations/{uuid}");
    tracing::info!(staff = &*asker.name, member = id, "somebody is invited");
    Ok(Created(Opened {
        uuid,
        member: id,
        expires_at: session.expires_at,
        qr_svg: format!("{at}/qr.svg"),
        events: format!("{at}/events"),
        scan_link: scan_link(&door, &session),
    }))
}

/// The invitation of a uuid, to whoever made it.
async fn own(door: &Door, uuid: &str, asker: &Asker) -> Result<(Uuid, ScanSession), Problem> {
    asker.must_manage()?;
    let uuid = Uuid::try_parse(uuid).map_err(|_| &refusals::MALFORMED_UUID)?;
    let session = door.sessions.find(uuid).await?;
    match &session.purpose {
        Purpose::Invitation(invitation) if invitation.by == *asker.name => Ok((uuid, session)),
        _ => Err(Problem::new(&refusals::UNKNOWN_SESSION)),
    }
}

async fn drawn(
    State(door): State<Door>,
    Path(uuid): Path<String>,
    asker: Asker,
    caller: Caller,
) -> Result<Response, Problem> {
    door.limits.look(caller)?;
    let (_, session) = own(&door, &uuid, &asker).await?;
    picture(&door, &session, Picture::Svg).await
}

async fn events(
    State(door): State<Door>,
    Path(uuid): Path<String>,
    asker: Asker,
    caller: Caller,
) -> Result<Response, Problem> {
    door.limits.look(caller)?;
    let (uuid, _) = own(&door, &uuid, &asker).await?;
    Ok(told(&door, uuid))
}
