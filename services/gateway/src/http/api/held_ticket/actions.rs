//! Actions of a ticket's holder. The link is the permission: only the holder knows it.

use super::coming::may_come;
use super::current_ticket;
use super::view::HeldTicketView;
use crate::http::idempotency;
use crate::http::openapi::{IdempotencyKeyExt, Operation, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link::{HeldTicket, parse};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use paihao_domain::{Act, Actor, Command, LetPassLimit, Mark, TicketState};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

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
            "/api/v1/tickets/{site}/{id}/coming",
            async |State(state), Path(path), headers, body| {
                submit_action(state, path, "coming", headers, body, announce_coming).await
            },
            holder_operation("coming", "Tells the staff that the holder is on the way")
                .json_body::<HolderEmptyRequest>()
                .refuses(&[&refusals::WRONG_STATE, &refusals::FORMS_HELD_BACK]),
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
            .refuses(&[
                &refusals::OUT_OF_RANGE,
                &refusals::WRONG_STATE,
                &refusals::NOT_ALLOWED,
            ]),
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
        &refusals::DAY_TURNED,
        &refusals::DAY_UNCONFIRMED,
        &refusals::LEDGER_UNAVAILABLE,
        &refusals::NEWER_LEDGER,
    ])
}

/// Number or time for which others go first; until the holder returns, if nothing is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LetPassRequest {
    /// Number of tickets that go first.
    others: Option<u32>,
    /// Time in minutes.
    minutes: Option<u32>,
}

/// Number of tickets ahead at which to notify.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TellMeRequest {
    /// Number of tickets ahead; the queue's own, if left out.
    ahead: Option<u32>,
}

/// Empty body of an action.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HolderEmptyRequest {}

fn let_pass(
    held: &HeldTicket,
    LetPassRequest { others, minutes }: LetPassRequest,
) -> Result<Act, Problem> {
    let until = match (others, minutes) {
        (Some(_), Some(_)) => return Err(refusals::malformed("others or minutes, not both")),
        (Some(others), None) => LetPassLimit::Others(others),
        (None, Some(minutes)) => LetPassLimit::Minutes(minutes),
        (None, None) => LetPassLimit::OnRequest,
    };
    Ok(Act::LetPass { ticket: held.ticket, until })
}

/// Returns from a hold, or after having been missed: both are one action for the holder.
fn return_to_queue(
    held: &HeldTicket,
    HolderEmptyRequest {}: HolderEmptyRequest,
) -> Result<Act, Problem> {
    Ok(match *held.ticket().state {
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

fn announce_coming(
    held: &HeldTicket,
    HolderEmptyRequest {}: HolderEmptyRequest,
) -> Result<Act, Problem> {
    Ok(Act::Mark { ticket: held.ticket, mark: Mark::Coming })
}

fn leave(held: &HeldTicket, HolderEmptyRequest {}: HolderEmptyRequest) -> Result<Act, Problem> {
    Ok(Act::Leave { ticket: held.ticket, reason: None })
}

/// Decides an action of the holder. Responds with the ticket after it.
async fn submit_action<R: DeserializeOwned>(
    state: AppState,
    (site, id): (String, String),
    name: &'static str,
    headers: HeaderMap,
    body: Body,
    act: impl FnOnce(&HeldTicket, R) -> Result<Act, Problem>,
) -> Result<Json<HeldTicketView>, Problem> {
    let link = parse(&site, &id)?;
    let held = link.resolve_newest(&state).await?;
    state.link_limiter.admit_action(&site, &id, state.clock.now_ms())?;
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let request = body::parse_object::<AppState, _>(&body)?;
    let key = idempotency::key(&headers)?;
    let id = idempotency::command_id(&format!("holder\0{site}\0{id}"), key);
    // A repeat is answered like the first time, although the ticket may have ended with its day.
    if held.ended && !state.engine.has_decided(&site, &id) {
        return Err(Problem::new(&refusals::TICKET_ENDED).with_detail("of a day that is over"));
    }
    let act = act(&held, request)?;
    if matches!(act, Act::Mark { mark: Mark::Coming, .. }) && !may_come(&state) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    let command = Command {
        id,
        fingerprint: idempotency::fingerprint(name, &body),
        actor: Actor::Holder(held.ticket),
        act,
        day: held.site.day(),
    };
    let decided = state.engine.submit(&site, command).await?;
    let outcome = decided.outcome.name();
    tracing::info!(site, ticket = held.ticket.0, command = ?id, outcome, "holder action decided");
    current_ticket(&state, &link)
}
