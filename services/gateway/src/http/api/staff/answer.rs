//! Result of a staff action.

use crate::engine::CommandOutcome;
use paihao_domain::{Outcome, QueueState};
use schemars::JsonSchema;
use serde::Serialize;

/// Result of a staff action.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct StaffActionResult {
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
    /// The ticket's or the queue's.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// People ahead, of a ticket that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u32>,
    /// Number of affected tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// Of a number that was given out: the path of its page, for its holder alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Time of the decision, in Unix milliseconds.
    at: i64,
}

impl StaffActionResult {
    pub(super) fn with_link(self, link: Option<String>) -> StaffActionResult {
        StaffActionResult { link, ..self }
    }
}

pub(super) fn action_result(answered: CommandOutcome) -> StaffActionResult {
    let nothing = StaffActionResult {
        outcome: answered.outcome.name(),
        at: answered.at.0,
        ..StaffActionResult::default()
    };
    match answered.outcome {
        Outcome::Called { number, queue, counter, deadline, .. } => StaffActionResult {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            counter: Some(counter.as_str().to_owned()),
            deadline: Some(deadline.0),
            ..nothing
        },
        Outcome::Finished { number, counter, .. } | Outcome::Missed { number, counter, .. } => {
            StaffActionResult {
                number: Some(number.to_string()),
                counter: Some(counter.as_str().to_owned()),
                ..nothing
            }
        }
        Outcome::Holding { number, queue, state, told, .. } => StaffActionResult {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            state: Some(state.name()),
            ahead: Some(told.ahead),
            ..nothing
        },
        Outcome::Stands { number, queue, state, ahead, .. } => StaffActionResult {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            state: Some(state.name()),
            ahead: (state == paihao_domain::TicketStatus::Waiting).then_some(ahead),
            ..nothing
        },
        Outcome::Left { number, .. } => {
            StaffActionResult { number: Some(number.to_string()), ..nothing }
        }
        Outcome::Forgotten | Outcome::DayBegun(_) | Outcome::DayTurning { .. } => nothing,
        Outcome::CounterOpen(counter)
        | Outcome::CounterPaused(counter)
        | Outcome::CounterClosed(counter) => {
            StaffActionResult { counter: Some(counter.as_str().to_owned()), ..nothing }
        }
        Outcome::QueueIs(queue, state) => StaffActionResult {
            queue: Some(queue.as_str().to_owned()),
            state: Some(queue_state_name(state)),
            ..nothing
        },
        Outcome::QueueCleared { queue, voided } => StaffActionResult {
            queue: Some(queue.as_str().to_owned()),
            count: Some(voided),
            ..nothing
        },
        Outcome::Told { people } => StaffActionResult { count: Some(people), ..nothing },
    }
}

fn queue_state_name(state: QueueState) -> &'static str {
    match state {
        QueueState::Open => "open",
        QueueState::Paused => "paused",
        QueueState::Halted => "halted",
        QueueState::Closed => "closed",
    }
}
