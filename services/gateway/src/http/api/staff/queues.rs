//! Staff actions on a queue.

use super::{ActionHandler, EmptyRequest, action_handler, action_operation};
use crate::http::openapi::{Access, Operation, Role, Routes};
use crate::http::refusals;
use paihao_domain::{Act, QueueId, QueueState};

/// Access to a queue's state: also for a program with a manager's scope.
const QUEUE_STATE_ACCESS: Access = Access::Site(&[Role::Manager, Role::ApiManager]);

/// Access to voiding every ticket of a queue.
const CLEAR_QUEUE_ACCESS: Access = Access::Site(&[Role::Manager]);

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            &action_path("open"),
            set_state(QueueState::Open),
            queue_operation("open_queue", "Numbers are given out and called", QUEUE_STATE_ACCESS),
        )
        .post(
            &action_path("pause"),
            set_state(QueueState::Paused),
            queue_operation(
                "pause_queue",
                "No numbers are given out, those in line are called",
                QUEUE_STATE_ACCESS,
            ),
        )
        .post(
            &action_path("halt"),
            set_state(QueueState::Halted),
            queue_operation("halt_queue", "Nobody is called", QUEUE_STATE_ACCESS),
        )
        .post(
            &action_path("close"),
            set_state(QueueState::Closed),
            queue_operation(
                "close_queue",
                "No numbers are given out, and nobody is called",
                QUEUE_STATE_ACCESS,
            ),
        )
        .post(
            &action_path("clear"),
            action_handler(|asked, queue| {
                let EmptyRequest {} = asked.parse_body()?;
                Ok(Act::ClearQueue(QueueId::new(queue)))
            }),
            queue_operation("clear_queue", "Every ticket in it is void", CLEAR_QUEUE_ACCESS),
        )
}

fn action_path(action: &str) -> String {
    format!("/api/v1/sites/{{site}}/queues/{{queue}}/{action}")
}

fn queue_operation(id: &'static str, summary: &'static str, who: Access) -> Operation {
    action_operation(id, summary, who)
        .json_body::<EmptyRequest>()
        .refuses(&[&refusals::UNKNOWN_QUEUE])
}

/// State that lasts until it is set again, or the day ends.
fn set_state(state: QueueState) -> impl ActionHandler {
    action_handler(move |asked, queue| {
        let EmptyRequest {} = asked.parse_body()?;
        Ok(Act::SetQueueState { queue: QueueId::new(queue), state })
    })
}
