//! Codes that lead to a page of this system: taking a number without an openid.
//!
//! Public, like the code. Only accounts whose settings say so have such codes.

use crate::engine::CommandOutcome;
use crate::http::client_ip::ClientIp;
use crate::http::hours::command_problem;
use crate::http::idempotency;
use crate::http::openapi::{Created, IdempotencyKeyExt, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link;
use crate::scan::scene::Scene;
use crate::settings::SiteSettings;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use paihao_chassis::entropy;
use paihao_contracts::session::{ScanPurpose, ScanSession};
use paihao_contracts::settings::CodeKind;
use paihao_domain::{Act, Actor, ApiScope, Command, Outcome, QueueId, ScanSessionRef, TicketKey};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 1024;

/// Name under which the decisions of these pages are recorded.
const ACTOR_NAME: &str = "page";

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/page-codes/{scene}/tickets",
        take,
        endpoint("take_at_page", "Takes a number at the page of a code, without WeChat")
            .json_body::<TakeAtPageRequest>()
            .idempotency_key()
            .refuses(&[
                &refusals::UNKNOWN_SESSION,
                &refusals::SESSION_EXPIRED,
                &refusals::UNKNOWN_SITE,
                &refusals::UNKNOWN_QUEUE,
                &refusals::QUEUE_CLOSED,
                &refusals::QUEUE_PAUSED,
                &refusals::QUEUE_FULL,
                &refusals::QUEUE_CLOSING,
                &refusals::OUT_OF_HOURS,
                &refusals::DAY_UNCONFIRMED,
                &refusals::CACHE_UNAVAILABLE,
                &refusals::LEDGER_UNAVAILABLE,
                &refusals::NEWER_LEDGER,
                &refusals::TOO_MANY_REQUESTS,
            ]),
    )
}

/// Empty body of the request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TakeAtPageRequest {}

/// Number that was taken at a page.
#[derive(Serialize, JsonSchema)]
struct TakeAtPageResult {
    number: String,
    /// Path of the ticket's page, known to its holder alone.
    path: String,
}

/// Target of a code that leads to a page.
pub(crate) enum PageCodeTarget {
    /// Queue in which a number is taken, and the session of a screen that shows it.
    Queue { settings: Arc<SiteSettings>, queue: QueueId, session: Option<(Uuid, Box<ScanSession>)> },
    /// Login or invitation, which needs WeChat.
    Login,
}

/// Resolves the scene of a code.
pub(crate) async fn resolve(state: &AppState, scene: &str) -> Result<PageCodeTarget, Problem> {
    let (site, queue, session) = match Scene::parse(scene).ok_or(&refusals::UNKNOWN_SESSION)? {
        Scene::Queue { site, queue } => (site, queue, None),
        Scene::Session(scene) => {
            let (uuid, session) = state.scan_sessions.by_scene(&scene).await?;
            match session.purpose.clone() {
                ScanPurpose::Ticket { site, queue } => {
                    (site, queue, Some((uuid, Box::new(session))))
                }
                ScanPurpose::Login(_) | ScanPurpose::Invitation(_) => {
                    return Ok(PageCodeTarget::Login);
                }
            }
        }
    };
    let settings = state.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let account = state.deployment.account(&settings.facts.account);
    if account.is_none_or(|account| account.replies().codes != CodeKind::Page) {
        return Err(Problem::new(&refusals::UNKNOWN_SESSION));
    }
    let queue = QueueId::new(&queue);
    if !settings.rules.queues.contains_key(&queue) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    Ok(PageCodeTarget::Queue { settings, queue, session })
}

async fn take(
    State(state): State<AppState>,
    Path(scene): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
    body: Body,
) -> Result<Created<TakeAtPageResult>, Problem> {
    state.rate_limiter.admit_code(client_ip)?;
    let id = idempotency::command_id("page", idempotency::key(&headers)?);
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let TakeAtPageRequest {} = body::parse_object::<AppState, _>(&body)?;
    let PageCodeTarget::Queue { settings, queue, session } = resolve(&state, &scene).await? else {
        return Err(Problem::new(&refusals::UNKNOWN_SESSION));
    };
    let act = Act::Take {
        queue,
        person: None,
        scan_session: session.as_ref().map(|(uuid, _)| ScanSessionRef::new(&uuid.to_string())),
        class: None,
        key: Some(TicketKey(entropy::bytes())),
    };
    let command = Command {
        id,
        fingerprint: idempotency::fingerprint("take_at_page", scene.as_bytes()),
        actor: Actor::Api { name: ACTOR_NAME.into(), scope: ApiScope::Manager },
        act,
        day: None,
    };
    let decided = state.engine.submit(&settings.facts.id, command).await;
    let CommandOutcome { outcome, at } =
        decided.map_err(|error| command_problem(&settings, state.clock.now_ms(), error))?;
    if let Some((uuid, session)) = session {
        state.scan_sessions.store_progress(uuid, *session, &outcome).await;
    }
    let path = ticket_link::ticket_path(&state, &settings.facts.id, &outcome, at);
    match (outcome, path) {
        (Outcome::Holding { number, .. }, Some(path)) => {
            Ok(Created(TakeAtPageResult { number: number.to_string(), path }))
        }
        _ => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
    }
}
