//! What staff do at a counter, behind a bearer key.
//!
//! `Idempotency-Key` names a wish: repeated within 15 minutes, to any replica, it is answered like
//! the first time and done once.

use crate::Door;
use crate::body;
use crate::book::StaffKey;
use crate::lines::{Answered, Declined};
use crate::refusals::{self, Problem};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use paihao_chassis::entropy;
use paihao_domain::{
    Act, CloseReason, Command, CommandId, CounterId, Outcome, Refusal, Served, TicketId,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes a staff request may have.
const BODY_LIMIT: usize = 4096;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/sites/{site}/counters/{counter}/{action}", post(at_counter))
        .route("/api/v1/sites/{site}/tickets/{number}/leave", post(leave))
}

/// The body of `finish` and `missed`, which may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The number that the asker saw at the counter.
    number: Option<String>,
}

/// What was done.
#[derive(Serialize)]
struct Done {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<String>,
    /// Until when the called person is expected, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
    /// When it was decided, in Unix milliseconds.
    at: i64,
}

async fn at_counter(
    State(door): State<Door>,
    Path((site, counter, action)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let asker = admitted(&door, &headers, &site)?;
    let (wanted, bytes) = wanted(body).await?;
    let counter = CounterId::new(&counter);
    let act = match action.as_str() {
        "open" => Act::OpenCounter(counter),
        "close" => Act::CloseCounter(counter),
        "call-next" => Act::CallNext(counter),
        "finish" => Act::Finish(Served { counter, number: wanted.number }),
        "missed" => Act::Miss(Served { counter, number: wanted.number }),
        other => {
            let detail = format!("{other} is not open, close, call-next, finish or missed");
            return Err(Problem::new(&refusals::MALFORMED_REQUEST).detail(detail));
        }
    };
    submit(&door, &site, asker, &headers, &uri, &bytes, act).await
}

async fn leave(
    State(door): State<Door>,
    Path((site, number)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let asker = admitted(&door, &headers, &site)?;
    let (_, bytes) = wanted(body).await?;
    let ticket = ticket_numbered(&door, &site, &number)?;
    let act = Act::Leave { ticket, reason: CloseReason::ByStaff };
    submit(&door, &site, asker, &headers, &uri, &bytes, act).await
}

/// The key that the request came with, if it opens this site.
pub(super) fn admitted<'a>(
    door: &'a Door,
    headers: &HeaderMap,
    site: &str,
) -> Result<&'a StaffKey, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Every key is compared, so that the time taken says nothing about which one was right.
    let keys = door.book.staff_keys.iter();
    let fitting = keys.fold(None, |found, key| if key.is(given) { Some(key) } else { found });
    let key = fitting.ok_or(&refusals::UNAUTHORISED)?;
    if door.lines.book(site).is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_SITE));
    }
    match key.sites.contains(site) {
        true => Ok(key),
        false => Err(Problem::new(&refusals::NOT_YOUR_SITE)),
    }
}

async fn wanted(body: Body) -> Result<(Wanted, Vec<u8>), Problem> {
    let bytes = body::read(body, BODY_LIMIT).await?;
    let wanted = match bytes.is_empty() {
        true => Wanted::default(),
        false => serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(&refusals::MALFORMED_REQUEST).detail(error.to_string())
        })?,
    };
    Ok((wanted, bytes.into()))
}

