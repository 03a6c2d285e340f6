//! Staff actions at a counter: opening it, calling, serving.

use super::tickets::ticket_by_number;
use super::{
    ActionHandler, EmptyRequest, STAFF_AND_MANAGERS, StaffRequest, action_handler, action_operation,
};
use crate::http::openapi::{ANY_SITE_ROLE, Access, Operation, Routes};
use crate::http::refusals::{self, Problem, ProblemKind};
use paihao_domain::{Act, CounterId, CounterTicket, TicketId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) fn routes() -> Routes {
    let nobody_at = [&refusals::COUNTER_IDLE, &refusals::COUNTER_BUSY];
    let calls = [
        &refusals::COUNTER_CLOSED,
        &refusals::COUNTER_ON_BREAK,
        &refusals::COUNTER_BUSY,
        &refusals::QUEUE_HALTED,
        &refusals::QUEUE_CLOSED,
    ];
    Routes::new()
        .post(
            &action_path("open"),
            counter_action(|_, counter, EmptyRequest {}| Ok(Act::OpenCounter(counter))),
            counter_operation::<EmptyRequest>(
                "open_counter",
                "The counter serves, with the asker at it",
                ANY_SITE_ROLE,
            )
            .refuses(&[&refusals::COUNTER_TAKEN, &refusals::ELSEWHERE_LOGGED_IN]),
        )
        .post(
            &action_path("break"),
            counter_action(|_, counter, EmptyRequest {}| Ok(Act::BreakCounter(counter))),
            counter_operation::<EmptyRequest>(
                "break_counter",
                "The counter has a break",
                ANY_SITE_ROLE,
            )
            .refuses(&[&refusals::COUNTER_CLOSED, &refusals::COUNTER_BUSY]),
        )
        .post(
            &action_path("close"),
            counter_action(|_, counter, EmptyRequest {}| Ok(Act::CloseCounter(counter))),
            counter_operation::<EmptyRequest>("close_counter", "The counter stops", ANY_SITE_ROLE)
                .refuses(&[&refusals::COUNTER_BUSY]),
        )
        .post(
            &action_path("call-next"),
            counter_action(|_, counter, EmptyRequest {}| Ok(Act::CallNext(counter))),
            counter_operation::<EmptyRequest>(
                "call_next",
                "Whoever is next is called; whom the counter serves is finished with",
                ANY_SITE_ROLE,
            )
            .refuses(&calls)
            .refuses(&[&refusals::NOBODY_WAITING]),
        )
        .post(
            &action_path("call"),
            counter_action(|asked, counter, CallTicketRequest { number, reason }| {
                let ticket = find_ticket(asked, &number)?;
                Ok(Act::CallTicket { counter, ticket, reason: reason.as_deref().map(Into::into) })
            }),
            counter_operation::<CallTicketRequest>(
                "call",
                "This one is called, out of order",
                ANY_SITE_ROLE,
            )
            .refuses(&calls)
            .refuses(&TICKET_REFUSALS)
            .refuses(&[&refusals::WRONG_COUNTER, &refusals::REASON_NEEDED]),
        )
        .post(
            &action_path("recall"),
            counter_action(|_, counter, CurrentTicketRequest { number }| {
                Ok(Act::Recall(CounterTicket { counter, number }))
            }),
            counter_operation::<CurrentTicketRequest>(
                "recall",
                "The called customer is called again",
                STAFF_AND_MANAGERS,
            )
            .refuses(&nobody_at)
            .refuses(&[
                &refusals::WRONG_STATE,
                &refusals::TOO_SOON,
                &refusals::TOO_OFTEN,
            ]),
        )
        .post(
            &action_path("start"),
            counter_action(|_, counter, CurrentTicketRequest { number }| {
                Ok(Act::Start(CounterTicket { counter, number }))
            }),
            counter_operation::<CurrentTicketRequest>(
                "start",
                "The called customer is here",
                ANY_SITE_ROLE,
            )
            .refuses(&nobody_at)
            .refuses(&[&refusals::WRONG_STATE]),
        )
        .post(
            &action_path("put-back"),
            counter_action(|_, counter, CurrentTicketRequest { number }| {
                Ok(Act::PutBack(CounterTicket { counter, number }))
            }),
            counter_operation::<CurrentTicketRequest>(
                "put_back",
                "The call was a mistake: the ticket is in its old place",
                STAFF_AND_MANAGERS,
            )
            .refuses(&nobody_at)
            .refuses(&[&refusals::WRONG_STATE, &refusals::TOO_LATE]),
        )
        .post(
            &action_path("finish"),
            counter_action(|_, counter, CurrentTicketRequest { number }| {
                Ok(Act::Finish(CounterTicket { counter, number }))
            }),
            counter_operation::<CurrentTicketRequest>(
                "finish",
                "The customer has been served",
                ANY_SITE_ROLE,
            )
            .refuses(&nobody_at),
        )
        .post(
            &action_path("missed"),
            counter_action(|_, counter, CurrentTicketRequest { number }| {
                Ok(Act::Miss(CounterTicket { counter, number }))
            }),
            counter_operation::<CurrentTicketRequest>(
                "missed",
                "The called customer did not come",
                STAFF_AND_MANAGERS,
            )
            .refuses(&nobody_at)
            .refuses(&[&refusals::WRONG_STATE]),
        )
        .post(
            &action_path("suspend"),
            counter_action(|_, counter, SuspendServiceRequest { number, reason, affinity }| {
                let reason = reason.unwrap_or_default().into();
                Ok(Act::Suspend { served: CounterTicket { counter, number }, reason, affinity })
            }),
            counter_operation::<SuspendServiceRequest>(
                "suspend",
                "The service is interrupted",
                STAFF_AND_MANAGERS,
            )
            .refuses(&nobody_at)
            .refuses(&[&refusals::WRONG_STATE, &refusals::REASON_NEEDED]),
        )
        .post(
            &action_path("resume-here"),
            counter_action(|asked, counter, ResumeHereRequest { number }| {
                Ok(Act::ResumeAtCounter { counter, ticket: find_ticket(asked, &number)? })
            }),
            counter_operation::<ResumeHereRequest>(
                "resume_here",
                "An interrupted service goes on",
                STAFF_AND_MANAGERS,
            )
            .refuses(&TICKET_REFUSALS)
            .refuses(&[
                &refusals::COUNTER_CLOSED,
                &refusals::COUNTER_ON_BREAK,
                &refusals::COUNTER_BUSY,
                &refusals::WRONG_COUNTER,
            ]),
        )
}

