//! Scan sessions: opening one, drawing its code, following its progress.

use super::code_image::{image_response, undrawable};
use super::door_codes::code_refusal;
use crate::http::client_ip::ClientIp;
use crate::http::cross_site::SameSite;
use crate::http::event_stream::json_event;
use crate::http::kiosk::KioskBrowser;
use crate::http::middleware::EMBEDDABLE;
use crate::http::openapi::Created;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use crate::scan::follow::{SessionChange, follow};
use crate::scan::qr::QrFormat;
use crate::scan::sessions::SessionError;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use paihao_chassis::entropy;
use paihao_contracts::session::{
    RefusedScan, ScanProgress, ScanPurpose, ScanSession, SessionTicket,
};
use paihao_domain::QueueId;
use paihao_http_api::ApiQuery;
use paihao_http_api::body;
use paihao_http_api::sse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

pub(super) fn routes() -> Routes {
    let path = |file| format!("/api/v1/scan-sessions/{{uuid}}/{file}");
    let open_refusals = [
        &refusals::UNKNOWN_SITE,
        &refusals::UNKNOWN_QUEUE,
        &refusals::SESSION_TAKEN,
        &refusals::SESSION_EXPIRED,
        &refusals::MALFORMED_UUID,
        &refusals::CACHE_UNAVAILABLE,
        &refusals::WECHAT_UNAVAILABLE,
        &refusals::CODES_NOT_PERMITTED,
        &refusals::TOO_MANY_REQUESTS,
        &refusals::CODES_RATIONED,
    ];
    let session_refusals = [
        &refusals::MALFORMED_UUID,
        &refusals::UNKNOWN_SESSION,
        &refusals::CACHE_UNAVAILABLE,
        &refusals::TOO_MANY_REQUESTS,
    ];
    let image_operation = |id, summary, content_type| {
        endpoint(id, summary)
            .responds_with(content_type)
            .refuses(&session_refusals)
            .refuses(&[&refusals::WECHAT_UNAVAILABLE])
    };
    Routes::new()
        .post(
            "/api/v1/scan-sessions",
            open,
            endpoint("open_scan_session", "Opens a scan session, whose code a browser shows")
                .json_body::<OpenScanSessionRequest>()
                .without_idempotency_key("the same uuid is the same session")
                .refuses(&open_refusals),
        )
        .get(
            &path("qr.svg"),
            async |state, uuid, client_ip, _: SameSite| {
                session_image(state, uuid, client_ip, QrFormat::Svg).await
            },
            image_operation("scan_session_svg", "Draws the session's code as SVG", "image/svg+xml"),
        )
        .get(
            &path("qr.png"),
            async |state, uuid, client_ip, _: SameSite| {
                session_image(state, uuid, client_ip, QrFormat::Png).await
            },
            image_operation("scan_session_png", "Draws the session's code as PNG", "image/png"),
        )
        .get(
            &path("qr.jpg"),
            async |state, uuid, client_ip, _: SameSite| {
                session_image(state, uuid, client_ip, QrFormat::Jpg).await
            },
            image_operation(
                "scan_session_jpg",
                "Returns WeChat's own picture of the session's code",
                "image/jpeg",
            ),
        )
        .get(
            &path("events"),
            events,
            endpoint("scan_session_events", "Streams the progress of a scan session")
                .sends_event::<EmptyEvent>("pending")
                .sends_event::<EmptyEvent>("scanned")
                .sends_event::<SessionTicket>("ticket")
                .sends_event::<RefusedScanEvent>("refused")
                .sends_event::<EmptyEvent>("expired")
                .refuses(&session_refusals),
        )
        .get(
            "/qr/{uuid}",
            open_and_draw,
            endpoint("qr", "Opens a session and returns its code in one step, for an `<img>`")
                .responds_with("image/svg+xml")
                .responds_with("image/png")
                .responds_with("image/jpeg")
                .refuses(&open_refusals),
        )
}

/// Scan of somebody who gets no number: they have taken as many of the queue today as one person
/// may.
#[derive(Serialize, JsonSchema)]
struct RefusedScanEvent {
    /// `person_limit`.
    code: &'static str,
    /// Numbers that one person may take of the queue on a day.
    limit: u32,
}

/// Empty data of an event.
#[derive(Serialize, JsonSchema)]
struct EmptyEvent {}

