//! Numbers that a kiosk gives to people without WeChat, where the site allows it.
//!
//! Public, like the kiosk, unless the site admits paired kiosks alone. Each kiosk, each address and
//! each line has a bound, so that nobody takes a handful.

use crate::engine::CommandOutcome;
use crate::http::board::discard_past_day;
use crate::http::client_ip::ClientIp;
use crate::http::hours::command_problem;
use crate::http::idempotency;
use crate::http::kiosk::KioskBrowser;
use crate::http::openapi::{Created, IdempotencyKeyExt, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link;
use crate::scan::qr;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use paihao_chassis::entropy;
use paihao_domain::{Act, Actor, ApiScope, Command, Outcome, QueueId, Site, TicketKey};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 1024;

/// Longest name that a kiosk gives itself, in bytes.
const MAX_KIOSK_NAME_BYTES: usize = 64;

/// Slips of a line that are allowed however few wait.
const MIN_SLIPS_PER_LINE: usize = 3;

/// Name under which the decisions of kiosks are recorded.
const ACTOR_NAME: &str = "kiosk";

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/sites/{site}/queues/{queue}/slips",
        take,
        endpoint("take_slip", "Takes a number at a kiosk for somebody without WeChat")
            .json_body::<TakeSlipRequest>()
            .idempotency_key()
            .refuses(&[
                &refusals::UNKNOWN_SITE,
                &refusals::UNKNOWN_QUEUE,
                &refusals::NO_SLIPS,
                &refusals::TOO_MANY_SLIPS,
                &refusals::QUEUE_CLOSED,
                &refusals::QUEUE_PAUSED,
                &refusals::QUEUE_FULL,
                &refusals::QUEUE_CLOSING,
                &refusals::OUT_OF_HOURS,
                &refusals::DAY_UNCONFIRMED,
                &refusals::LEDGER_UNAVAILABLE,
                &refusals::NEWER_LEDGER,
                &refusals::TOO_MANY_REQUESTS,
            ]),
    )
}

/// Kiosk of a slip.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TakeSlipRequest {
    /// Name that the kiosk has given itself, 8 to 64 letters, digits and `-`: its slips have a
    /// bound of their own.
    kiosk: String,
}

/// Number that a kiosk gave.
#[derive(Serialize, JsonSchema)]
struct KioskSlip {
    number: String,
    /// Queue of the number.
    queue: String,
    /// People ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u32>,
    /// Quoted wait in minutes, from and to; absent without an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<[u32; 2]>,
    /// Time at which it was taken, in Unix milliseconds.
    taken_at: i64,
    /// Path of the ticket's page, known to its holder alone.
    path: String,
    /// QR code as SVG that opens the ticket's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

async fn take(
    State(state): State<AppState>,
    Path((site, queue)): Path<(String, String)>,
    client_ip: ClientIp,
    kiosk_browser: KioskBrowser,
    headers: HeaderMap,
    body: Body,
) -> Result<Created<KioskSlip>, Problem> {
    let settings = state.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let queue = QueueId::new(&queue);
    if !settings.rules.queues.contains_key(&queue) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let TakeSlipRequest { kiosk } = body::parse_object::<AppState, _>(&body)?;
    if !is_kiosk_name(&kiosk) {
        return Err(refusals::malformed("kiosk: use 8 to 64 letters, digits and -"));
    }
    let key = idempotency::key(&headers)?;
    let id = idempotency::command_id(&format!("kiosk\0{kiosk}"), key);
    // A repeat after a lost answer gets the same number, whatever the bounds say meanwhile.
    if !state.engine.has_decided(&site, &id) {
        kiosk_browser.admit(&state, &settings).await?;
        if settings.kiosk_slips == 0 {
            return Err(Problem::new(&refusals::NO_SLIPS));
        }
        let now = state.engine.decision_input(&settings, state.clock.now_ms());
        let snapshot = state.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
        if !has_room(&discard_past_day(&now, snapshot).site, &queue, settings.kiosk_slips) {
            return Err(Problem::new(&refusals::TOO_MANY_SLIPS));
        }
        state.rate_limiter.admit_slip(client_ip, &kiosk)?;
    }
    let act = Act::Take {
        queue: queue.clone(),
        person: None,
        scan_session: None,
        class: None,
        key: Some(TicketKey(entropy::bytes())),
    };
    let command = Command {
        id,
        fingerprint: idempotency::fingerprint(
            "take_slip",
            format!("{site}/{}", queue.as_str()).as_bytes(),
        ),
        actor: Actor::Api { name: ACTOR_NAME.into(), scope: ApiScope::Manager },
        act,
        day: None,
    };
    let decided = state.engine.submit(&site, command).await;
    let CommandOutcome { outcome, at } =
        decided.map_err(|error| command_problem(&settings, state.clock.now_ms(), error))?;
    let path = ticket_link::ticket_path(&state, &site, &outcome, at);
    match (outcome, path) {
        (Outcome::Holding { number, queue, standing, .. }, Some(path)) => {
            let wait = standing.wait;
            Ok(Created(KioskSlip {
                number: number.to_string(),
                queue: queue.as_str().to_owned(),
                ahead: wait.map(|wait| wait.ahead),
                minutes: wait.and_then(|wait| wait.estimate).map(|range| [range.low, range.high]),
                taken_at: at.0,
                code: qr::svg(&ticket_link::page_url(&state, &headers, &path)).ok(),
                path,
            }))
        }
        _ => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
    }
}

fn is_kiosk_name(name: &str) -> bool {
    (8..=MAX_KIOSK_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// True if the line has room for one more number without WeChat, whoever gave the others.
fn has_room(site: &Site, queue: &QueueId, percent: u32) -> bool {
    let line = site.line(queue);
    let without_wechat =
        line.waiting().filter(|id| site.ticket(*id).is_some_and(|t| t.person.is_none())).count();
    let share = ((line.len() + 1) * percent as usize).div_ceil(100);
    without_wechat < share.max(MIN_SLIPS_PER_LINE)
}
