//! Result of a staff action.

use crate::engine::CommandOutcome;
use crate::http::board::queue_state_name;
use paihao_domain::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

/// Result of a staff action.
#[derive(Serialize, JsonSchema, Default)]
pub(crate) struct StaffActionResult {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<String>,
    /// Time by which the called person is expected, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
    /// State of the ticket or of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// People ahead, of a ticket that has a place in the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u32>,
    /// Number of affected tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// Path of the page of a ticket that was taken, for its holder alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Time of the decision, in Unix milliseconds.
    at: i64,
}

impl StaffActionResult {
    /// Result of a decided command; `link` is the page of a ticket that was taken.
    pub(super) fn new(decided: CommandOutcome, link: Option<String>) -> StaffActionResult {
        let result = StaffActionResult {
            outcome: decided.outcome.name(),
            link,
            at: decided.at.0,
            ..StaffActionResult::default()
        };
        result.with_outcome(decided.outcome)
    }

    fn with_outcome(self, outcome: Outcome) -> StaffActionResult {
        match outcome {
            Outcome::Called { number, queue, counter, deadline, .. } => StaffActionResult {
                number: Some(number.to_string()),
                queue: Some(queue.as_str().to_owned()),
                counter: Some(counter.as_str().to_owned()),
                deadline: Some(deadline.0),
                ..self
            },
            Outcome::Finished { number, counter, .. } | Outcome::Missed { number, counter, .. } => {
                StaffActionResult {
                    number: Some(number.to_string()),
                    counter: Some(counter.as_str().to_owned()),
                    ..self
                }
            }
            Outcome::Holding { number, queue, standing, .. }
            | Outcome::TicketChanged { number, queue, standing, .. } => StaffActionResult {
                number: Some(number.to_string()),
                queue: Some(queue.as_str().to_owned()),
                state: Some(standing.status().name()),
                ahead: standing.wait.map(|wait| wait.ahead),
                ..self
            },
            Outcome::Left { number, .. } => {
                StaffActionResult { number: Some(number.to_string()), ..self }
            }
            Outcome::Forgotten | Outcome::DayOpened(_) | Outcome::DayRollover { .. } => self,
            Outcome::CounterOpen(counter)
            | Outcome::CounterPaused(counter)
            | Outcome::CounterClosed(counter) => {
                StaffActionResult { counter: Some(counter.as_str().to_owned()), ..self }
            }
            Outcome::QueueSet(queue, state) => StaffActionResult {
                queue: Some(queue.as_str().to_owned()),
                state: Some(queue_state_name(state)),
                ..self
            },
            Outcome::QueueCleared { queue, voided } => StaffActionResult {
                queue: Some(queue.as_str().to_owned()),
                count: Some(voided),
                ..self
            },
            Outcome::HoldersNotified { people } => {
                StaffActionResult { count: Some(people), ..self }
            }
        }
    }
}
