//! Counters of a site: opening them, calling tickets, serving them.

use crate::http::access::{AnyRole, StaffMember};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, ProblemKind};
use crate::http::staff_action::{StaffAction, StaffActionResponse};
use paihao_domain::{Act, CounterId};
use schemars::JsonSchema;
use serde::Deserialize;

/// Refusals of an action on the ticket at the counter.
const CURRENT_TICKET_REFUSALS: [&ProblemKind; 3] =
    [&refusals::COUNTER_IDLE, &refusals::COUNTER_BUSY, &refusals::DAY_TURNED];

/// Refusals of a call.
const CALL_REFUSALS: [&ProblemKind; 5] = [
    &refusals::COUNTER_CLOSED,
    &refusals::COUNTER_ON_BREAK,
    &refusals::COUNTER_BUSY,
    &refusals::QUEUE_HALTED,
    &refusals::QUEUE_CLOSED,
];

/// Refusals of an action that names a ticket.
const NAMED_TICKET_REFUSALS: [&ProblemKind; 4] = [
    &refusals::UNKNOWN_TICKET,
    &refusals::TICKET_ENDED,
    &refusals::WRONG_STATE,
    &refusals::DAY_TURNED,
];

pub(super) fn routes() -> Routes {
    let path = |action: &str| format!("/api/v1/sites/{{site}}/counters/{{counter}}/{action}");
    Routes::new()
        .post(
            &path("open"),
            open,
            endpoint("open_counter", "Opens the counter, with the principal at it")
                .refuses(&[&refusals::COUNTER_TAKEN, &refusals::ELSEWHERE_LOGGED_IN]),
        )
        .post(
            &path("take-over"),
            take_over,
            endpoint(
                "take_over_counter",
                "Takes the counter over from a colleague who is logged in there (接班)",
            )
            .refuses(&[&refusals::COUNTER_TAKEN, &refusals::ELSEWHERE_LOGGED_IN]),
        )
        .post(
            &path("break"),
            pause,
            endpoint("break_counter", "Begins a break, after the ticket that is at the counter")
                .refuses(&[&refusals::COUNTER_CLOSED]),
        )
        .post(
            &path("close"),
            close,
            endpoint("close_counter", "Closes the counter, after the ticket that is there"),
        )
        .post(
            &path("call-next"),
            call_next,
            endpoint("call_next", "Calls the next ticket and finishes the one in service")
                .refuses(&CALL_REFUSALS)
                .refuses(&[&refusals::NOBODY_WAITING]),
        )
        .post(
            &path("call"),
            call,
            endpoint("call", "Calls a certain ticket, out of order")
                .refuses(&CALL_REFUSALS)
                .refuses(&NAMED_TICKET_REFUSALS)
                .refuses(&[&refusals::WRONG_COUNTER, &refusals::REASON_NEEDED]),
        )
        .post(
            &path("recall"),
            recall,
            endpoint("recall", "Calls the called ticket once more")
                .refuses(&CURRENT_TICKET_REFUSALS)
                .refuses(&[&refusals::WRONG_STATE, &refusals::TOO_SOON, &refusals::TOO_OFTEN]),
        )
        .post(
            &path("start"),
            start,
            endpoint("start", "Begins to serve the called ticket")
                .refuses(&CURRENT_TICKET_REFUSALS)
                .refuses(&[&refusals::WRONG_STATE]),
        )
        .post(
            &path("put-back"),
            put_back,
            endpoint("put_back", "Puts a ticket called by mistake back in its place")
                .refuses(&CURRENT_TICKET_REFUSALS)
                .refuses(&[&refusals::WRONG_STATE, &refusals::TOO_LATE]),
        )
        .post(
            &path("finish"),
            finish,
            endpoint("finish", "Finishes the ticket at the counter as served")
                .refuses(&CURRENT_TICKET_REFUSALS),
        )
        .post(
            &path("missed"),
            miss,
            endpoint("missed", "Marks the called ticket as missed: nobody came")
                .refuses(&CURRENT_TICKET_REFUSALS)
                .refuses(&[&refusals::WRONG_STATE]),
        )
        .post(
            &path("suspend"),
            suspend,
            endpoint("suspend", "Interrupts the service of the ticket at the counter")
                .refuses(&CURRENT_TICKET_REFUSALS)
                .refuses(&[&refusals::WRONG_STATE, &refusals::REASON_NEEDED]),
        )
        .post(
            &path("resume-here"),
            resume_here,
            endpoint("resume_here", "Resumes an interrupted service at the counter")
                .refuses(&NAMED_TICKET_REFUSALS)
                .refuses(&[
                    &refusals::COUNTER_CLOSED,
                    &refusals::COUNTER_ON_BREAK,
                    &refusals::COUNTER_BUSY,
                    &refusals::WRONG_COUNTER,
                ]),
        )
}