/// Queue or purpose of a new scan session.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OpenScanSessionRequest {
    /// Uuid that the browser chose; a random one, if left out.
    uuid: Option<String>,
    /// `ticket`, the default.
    purpose: Option<String>,
    /// Site of the queue; may be left out where only one site has such a queue.
    site: Option<String>,
    /// Queue in which the scan takes a ticket.
    queue: String,
}

/// Scan session, for its browser: without the scene, which only WeChat sends back.
#[derive(Serialize, JsonSchema)]
struct ScanSessionView {
    uuid: Uuid,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    /// Path of the code as SVG.
    qr_svg: String,
    /// Path of the code as PNG.
    qr_png: String,
    /// Path of WeChat's own picture of the code.
    qr_jpg: String,
    /// Path of the stream of its progress.
    events: String,
    /// Address at which a simulated phone scans the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
}

async fn open(
    State(state): State<AppState>,
    client_ip: ClientIp,
    kiosk: KioskBrowser,
    _: SameSite,
    body: Body,
) -> Result<Created<ScanSessionView>, Problem> {
    state.rate_limiter.admit_code(client_ip)?;
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let request: OpenScanSessionRequest = body::parse_object::<AppState, _>(&body)?;
    if request.purpose.as_deref().is_some_and(|purpose| purpose != "ticket") {
        return Err(refusals::malformed("purpose: the one purpose is \"ticket\""));
    }
    let uuid = request.uuid.as_deref().map_or_else(|| Ok(entropy::uuid()), parse_uuid)?;
    let site = request.site.as_deref();
    let session = open_for_queue(&state, &kiosk, uuid, site, &request.queue).await?;
    let path = format!("/api/v1/scan-sessions/{uuid}");
    let view = ScanSessionView {
        uuid,
        expires_at: session.expires_at,
        qr_svg: format!("{path}/qr.svg"),
        qr_png: format!("{path}/qr.png"),
        qr_jpg: format!("{path}/qr.jpg"),
        events: format!("{path}/events"),
        scan_link: scan_link(&state, &session),
    };
    Ok(Created(view))
}

/// `GET /qr/{uuid}?site=…&queue=…`: opens the session if need be and responds with its code, for an
/// `<img>`. The uuid may end in `.svg`, `.png` or `.jpg`.
async fn open_and_draw(
    State(state): State<AppState>,
    Path(name): Path<String>,
    client_ip: ClientIp,
    kiosk: KioskBrowser,
    _: SameSite,
    ApiQuery(query): ApiQuery<QrQuery>,
) -> Result<Response, Problem> {
    let (uuid, extension) = name.rsplit_once('.').unwrap_or((&name, "svg"));
    let format = match extension {
        "svg" => QrFormat::Svg,
        "png" => QrFormat::Png,
        "jpg" => QrFormat::Jpg,
        other => return Err(refusals::malformed(format!("{other} is not svg, png or jpg"))),
    };
    state.rate_limiter.admit_code(client_ip)?;
    let (uuid, site) = (parse_uuid(uuid)?, query.site.as_deref());
    let session = open_for_queue(&state, &kiosk, uuid, site, &query.queue).await?;
    let image = qr_image(&state, &session, format).await?;
    Ok(([EMBEDDABLE], image).into_response())
}

/// Query of a code's image.
#[derive(Deserialize, JsonSchema)]
struct QrQuery {
    /// Site of the queue; may be left out where only one site has such a queue.
    site: Option<String>,
    /// Queue in which the scan takes a ticket.
    queue: String,
}

async fn session_image(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    client_ip: ClientIp,
    format: QrFormat,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let session = ticket_session(&state, parse_uuid(&uuid)?).await?;
    let image = qr_image(&state, &session, format).await?;
    Ok(([EMBEDDABLE], image).into_response())
}

/// Finds the session of a uuid that takes a ticket. Logins and invitations are not found here,
/// since they are for one browser alone.
async fn ticket_session(state: &AppState, uuid: Uuid) -> Result<ScanSession, Problem> {
    let session = state.scan_sessions.find(uuid).await?;
    match session.purpose {
        ScanPurpose::Ticket { .. } => Ok(session),
        ScanPurpose::Login(_) | ScanPurpose::Invitation(_) => {
            Err(Problem::new(&refusals::UNKNOWN_SESSION))
        }
    }
}

