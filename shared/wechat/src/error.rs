//! Why a call to WeChat did not succeed, in words that never hold a secret.

use crate::codes::{self, FailureClass};

/// WeChat answered, and the answer was no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {name}: {sentence}")]
pub struct Refusal {
    /// WeChat's `errcode`.
    pub code: i64,
    /// Our name of the code; `unknown` if it is not in the table.
    pub name: &'static str,
    /// What it means to us.
    pub class: FailureClass,
    /// WeChat's own words, without request ids and secrets.
    pub sentence: String,
}

impl Refusal {
    /// What the operator can do about it.
    pub fn advice(&self) -> &'static str {
        let rows = || codes::RETURN_CODES.iter().filter(|row| row.code == self.code);
        rows().find(|row| row.name == self.name).unwrap_or(&codes::UNKNOWN).advice
    }
}

/// Why a call to WeChat did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// WeChat answered, and the answer was no: the call did nothing.
    #[error("WeChat refused: {0}")]
    Refused(Refusal),
    /// No connection could be made: the call did nothing.
    #[error("WeChat cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time. **The call may have done its work.**
    #[error("WeChat did not answer in time")]
    TimedOut,
    /// The answer broke off or could not be read. **The call may have done its work.**
    #[error("WeChat's answer could not be read: {0}")]
    Garbled(String),
}

impl CallError {
    /// What it means to us; failures of the way there and back mean [`FailureClass::RetryLater`].
    pub fn class(&self) -> FailureClass {
        match self {
            CallError::Refused(refusal) => refusal.class,
            CallError::Unreachable(_) | CallError::TimedOut | CallError::Garbled(_) => {
                FailureClass::RetryLater(None)
            }
        }
    }

    /// Whether the call may have done its work although this caller never learnt of it.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, CallError::TimedOut | CallError::Garbled(_))
    }

    /// A word for metrics: one of a bounded set.
    pub fn outcome(&self) -> &'static str {
        match self {
            CallError::Refused(refusal) => refusal.name,
            CallError::Unreachable(_) => "unreachable",
            CallError::TimedOut => "timed_out",
            CallError::Garbled(_) => "garbled",
        }
    }
}
