//! Errors of calls to WeChat, free of secrets.

use crate::codes::{self, FailureClass};

/// An error response of WeChat's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {name}: {sentence}")]
pub struct Refusal {
    /// WeChat's `errcode`.
    pub code: i64,
    /// Our name of the code; `unknown` if it is not in the table.
    pub name: &'static str,
    /// Failure class of the code.
    pub class: FailureClass,
    /// WeChat's message, without request ids and secrets.
    pub sentence: String,
}

impl Refusal {
    /// Advice for the operator.
    pub fn advice(&self) -> &'static str {
        let rows = || codes::RETURN_CODES.iter().filter(|row| row.code == self.code);
        rows().find(|row| row.name == self.name).unwrap_or(&codes::UNKNOWN).advice
    }
}

/// Errors of a call to WeChat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// WeChat answered with an error: the call had no effect.
    #[error("WeChat refused: {0}")]
    Refused(Refusal),
    /// No connection could be made: the call had no effect.
    #[error("WeChat cannot be reached: {0}")]
    Unreachable(String),
    /// No response in time. **The call may have taken effect.**
    #[error("WeChat did not answer in time")]
    TimedOut,
    /// The response broke off or could not be read. **The call may have taken effect.**
    #[error("WeChat's answer could not be read: {0}")]
    Garbled(String),
}

impl CallError {
    /// Failure class; errors of the connection are [`FailureClass::RetryLater`].
    pub fn class(&self) -> FailureClass {
        match self {
            CallError::Refused(refusal) => refusal.class,
            CallError::Unreachable(_) | CallError::TimedOut | CallError::Garbled(_) => {
                FailureClass::RetryLater(None)
            }
        }
    }

    /// True if the call may have taken effect although the caller received no confirmation.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, CallError::TimedOut | CallError::Garbled(_))
    }

    /// Label for metrics, from a bounded set.
    pub fn outcome(&self) -> &'static str {
        match self {
            CallError::Refused(refusal) => refusal.name,
            CallError::Unreachable(_) => "unreachable",
            CallError::TimedOut => "timed_out",
            CallError::Garbled(_) => "garbled",
        }
    }
}
