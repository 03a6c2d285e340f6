//! Actions of a ticket's holder. The link is the permission: only the holder knows it.

use super::{UncachedTicket, current_ticket};
use crate::http::idempotency;
use crate::http::openapi::{IdempotencyKeyExt, Operation, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link::{HeldTicket, parse};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use paihao_chassis::entropy;
use paihao_domain::{Act, Actor, Command, CommandId, LetPassLimit, Mark, TicketState};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 1024;

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/api/v1/tickets/{site}/{id}/let-pass",
            async |State(state), Path(path), headers, body| {
                submit_action(state, path, "let-pass", headers, body, let_pass).await
            },
            holder_operation("let_pass", "Lets others go first, with the place kept")
                .json_body::<LetPassRequest>()
                .refuses(&[&refusals::WRONG_STATE, &refusals::TOO_OFTEN, &refusals::OUT_OF_RANGE]),
        )
        .post(
            "/api/v1/tickets/{site}/{id}/return",
            async |State(state), Path(path), headers, body| {
                submit_action(state, path, "return", headers, body, return_to_queue).await
            },
            holder_operation(
                "come_back",
                "Returns from letting others pass, or from having been missed",
            )
            .json_body::<HolderEmptyRequest>()
            .refuses(&[
                &refusals::WRONG_STATE,
                &refusals::TOO_OFTEN,
                &refusals::TOO_LATE,
            ]),
        )
        .post(
            "/api/v1/tickets/{site}/{id}/tell-me",
            async |State(state), Path(path), headers, body| {
                submit_action(state, path, "tell-me", headers, body, set_notification_threshold)
                    .await
            },
            holder_operation(
                "tell_me",
                "Requests a notice with so many ahead; without a number, as the queue does it",
            )
            .json_body::<TellMeRequest>()
            .refuses(&[&refusals::OUT_OF_RANGE]),
        )
        .post(
            "/api/v1/tickets/{site}/{id}/leave",
            async |State(state), Path(path), headers, body| {
                submit_action(state, path, "leave", headers, body, leave).await
            },
            holder_operation("give_up", "Ends the ticket: its holder gives up")
                .json_body::<HolderEmptyRequest>()
                .refuses(&[&refusals::WRONG_STATE]),
        )
}

fn holder_operation(id: &'static str, summary: &'static str) -> Operation {
    endpoint(id, summary).idempotency_key().refuses(&[
        &refusals::UNKNOWN_LINK,
        &refusals::TOO_MANY_WISHES,
        &refusals::TICKET_ENDED,
        &refusals::LEDGER_UNAVAILABLE,
        &refusals::NEWER_LEDGER,
    ])
}

/// For how long others go first; until the holder is back, if it does not say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LetPassRequest {
    /// So many of them.
    others: Option<u32>,
    /// So many minutes.
    minutes: Option<u32>,
}

/// Number of tickets ahead at which to notify.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TellMeRequest {
    /// With so many ahead.
    ahead: Option<u32>,
}

/// Nothing needs to be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HolderEmptyRequest {}

fn let_pass(
    held: &HeldTicket,
    LetPassRequest { others, minutes }: LetPassRequest,
) -> Result<Act, Problem> {
    let until = match (others, minutes) {
        (Some(_), Some(_)) => return Err(malformed("others or minutes, not both")),
        (Some(others), None) => LetPassLimit::Others(others),
        (None, Some(minutes)) => LetPassLimit::Minutes(minutes),
        (None, None) => LetPassLimit::OnRequest,
    };
    Ok(Act::LetPass { ticket: held.ticket, until })
}

/// Back from a while away, or from having been missed: the way back is one.
fn return_to_queue(
    held: &HeldTicket,
    HolderEmptyRequest {}: HolderEmptyRequest,
) -> Result<Act, Problem> {
    Ok(match held.ticket().state {
        TicketState::Held { .. } => Act::Resume(held.ticket),
        _ => Act::Return(held.ticket),
    })
}

fn set_notification_threshold(
    held: &HeldTicket,
    TellMeRequest { ahead }: TellMeRequest,
) -> Result<Act, Problem> {
    Ok(Act::Mark { ticket: held.ticket, mark: Mark::NotifyAhead(ahead) })
}

fn leave(held: &HeldTicket, HolderEmptyRequest {}: HolderEmptyRequest) -> Result<Act, Problem> {
    Ok(Act::Leave { ticket: held.ticket, reason: None })
}

/// Hears the holder out, has it decided, and answers how the ticket stands then.
async fn submit_action<Wanted: DeserializeOwned>(
    state: AppState,
    (site, id): (String, String),
    name: &'static str,
    headers: HeaderMap,
    body: Body,
    act: impl FnOnce(&HeldTicket, Wanted) -> Result<Act, Problem>,
) -> Result<UncachedTicket, Problem> {
    let asked = parse(&site, &id)?;
    let held = asked.resolve(&state)?;
    state.link_limiter.admit_action(&site, &id, state.clock.now_ms())?;
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let wanted = body::parse_object::<AppState, _>(&body)?;
    if held.ended {
        return Err(Problem::new(&refusals::TICKET_ENDED).with_detail("of a day that is over"));
    }
    let command = Command {
        id: command_id(&headers, &site, &id)?,
        fingerprint: fingerprint(name, &body),
        actor: Actor::Holder(held.ticket),
        act: act(&held, wanted)?,
    };
    let (wish, answered) = (command.id, state.engine.submit(&site, command).await?);
    let (ticket, outcome) = (held.ticket.0, answered.outcome.name());
    tracing::info!(site, ticket, command = ?wish, outcome, "holder");
    current_ticket(&state, &asked)
}

fn malformed(what: &str) -> Problem {
    Problem::new(&refusals::MALFORMED_REQUEST).with_detail(what.to_owned())
}

/// Command id: derived from ticket and Idempotency-Key, or random without a key.
fn command_id(headers: &HeaderMap, site: &str, id: &str) -> Result<CommandId, Problem> {
    let Some(key) = idempotency::key(headers)? else { return Ok(CommandId(entropy::bytes())) };
    let hash = Sha256::digest(format!("holder\0{site}\0{id}\0{key}"));
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    Ok(CommandId(id))
}

fn fingerprint(act: &str, body: &[u8]) -> u64 {
    let hash = Sha256::new().chain_update(act).chain_update([0]).chain_update(body);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}
