//! Scan sessions over HTTP: make one, draw its code, hear how it goes on.

use super::live;
use crate::Door;
use crate::body;
use crate::qr;
use crate::refusals::{self, Problem};
use crate::sessions::SessionError;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt, stream};
use paihao_chassis::entropy;
use paihao_contracts::session::{Progress, Purpose, ScanSession};
use paihao_domain::QueueId;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// Bytes that the making of a session may take.
const BODY_LIMIT: usize = 4096;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/scan-sessions", post(open))
        .route("/api/v1/scan-sessions/{uuid}/{what}", get(picture_or_events))
        .route("/qr/{uuid}", get(one_step))
}

/// The body of `POST /api/v1/scan-sessions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The browser's own uuid; one is made if it is left out.
    uuid: Option<String>,
    purpose: Option<String>,
    site: Option<String>,
    queue: String,
}

/// A session as its browser may know it: not the scene, which only WeChat says back.
#[derive(Serialize)]
struct Opened {
    uuid: Uuid,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    qr_png: String,
    qr_jpg: String,
    events: String,
    /// Where a simulated phone can scan the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
}

async fn open(State(door): State<Door>, body: Body) -> Result<Response, Problem> {
    let body = body::read(body, BODY_LIMIT).await?;
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(&refusals::MALFORMED_REQUEST).detail(error.to_string()))?;
    if wanted.purpose.as_deref().is_some_and(|purpose| purpose != "ticket") {
        let detail = "purpose: the one purpose is \"ticket\"";
        return Err(Problem::new(&refusals::MALFORMED_REQUEST).detail(detail));
    }
    let uuid = wanted.uuid.as_deref().map_or_else(|| Ok(entropy::uuid()), parse)?;
    let session = open_for(&door, uuid, wanted.site.as_deref(), &wanted.queue).await?;
    let at = format!("/api/v1/scan-sessions/{uuid}");
    let opened = Opened {
        uuid,
        expires_at: session.expires_at,
        qr_svg: format!("{at}/qr.svg"),
        qr_png: format!("{at}/qr.png"),
        qr_jpg: format!("{at}/qr.jpg"),
        events: format!("{at}/events"),
        scan_link: scan_link(&door, &session),
    };
    Ok((StatusCode::CREATED, Json(opened)).into_response())
}

/// `GET /qr/{uuid}?site=…&queue=…`: makes the session if need be and answers its picture, for an
/// `<img>`. The uuid may end in `.svg`, `.png` or `.jpg`.
async fn one_step(
    State(door): State<Door>,
    Path(name): Path<String>,
    query: Result<Query<Where>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(place) = query.map_err(|rejected| {
        Problem::new(&refusals::MALFORMED_REQUEST).detail(rejected.body_text())
    })?;
    let (uuid, kind) = name.rsplit_once('.').unwrap_or((&name, "svg"));
    let session = open_for(&door, parse(uuid)?, place.site.as_deref(), &place.queue).await?;
    picture(&door, &session, kind).await
}

#[derive(Deserialize)]
struct Where {
    site: Option<String>,
    queue: String,
}

async fn picture_or_events(
    State(door): State<Door>,
    Path((uuid, what)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let uuid = parse(&uuid)?;
    let session = door.sessions.find(uuid).await?;
    match what.strip_prefix("qr.") {
        Some(kind) => picture(&door, &session, kind).await,
        None if what == "events" => Ok(events(&door, uuid, session)),
        None => Err(no_such_part(&what)),
    }
}

fn no_such_part(what: &str) -> Problem {
    let detail = format!("{what} is not qr.svg, qr.png, qr.jpg or events");
    Problem::new(&refusals::MALFORMED_REQUEST).detail(detail)
}

async fn open_for(
    door: &Door,
    uuid: Uuid,
    site: Option<&str>,
    queue: &str,
) -> Result<ScanSession, Problem> {
    let site = match site {
        Some(site) => site.to_owned(),
        None => only_site_with(door, queue)?,
    };
    let book = door.lines.book(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    if !book.rules.queues.contains_key(&QueueId::new(queue)) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let purpose = Purpose::Ticket { site, queue: queue.to_owned() };
    Ok(door.sessions.open(uuid, &book.facts.account, purpose).await?)
}

/// The site may be left out where only one has such a queue.
fn only_site_with(door: &Door, queue: &str) -> Result<String, Problem> {
    let queue = QueueId::new(queue);
    let mut fitting = door.lines.books().filter(|book| book.rules.queues.contains_key(&queue));
    match (fitting.next(), fitting.next()) {
        (Some(book), None) => Ok(book.facts.id.to_string()),
        (None, _) => Err(Problem::new(&refusals::UNKNOWN_QUEUE)),
        (Some(_), Some(_)) => Err(Problem::new(&refusals::MALFORMED_REQUEST)
            .detail("several sites have this queue: say which with site=")),
    }
}

async fn picture(door: &Door, session: &ScanSession, kind: &str) -> Result<Response, Problem> {
    let (content_type, bytes) = match kind {
        "svg" => ("image/svg+xml".to_owned(), qr::svg(&session.qr_url).map(String::into_bytes)),
        "png" => ("image/png".to_owned(), qr::png(&session.qr_url)),
        "jpg" => {
            let picture = door.sessions.picture(session).await?;
            (picture.content_type, Ok(picture.bytes.into()))
        }
        other => return Err(no_such_part(&format!("qr.{other}"))),
    };
    let bytes = bytes.map_err(|error| {
        tracing::error!(%error, "WeChat's address for a code cannot be drawn");
        Problem::new(&refusals::WECHAT_UNAVAILABLE)
    })?;
    let headers =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store".into())];
    Ok((headers, bytes).into_response())
}

/// `pending` at once, then `scanned` and `ticket` for each scan, `expired` at the end.
fn events(door: &Door, uuid: Uuid, session: ScanSession) -> Response {
    let left = (session.expires_at - door.clock.now_ms()).max(0) as u64;
    let expiry = tokio::time::Instant::now() + Duration::from_millis(left);
    let mut watching = door.sessions.watch(uuid, session.progress.clone());
    watching.progress.mark_changed();
    let told = stream::unfold(Some(watching), move |watching| async move {
        let mut watching = watching?;
        match tokio::time::timeout_at(expiry, watching.progress.changed()).await {
            Ok(changed) => {
                changed.ok()?;
                let progress = watching.progress.borrow_and_update().clone();
                Some((steps(&progress), Some(watching)))
            }
            Err(_) => Some((vec![step("expired", &serde_json::json!({}))], None)),
        }
    });
    live::sse(told.flat_map(stream::iter).boxed(), &door.stop).into_response()
}

fn steps(progress: &Progress) -> Vec<Event> {
    let nothing = serde_json::json!({});
    match progress {
        Progress::Pending => vec![step("pending", &nothing)],
        Progress::Ticket(ticket) => vec![step("scanned", &nothing), step("ticket", ticket)],
    }
}

fn step(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("string keys only")
}

fn parse(uuid: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(uuid).map_err(|_| Problem::new(&refusals::MALFORMED_UUID))
}

fn scan_link(door: &Door, session: &ScanSession) -> Option<String> {
    let mut link = door.settings.phones.clone()?;
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
            SessionError::Taken => Problem::new(&refusals::SESSION_TAKEN),
            SessionError::Cache(error) => {
                tracing::warn!(%error, "no session");
                Problem::new(&refusals::CACHE_UNAVAILABLE)
            }
            SessionError::WeChat(error) => {
                tracing::warn!(%error, "no code from WeChat");
                Problem::new(&refusals::WECHAT_UNAVAILABLE)
            }
        }
    }
}
