//! Staff actions on a ticket, whatever its state.

use super::{ActionHandler, EmptyRequest, STAFF_AND_MANAGERS, action_handler, action_operation};
use crate::http::openapi::{ANY_SITE_ROLE, Access, Operation, Routes};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use paihao_chassis::entropy;
use paihao_domain::{Act, Mark, QueueId, TicketId, TicketKey};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reason for ending a ticket if the request names none.
const DEFAULT_LEAVE_REASON: &str = "the customer's wish";

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/api/v1/sites/{site}/queues/{queue}/tickets",
            action_handler(|asked, queue| {
                let TakeTicketRequest { class } = asked.parse_body()?;
                let (queue, key) = (QueueId::new(queue), Some(TicketKey(entropy::bytes())));
                Ok(Act::Take { queue, person: None, via: None, class, key })
            }),
            action_operation("take_ticket", "A number for somebody without WeChat", ANY_SITE_ROLE)
                .json_body::<TakeTicketRequest>()
                .refuses(&[
                    &refusals::UNKNOWN_QUEUE,
                    &refusals::NOT_YOUR_QUEUE,
                    &refusals::QUEUE_CLOSED,
                    &refusals::QUEUE_PAUSED,
                    &refusals::QUEUE_FULL,
                    &refusals::QUEUE_CLOSING,
                    &refusals::OUT_OF_HOURS,
                    &refusals::OUT_OF_RANGE,
                ]),
        )
        .post(
            &action_path("leave"),
            ticket_action(|ticket, EndTicketRequest { reason }| {
                let reason = reason.as_deref().unwrap_or(DEFAULT_LEAVE_REASON);
                Ok(Act::Leave { ticket, reason: Some(reason.into()) })
            }),
            ticket_operation::<EndTicketRequest>(
                "leave",
                "The customer wants to leave",
                ANY_SITE_ROLE,
            )
            .refuses(&[&refusals::TICKET_ENDED, &refusals::WRONG_STATE]),
        )
        .post(
            &action_path("remove"),
            ticket_action(|ticket, EndTicketRequest { reason }| {
                Ok(Act::Leave { ticket, reason: reason.map(Into::into) })
            }),
            ticket_operation::<EndTicketRequest>(
                "remove",
                "The ticket is taken out of the line",
                ANY_SITE_ROLE,
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::REASON_NEEDED,
            ]),
        )
        .post(
            &action_path("return"),
            ticket_action(|ticket, EmptyRequest {}| Ok(Act::Return(ticket))),
            ticket_operation::<EmptyRequest>(
                "return",
                "A missed one is let back in",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::TOO_LATE,
                &refusals::TOO_OFTEN,
            ]),
        )
        .post(
            &action_path("hold"),
            ticket_action(|ticket, HoldTicketRequest { reason, minutes }| {
                Ok(Act::Hold { ticket, reason: reason.unwrap_or_default().into(), minutes })
            }),
            ticket_operation::<HoldTicketRequest>(
                "hold",
                "Out of the line for a while, with the place kept",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::REASON_NEEDED,
            ]),
        )
        .post(
            &action_path("resume"),
            ticket_action(|ticket, EmptyRequest {}| Ok(Act::Resume(ticket))),
            ticket_operation::<EmptyRequest>(
                "resume",
                "A held one is in its own place again",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[&refusals::TICKET_ENDED, &refusals::WRONG_STATE]),
        )
        .post(
            &action_path("transfer"),
            ticket_action(|ticket, TransferTicketRequest { queue }| {
                Ok(Act::Transfer { ticket, queue: QueueId::new(&queue) })
            }),
            ticket_operation::<TransferTicketRequest>(
                "transfer",
                "The called or served customer waits in another queue, with the same number",
                ANY_SITE_ROLE,
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::UNKNOWN_QUEUE,
                &refusals::QUEUE_CLOSED,
                &refusals::QUEUE_PAUSED,
                &refusals::QUEUE_HALTED,
            ]),
        )
        .post(
            &action_path("undo"),
            ticket_action(|ticket, EmptyRequest {}| Ok(Act::Undo(ticket))),
            ticket_operation::<EmptyRequest>(
                "undo",
                "A finished, missed or closed ticket is what it was before",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[
                &refusals::WRONG_STATE,
                &refusals::NOTHING_TO_UNDO,
                &refusals::TOO_LATE,
                &refusals::COUNTER_CLOSED,
                &refusals::COUNTER_ON_BREAK,
                &refusals::COUNTER_BUSY,
            ]),
        )
        .post(
            &action_path("priority"),
            ticket_action(|ticket, PrioritiseTicketRequest { class, reason }| {
                let reason = reason.unwrap_or_default().into();
                Ok(Act::Prioritise { ticket, class, reason })
            }),
            ticket_operation::<PrioritiseTicketRequest>(
                "prioritise",
                "Another priority class",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::REASON_NEEDED,
                &refusals::OUT_OF_RANGE,
            ]),
        )
        .post(
            &action_path("arrived"),
            ticket_action(|ticket, EmptyRequest {}| Ok(Act::Mark { ticket, mark: Mark::Arrived })),
            ticket_operation::<EmptyRequest>(
                "arrived",
                "The customer is here: noted",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[&refusals::TICKET_ENDED]),
        )
        .post(
            &action_path("party"),
            ticket_action(|ticket, SetPartySizeRequest { people }| {
                Ok(Act::Mark { ticket, mark: Mark::Party(people) })
            }),
            ticket_operation::<SetPartySizeRequest>(
                "party",
                "How many they are: noted",
                STAFF_AND_MANAGERS,
            )
            .refuses(&[&refusals::TICKET_ENDED, &refusals::OUT_OF_RANGE]),
        )
}