async fn open(action: StaffAction<AnyRole, CounterId>) -> StaffActionResponse {
    let counter = action.target.clone();
    // A login that may no longer be there is nobody's.
    let act = match action.login_left_behind() {
        Some(from) => Act::TakeOver { counter, from },
        None => Act::OpenCounter(counter),
    };
    action.submit(act).await
}

/// Colleague whose login the client shows at the counter.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TakeOverRequest {
    /// Login at the counter, as the console tells it. Another one that is there by now keeps it.
    from: String,
}

async fn take_over(
    action: StaffAction<AnyRole, CounterId, TakeOverRequest>,
) -> StaffActionResponse {
    let from = action.body.from.as_str().into();
    action.submit(Act::TakeOver { counter: action.target.clone(), from }).await
}

async fn pause(action: StaffAction<AnyRole, CounterId>) -> StaffActionResponse {
    action.submit(Act::BreakCounter(action.target.clone())).await
}

async fn close(action: StaffAction<AnyRole, CounterId>) -> StaffActionResponse {
    action.submit(Act::CloseCounter(action.target.clone())).await
}

async fn call_next(action: StaffAction<AnyRole, CounterId>) -> StaffActionResponse {
    action.submit(Act::CallNext(action.target.clone())).await
}

/// Ticket to call, and the reason for calling it out of order.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CallTicketRequest {
    /// The ticket's number.
    number: String,
    /// Required, unless the ticket was missed and has returned.
    reason: Option<String>,
}

async fn call(action: StaffAction<AnyRole, CounterId, CallTicketRequest>) -> StaffActionResponse {
    let ticket = action.find_ticket(&action.body.number).await?;
    let reason = action.body.reason.as_deref().map(Into::into);
    let act = Act::CallTicket { counter: action.target.clone(), ticket: ticket.id, reason };
    action.submit_for(&ticket, act).await
}

/// Ticket number that the client shows at the counter: if another ticket is there, nothing is done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CurrentTicketRequest {
    /// Ticket number; any ticket at the counter, if left out.
    number: Option<String>,
}

async fn recall(
    action: StaffAction<StaffMember, CounterId, CurrentTicketRequest>,
) -> StaffActionResponse {
    action.submit_at_counter(action.body.number.as_deref(), Act::Recall).await
}

async fn start(
    action: StaffAction<AnyRole, CounterId, CurrentTicketRequest>,
) -> StaffActionResponse {
    action.submit_at_counter(action.body.number.as_deref(), Act::Start).await
}

async fn put_back(
    action: StaffAction<StaffMember, CounterId, CurrentTicketRequest>,
) -> StaffActionResponse {
    action.submit_at_counter(action.body.number.as_deref(), Act::PutBack).await
}

async fn finish(
    action: StaffAction<AnyRole, CounterId, CurrentTicketRequest>,
) -> StaffActionResponse {
    action.submit_at_counter(action.body.number.as_deref(), Act::Finish).await
}

async fn miss(
    action: StaffAction<StaffMember, CounterId, CurrentTicketRequest>,
) -> StaffActionResponse {
    action.submit_at_counter(action.body.number.as_deref(), Act::Miss).await
}

/// Ticket whose service is suspended, and the reason.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SuspendServiceRequest {
    /// Ticket number that the client shows at the counter.
    number: Option<String>,
    /// Reason, which is required.
    reason: Option<String>,
    /// True if only this counter resumes it.
    #[serde(default)]
    affinity: bool,
}

async fn suspend(
    action: StaffAction<StaffMember, CounterId, SuspendServiceRequest>,
) -> StaffActionResponse {
    let SuspendServiceRequest { number, reason, affinity } = &action.body;
    let reason = reason.as_deref().unwrap_or_default().into();
    let act = |served| Act::Suspend { served, reason, affinity: *affinity };
    action.submit_at_counter(number.as_deref(), act).await
}

/// Ticket whose service is resumed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResumeHereRequest {
    /// The ticket's number.
    number: String,
}

async fn resume_here(
    action: StaffAction<StaffMember, CounterId, ResumeHereRequest>,
) -> StaffActionResponse {
    let ticket = action.find_ticket(&action.body.number).await?;
    let act = Act::ResumeAtCounter { counter: action.target.clone(), ticket: ticket.id };
    action.submit_for(&ticket, act).await
}
