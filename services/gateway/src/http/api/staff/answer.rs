//! What is answered to a wish that was carried out.

use crate::lines::Answered;
use paihao_domain::{Outcome, QueueState};
use schemars::JsonSchema;
use serde::Serialize;

/// What was done.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Done {
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
    /// How many it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// Of a number that was given out: the path of its page, for its holder alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// When it was decided, in Unix milliseconds.
    at: i64,
}

impl Done {
    pub(super) fn linked(self, link: Option<String>) -> Done {
        Done { link, ..self }
    }
}

pub(super) fn done(answered: Answered) -> Done {
    let nothing = Done { outcome: answered.outcome.name(), at: answered.at.0, ..Done::default() };
    match answered.outcome {
        Outcome::Called { number, queue, counter, deadline, .. } => Done {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            counter: Some(counter.as_str().to_owned()),
            deadline: Some(deadline.0),
            ..nothing
        },
        Outcome::Finished { number, counter, .. } | Outcome::Missed { number, counter, .. } => {
            Done {
                number: Some(number.to_string()),
                counter: Some(counter.as_str().to_owned()),
                ..nothing
            }
        }
        Outcome::Holding { number, queue, state, told, .. } => Done {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            state: Some(state.name()),
            ahead: Some(told.ahead),
            ..nothing
        },
        Outcome::Stands { number, queue, state, ahead, .. } => Done {
            number: Some(number.to_string()),
            queue: Some(queue.as_str().to_owned()),
            state: Some(state.name()),
            ahead: (state == paihao_domain::State::Waiting).then_some(ahead),
            ..nothing
        },
        Outcome::Left { number, .. } => Done { number: Some(number.to_string()), ..nothing },
        Outcome::Forgotten | Outcome::DayBegun(_) | Outcome::DayTurning { .. } => nothing,
        Outcome::CounterOpen(counter)
        | Outcome::CounterPaused(counter)
        | Outcome::CounterClosed(counter) => {
            Done { counter: Some(counter.as_str().to_owned()), ..nothing }
        }
        Outcome::QueueIs(queue, state) => Done {
            queue: Some(queue.as_str().to_owned()),
            state: Some(state_name(state)),
            ..nothing
        },
        Outcome::QueueCleared { queue, voided } => {
            Done { queue: Some(queue.as_str().to_owned()), count: Some(voided), ..nothing }
        }
        Outcome::Told { people } => Done { count: Some(people), ..nothing },
    }
}

fn state_name(state: QueueState) -> &'static str {
    match state {
        QueueState::Open => "open",
        QueueState::Paused => "paused",
        QueueState::Halted => "halted",
        QueueState::Closed => "closed",
    }
}