fn ticket_numbered(door: &Door, site: &str, number: &str) -> Result<TicketId, Problem> {
    let view = door.lines.view(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = view.site.tickets().find(|ticket| ticket.number.to_string() == number);
    Ok(ticket.ok_or(&refusals::UNKNOWN_TICKET)?.id)
}

async fn submit(
    door: &Door,
    site: &str,
    asker: &StaffKey,
    headers: &HeaderMap,
    uri: &Uri,
    body: &[u8],
    act: Act,
) -> Result<Json<Done>, Problem> {
    let command =
        Command { id: command_id(headers, asker, site)?, fingerprint: fingerprint(uri, body), act };
    let id = command.id;
    let answered = door.lines.submit(site, command).await?;
    tracing::info!(site, staff = asker.name, command = ?id, outcome = outcome_name(&answered.outcome), "staff");
    Ok(Json(done(answered)))
}

/// The wish's identity: the key's owner, the site and the Idempotency-Key, or chance without one.
fn command_id(headers: &HeaderMap, asker: &StaffKey, site: &str) -> Result<CommandId, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(CommandId(entropy::bytes())) };
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    let key = key.ok_or(&refusals::MALFORMED_IDEMPOTENCY_KEY)?;
    let hash = Sha256::digest(format!("api\0{}\0{site}\0{key}", asker.name));
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    Ok(CommandId(id))
}

fn fingerprint(uri: &Uri, body: &[u8]) -> u64 {
    let hash = Sha256::new().chain_update(uri.path()).chain_update([0]).chain_update(body);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Holding { .. } => "holding",
        Outcome::Called { .. } => "called",
        Outcome::Finished { .. } => "finished",
        Outcome::Missed { .. } => "missed",
        Outcome::Left { .. } => "left",
        Outcome::Forgotten => "forgotten",
        Outcome::CounterOpen(_) => "counter_open",
        Outcome::CounterClosed(_) => "counter_closed",
    }
}

fn done(answered: Answered) -> Done {
    let nothing = Done {
        outcome: outcome_name(&answered.outcome),
        number: None,
        queue: None,
        counter: None,
        deadline: None,
        at: answered.at.0,
    };
    match answered.outcome {
        Outcome::Called { number, queue, counter, deadline, .. } => Done {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            counter: Some(counter.as_str().to_owned()),
            deadline: Some(deadline.0),
            ..nothing
        },
        Outcome::Finished { number, counter, .. } | Outcome::Missed { number, counter, .. } => {
            Done {
                number: Some(number.to_string()),
                counter: Some(counter.as_str().to_owned()),
                ..nothing
            }
        }
        Outcome::Holding { number, queue, .. } => Done {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            ..nothing
        },
        Outcome::Left { number, .. } => Done { number: Some(number.to_string()), ..nothing },
        Outcome::Forgotten => nothing,
        Outcome::CounterOpen(counter) | Outcome::CounterClosed(counter) => {
            Done { counter: Some(counter.as_str().to_owned()), ..nothing }
        }
    }
}

impl From<Declined> for Problem {
    fn from(declined: Declined) -> Self {
        let kind = match &declined {
            Declined::UnknownSite => &refusals::UNKNOWN_SITE,
            Declined::Unavailable => &refusals::LEDGER_UNAVAILABLE,
            Declined::Unreadable => &refusals::NEWER_LEDGER,
            Declined::Refused(refusal) => match refusal {
                Refusal::UnknownQueue(_) => &refusals::UNKNOWN_QUEUE,
                Refusal::UnknownCounter(_) => &refusals::UNKNOWN_COUNTER,
                Refusal::UnknownTicket(_) | Refusal::NoTicketHeld | Refusal::PersonUnknown => {
                    &refusals::UNKNOWN_TICKET
                }
                Refusal::QueueClosed(_) => &refusals::QUEUE_CLOSED,
                Refusal::CounterClosed(_) => &refusals::COUNTER_CLOSED,
                Refusal::CounterBusy { .. } => &refusals::COUNTER_BUSY,
                Refusal::CounterIdle(_) => &refusals::COUNTER_IDLE,
                Refusal::NobodyWaiting(_) => &refusals::NOBODY_WAITING,
                Refusal::TicketEnded(_) => &refusals::TICKET_ENDED,
                Refusal::CommandIdReused => &refusals::IDEMPOTENCY_KEY_REUSED,
            },
        };
        Problem::new(kind).detail(declined.to_string())
    }
}
