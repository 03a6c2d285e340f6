//! Queues of a site: their state, and tickets for people without WeChat.

use crate::http::access::{AnyRole, Manager, ManagerScope};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals;
use crate::http::staff_action::{StaffAction, StaffActionResponse};
use paihao_chassis::entropy;
use paihao_domain::{Act, QueueId, QueueState, TicketKey};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes {
    let path = |action: &str| format!("/api/v1/sites/{{site}}/queues/{{queue}}/{action}");
    Routes::new()
        .post(
            &path("tickets"),
            take_ticket,
            endpoint("take_ticket", "Takes a ticket for somebody without WeChat").refuses(&[
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
            &path("open"),
            open,
            endpoint("open_queue", "Opens the queue: tickets are taken and called"),
        )
        .post(
            &path("pause"),
            pause,
            endpoint("pause_queue", "Takes no more tickets; those in line are called"),
        )
        .post(&path("halt"), halt, endpoint("halt_queue", "Calls nobody; tickets are taken"))
        .post(
            &path("close"),
            close,
            endpoint("close_queue", "Closes the queue: no tickets are taken, and nobody is called"),
        )
        .post(&path("clear"), clear, endpoint("clear_queue", "Voids every ticket of the queue"))
}

/// Priority class of a new ticket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TakeTicketRequest {
    /// Priority class, if it is not the queue's own.
    class: Option<u8>,
}

async fn take_ticket(
    action: StaffAction<AnyRole, QueueId, TakeTicketRequest>,
) -> StaffActionResponse {
    let queue = action.target.clone();
    let class = action.body.class;
    let key = Some(TicketKey(entropy::bytes()));
    action.submit(Act::Take { queue, person: None, scan_session: None, class, key }).await
}

/// Opens the queue. Every state lasts until another is set or the day ends.
async fn open(action: StaffAction<ManagerScope, QueueId>) -> StaffActionResponse {
    set_state(action, QueueState::Open).await
}

async fn pause(action: StaffAction<ManagerScope, QueueId>) -> StaffActionResponse {
    set_state(action, QueueState::Paused).await
}

async fn halt(action: StaffAction<ManagerScope, QueueId>) -> StaffActionResponse {
    set_state(action, QueueState::Halted).await
}

async fn close(action: StaffAction<ManagerScope, QueueId>) -> StaffActionResponse {
    set_state(action, QueueState::Closed).await
}

async fn set_state(
    action: StaffAction<ManagerScope, QueueId>,
    state: QueueState,
) -> StaffActionResponse {
    action.submit(Act::SetQueueState { queue: action.target.clone(), state }).await
}

async fn clear(action: StaffAction<Manager, QueueId>) -> StaffActionResponse {
    action.submit(Act::ClearQueue(action.target.clone())).await
}