/// Refusals of an action that names a ticket.
const TICKET_REFUSALS: [&ProblemKind; 3] =
    [&refusals::UNKNOWN_TICKET, &refusals::TICKET_ENDED, &refusals::WRONG_STATE];

fn action_path(action: &str) -> String {
    format!("/api/v1/sites/{{site}}/counters/{{counter}}/{action}")
}

fn counter_operation<Wanted: JsonSchema>(
    id: &'static str,
    summary: &'static str,
    who: Access,
) -> Operation {
    action_operation(id, summary, who)
        .json_body::<Wanted>()
        .refuses(&[&refusals::UNKNOWN_COUNTER, &refusals::NOT_YOUR_COUNTER])
}

/// Ticket number that the client shows at the counter: if another ticket is there, nothing is done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CurrentTicketRequest {
    /// Whatever ticket is there, if left out.
    number: Option<String>,
}

/// Ticket whose service is resumed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResumeHereRequest {
    /// The ticket's number.
    number: String,
}

/// Ticket to call, and the reason for calling it out of order.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CallTicketRequest {
    /// The ticket's number.
    number: String,
    /// Needed, unless it is one who was missed and came back.
    reason: Option<String>,
}

/// Ticket whose service is suspended, and the reason.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SuspendServiceRequest {
    /// Ticket number that the client shows at the counter.
    number: Option<String>,
    /// Needed.
    reason: Option<String>,
    /// True if only this counter resumes it.
    #[serde(default)]
    affinity: bool,
}

fn find_ticket(asked: &StaffRequest<'_>, number: &str) -> Result<TicketId, Problem> {
    ticket_by_number(asked.door, asked.site, number)
}

/// A handler that has an act done at a counter.
fn counter_action<Wanted: DeserializeOwned + 'static>(
    act: fn(&StaffRequest<'_>, CounterId, Wanted) -> Result<Act, Problem>,
) -> impl ActionHandler {
    action_handler(move |asked, counter| act(asked, CounterId::new(counter), asked.parse_body()?))
}