async fn open_for_queue(
    state: &AppState,
    kiosk: &KioskBrowser,
    uuid: Uuid,
    site: Option<&str>,
    queue: &str,
) -> Result<ScanSession, Problem> {
    let site = match site {
        Some(site) => site.to_owned(),
        None => sole_site_with_queue(state, queue)?,
    };
    let settings = state.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    if !settings.rules.queues.contains_key(&QueueId::new(queue)) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let worth = kiosk.admit(state, &settings).await?;
    let purpose = ScanPurpose::Ticket { site, queue: queue.to_owned() };
    Ok(state.scan_sessions.open_as(worth, uuid, &settings.facts.account, purpose).await?)
}

/// Id of the only site that has such a queue.
fn sole_site_with_queue(state: &AppState, queue: &str) -> Result<String, Problem> {
    let queue = QueueId::new(queue);
    let mut matching =
        state.engine.all_settings().filter(|settings| settings.rules.queues.contains_key(&queue));
    match (matching.next(), matching.next()) {
        (Some(settings), None) => Ok(settings.facts.id.to_string()),
        (None, _) => Err(Problem::new(&refusals::UNKNOWN_QUEUE)),
        (Some(_), Some(_)) => {
            Err(refusals::malformed("several sites have this queue: say which with site="))
        }
    }
}

pub(super) async fn qr_image(
    state: &AppState,
    session: &ScanSession,
    format: QrFormat,
) -> Result<Response, Problem> {
    let drawings = &state.drawings;
    let drawing = match format {
        QrFormat::Svg => drawings.svg(&session.qr_url).await.map_err(undrawable)?,
        // A code that WeChat did not make has no picture there.
        QrFormat::Jpg if !session.qr_ticket.is_empty() => {
            let fetch = || state.scan_sessions.picture(session);
            drawings.wechat(&session.qr_ticket, fetch).await?
        }
        QrFormat::Png | QrFormat::Jpg => drawings.png(&session.qr_url).await.map_err(undrawable)?,
    };
    Ok(image_response(drawing, "no-store"))
}

/// Streams `pending` at once, then `scanned` and `ticket` for each scan, `refused` for one that got
/// no number, `expired` at the end.
async fn events(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    client_ip: ClientIp,
    place: StreamPlace,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let uuid = parse_uuid(&uuid)?;
    let session = ticket_session(&state, uuid).await?;
    let remaining = (session.expires_at - state.clock.now_ms()).max(0) as u64;
    let remaining = Duration::from_millis(remaining);
    let changes = follow(&state.scan_sessions, uuid, session, remaining);
    let events = changes.flat_map(|change| stream::iter(change_events(&change)));
    let events = place.hold(events.boxed());
    Ok(sse::event_stream(events, &state.stop).into_response())
}

fn change_events(change: &SessionChange) -> Vec<Event> {
    match change {
        SessionChange::Progress(progress) => progress_events(progress),
        SessionChange::Refused(RefusedScan { limit, .. }) => {
            let told = RefusedScanEvent { code: "person_limit", limit: *limit };
            vec![json_event("refused", told)]
        }
        SessionChange::Expired => vec![json_event("expired", EmptyEvent {})],
    }
}

fn progress_events(progress: &ScanProgress) -> Vec<Event> {
    match progress {
        ScanProgress::Ticket(ticket) => {
            vec![json_event("scanned", EmptyEvent {}), json_event("ticket", ticket)]
        }
        _ => vec![json_event("pending", EmptyEvent {})],
    }
}

pub(super) fn parse_uuid(uuid: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(uuid).map_err(|_| Problem::new(&refusals::MALFORMED_UUID))
}

/// Address at which a simulated phone scans the code, in a demo.
pub(super) fn scan_link(state: &AppState, session: &ScanSession) -> Option<String> {
    let mut link = state.settings.simulator_url.clone()?;
    link.push_str("?scan=");
    // WeChat's addresses hold nothing but unreserved characters, `:` and `/`, which a query takes.
    link.push_str(&session.qr_url);
    Some(link)
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unknown => Problem::new(&refusals::UNKNOWN_SESSION),
            SessionError::Expired => Problem::new(&refusals::SESSION_EXPIRED),
            SessionError::PurposeMismatch => Problem::new(&refusals::SESSION_TAKEN),
            SessionError::Cache(error) => {
                tracing::warn!(%error, "cannot access the scan session");
                Problem::new(&refusals::CACHE_UNAVAILABLE)
            }
            SessionError::ShareUsedUp(wait) => {
                Problem::new(&refusals::CODES_RATIONED).with_retry_after(wait)
            }
            SessionError::WeChat(error) => {
                tracing::warn!(%error, "cannot create a QR code at WeChat");
                Problem::new(code_refusal(&error))
            }
        }
    }
}
