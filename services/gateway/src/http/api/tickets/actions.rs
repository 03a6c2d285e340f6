//! Staff actions on a ticket, whatever its state.

use crate::http::access::{AnyRole, StaffMember};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::staff_action::{StaffAction, StaffActionResponse, TicketNumber};
use paihao_contracts::commit::LIMIT_LIFT_GENERATION;
use paihao_domain::{Act, Mark, QueueId};
use schemars::JsonSchema;
use serde::Deserialize;

/// Reason for ending a ticket if the request names none; its holder reads it.
const DEFAULT_LEAVE_REASON: &str = "客户要求";

pub(super) fn routes() -> Routes {
    let path = |action: &str| format!("/api/v1/sites/{{site}}/tickets/{{number}}/{action}");
    Routes::new()
        .post(
            &path("leave"),
            leave,
            endpoint("leave", "Ends the ticket as its holder asked")
                .refuses(&[&refusals::TICKET_ENDED, &refusals::WRONG_STATE]),
        )
        .post(
            &path("remove"),
            remove,
            endpoint("remove", "Takes the ticket out of the line").refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::REASON_NEEDED,
            ]),
        )
        .post(
            &path("return"),
            return_to_line,
            endpoint("return", "Lets a missed ticket back into the line").refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::TOO_LATE,
                &refusals::TOO_OFTEN,
            ]),
        )
        .post(
            &path("hold"),
            hold,
            endpoint("hold", "Takes the ticket out of the line for a while; it keeps its place")
                .refuses(&[
                    &refusals::TICKET_ENDED,
                    &refusals::WRONG_STATE,
                    &refusals::REASON_NEEDED,
                ]),
        )
        .post(
            &path("resume"),
            resume,
            endpoint("resume", "Puts a held ticket back in its place")
                .refuses(&[&refusals::TICKET_ENDED, &refusals::WRONG_STATE]),
        )
        .post(
            &path("transfer"),
            transfer,
            endpoint(
                "transfer",
                "Sends a ticket that waits, is called or is served to another queue, uncalled",
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::QUEUE_CLOSED,
                &refusals::QUEUE_PAUSED,
                &refusals::QUEUE_HALTED,
            ]),
        )
        .post(
            &path("undo"),
            undo,
            endpoint("undo", "Takes back the end of a finished, missed or closed ticket").refuses(
                &[
                    &refusals::WRONG_STATE,
                    &refusals::NOTHING_TO_UNDO,
                    &refusals::TOO_LATE,
                    &refusals::COUNTER_CLOSED,
                    &refusals::COUNTER_BUSY,
                ],
            ),
        )
        .post(
            &path("priority"),
            prioritise,
            endpoint("prioritise", "Gives the ticket another priority class").refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::REASON_NEEDED,
                &refusals::OUT_OF_RANGE,
            ]),
        )
        .post(
            &path("arrived"),
            arrive,
            endpoint("arrived", "Notes that the customer is here")
                .refuses(&[&refusals::TICKET_ENDED]),
        )
        .post(
            &path("party"),
            set_party_size,
            endpoint("party", "Notes the size of the party")
                .refuses(&[&refusals::TICKET_ENDED, &refusals::OUT_OF_RANGE]),
        )
        .post(
            &path("lift-limit"),
            lift_limit,
            endpoint(
                "lift_limit",
                "Lets the ticket's holder, who has taken as many numbers of the queue as a person may, take more today",
            )
            .refuses(&[&refusals::WRONG_STATE, &refusals::FORMS_HELD_BACK]),
        )
}

/// Reason of an action.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndTicketRequest {
    /// The reason, in a few words.
    reason: Option<String>,
}

async fn leave(
    action: StaffAction<AnyRole, TicketNumber, EndTicketRequest>,
) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    let reason = action.body.reason.as_deref().unwrap_or(DEFAULT_LEAVE_REASON);
    action.submit_for(&ticket, Act::Leave { ticket: ticket.id, reason: Some(reason.into()) }).await
}

async fn remove(
    action: StaffAction<AnyRole, TicketNumber, EndTicketRequest>,
) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    let reason = action.body.reason.as_deref().map(Into::into);
    action.submit_for(&ticket, Act::Leave { ticket: ticket.id, reason }).await
}

async fn return_to_line(action: StaffAction<StaffMember, TicketNumber>) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    action.submit_for(&ticket, Act::Return(ticket.id)).await
}

/// Reason and duration of a hold.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HoldTicketRequest {
    /// Reason, which is required.
    reason: Option<String>,
    /// Duration; until it is resumed, if left out.
    minutes: Option<u32>,
}

async fn hold(
    action: StaffAction<StaffMember, TicketNumber, HoldTicketRequest>,
) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    let reason = action.body.reason.as_deref().unwrap_or_default().into();
    action
        .submit_for(&ticket, Act::Hold { ticket: ticket.id, reason, minutes: action.body.minutes })
        .await
}

async fn resume(action: StaffAction<StaffMember, TicketNumber>) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    action.submit_for(&ticket, Act::Resume(ticket.id)).await
}

/// Destination of a transfer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TransferTicketRequest {
    /// The other queue's id.
    queue: String,
}

async fn transfer(
    action: StaffAction<AnyRole, TicketNumber, TransferTicketRequest>,
) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    action
        .submit_for(
            &ticket,
            Act::Transfer { ticket: ticket.id, queue: QueueId::new(&action.body.queue) },
        )
        .await
}

async fn undo(action: StaffAction<StaffMember, TicketNumber>) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    action.submit_for(&ticket, Act::Undo(ticket.id)).await
}

/// Priority class and the reason.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PrioritiseTicketRequest {
    /// 0 first, 8 last.
    class: u8,
    /// Reason, which is required.
    reason: Option<String>,
}

async fn prioritise(
    action: StaffAction<StaffMember, TicketNumber, PrioritiseTicketRequest>,
) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    let reason = action.body.reason.as_deref().unwrap_or_default().into();
    action
        .submit_for(
            &ticket,
            Act::Prioritise { ticket: ticket.id, class: action.body.class, reason },
        )
        .await
}

async fn arrive(action: StaffAction<StaffMember, TicketNumber>) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    action.submit_for(&ticket, Act::Mark { ticket: ticket.id, mark: Mark::Arrived }).await
}

/// Party size.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetPartySizeRequest {
    /// 1 to 99.
    people: u32,
}

async fn set_party_size(
    action: StaffAction<StaffMember, TicketNumber, SetPartySizeRequest>,
) -> StaffActionResponse {
    let ticket = action.ticket().await?;
    action
        .submit_for(&ticket, Act::Mark { ticket: ticket.id, mark: Mark::Party(action.body.people) })
        .await
}

async fn lift_limit(action: StaffAction<StaffMember, TicketNumber>) -> StaffActionResponse {
    if !action.may_write(LIMIT_LIFT_GENERATION) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    let ticket = action.ticket().await?;
    action.submit_for(&ticket, Act::Mark { ticket: ticket.id, mark: Mark::LimitLifted }).await
}