fn action_path(action: &str) -> String {
    format!("/api/v1/sites/{{site}}/tickets/{{number}}/{action}")
}

fn ticket_operation<Wanted: JsonSchema>(
    id: &'static str,
    summary: &'static str,
    who: Access,
) -> Operation {
    action_operation(id, summary, who)
        .json_body::<Wanted>()
        // The queue, where the owner has taken it away meanwhile.
        .refuses(&[&refusals::UNKNOWN_TICKET, &refusals::UNKNOWN_QUEUE, &refusals::NOT_YOUR_QUEUE])
}

/// Holder of a new ticket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TakeTicketRequest {
    /// The priority class, if it is not the queue's own.
    class: Option<u8>,
}

/// Reason of an action.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndTicketRequest {
    /// The reason, in a few words.
    reason: Option<String>,
}

/// Reason and duration of a hold.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HoldTicketRequest {
    /// Needed.
    reason: Option<String>,
    /// Duration; until it is resumed, if left out.
    minutes: Option<u32>,
}

/// Destination of a transfer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TransferTicketRequest {
    /// The other queue's id.
    queue: String,
}

/// Priority class and the reason.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PrioritiseTicketRequest {
    /// 0 first, 8 last.
    class: u8,
    /// Needed.
    reason: Option<String>,
}

/// Party size.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetPartySizeRequest {
    /// 1 to 99.
    people: u32,
}

/// A handler that has an act done with a ticket.
fn ticket_action<Wanted: DeserializeOwned + 'static>(
    act: fn(TicketId, Wanted) -> Result<Act, Problem>,
) -> impl ActionHandler {
    action_handler(move |asked, number| {
        let wanted = asked.parse_body()?;
        act(ticket_by_number(asked.door, asked.site, number)?, wanted)
    })
}

/// The ticket of a number.
pub(in crate::http::api) fn ticket_by_number(
    door: &AppState,
    site: &str,
    number: &str,
) -> Result<TicketId, Problem> {
    let view = door.engine.snapshot(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = view.site.tickets().find(|ticket| ticket.number.to_string() == number);
    Ok(ticket.ok_or(&refusals::UNKNOWN_TICKET)?.id)
}
