//! What is done about a whole queue.

use super::{Handling, Nothing, act, handling};
use crate::http::openapi::{Access, Operation, Role, Routes};
use crate::http::refusals;
use paihao_domain::{Act, QueueId, QueueState};

/// Whoever may set a queue's state: a program, too, if it has a manager's scope.
const SET: Access = Access::Key(&[Role::Manager, Role::ApiManager]);

/// Whoever may void everybody's place.
const CLEAR: Access = Access::Key(&[Role::Manager]);

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            &path("open"),
            set(QueueState::Open),
            about("open_queue", "Numbers are given out and called", SET),
        )
        .post(
            &path("pause"),
            set(QueueState::Paused),
            about("pause_queue", "No numbers are given out, those in line are called", SET),
        )
        .post(&path("halt"), set(QueueState::Halted), about("halt_queue", "Nobody is called", SET))
        .post(
            &path("close"),
            set(QueueState::Closed),
            about("close_queue", "No numbers are given out, and nobody is called", SET),
        )
        .post(
            &path("clear"),
            handling(|asked, queue| {
                let Nothing {} = asked.wanted()?;
                Ok(Act::ClearQueue(QueueId::new(queue)))
            }),
            about("clear_queue", "Every ticket in it is void", CLEAR),
        )
}

fn path(action: &str) -> String {
    format!("/api/v1/sites/{{site}}/queues/{{queue}}/{action}")
}

fn about(id: &'static str, summary: &'static str, who: Access) -> Operation {
    act(id, summary, who).takes::<Nothing>().refuses(&[&refusals::UNKNOWN_QUEUE])
}

/// Until somebody says otherwise, or the day ends.
fn set(state: QueueState) -> impl Handling {
    handling(move |asked, queue| {
        let Nothing {} = asked.wanted()?;
        Ok(Act::SetQueue { queue: QueueId::new(queue), state })
    })
}
