//! Refusals for the errors of the parts below the HTTP edge.

use crate::engine::SubmitError;
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::identity::error::IdentityError;
use crate::identity::oauth::authorize::InvalidRequest;
use crate::identity::oauth::code::RedeemError;
use crate::identity::oauth::id_token::SignError;
use crate::projections::dead_letters::handling::HandleError;
use crate::projections::visits::log_reader::VisitsError;
use crate::settings::update::UpdateError;
use paihao_domain::Refusal;
use paihao_wechat::codes::UNKNOWN;
use paihao_wechat::{AccountClientError, CallError, FailureClass};

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Problem {
        Problem::new(match error {
            IdentityError::LedgerUnavailable => &refusals::LEDGER_UNAVAILABLE,
            IdentityError::NewerVersion => &refusals::NEWER_LEDGER,
        })
    }
}

impl From<InvalidRequest> for Problem {
    fn from(error: InvalidRequest) -> Problem {
        match error {
            InvalidRequest::DuplicateParameter(_) => refusals::malformed(error.to_string()),
            InvalidRequest::UnknownClient => Problem::new(&refusals::UNKNOWN_CLIENT),
            InvalidRequest::WrongRedirect => Problem::new(&refusals::WRONG_REDIRECT),
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Problem {
        Problem::new(match error {
            RedeemError::InvalidGrant => &refusals::INVALID_GRANT,
            RedeemError::CacheUnavailable => &refusals::CACHE_UNAVAILABLE,
        })
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Problem {
        match error {
            SignError::Identity(error) => error.into(),
            SignError::NoUsableKey => Problem::new(&refusals::LEDGER_UNAVAILABLE),
        }
    }
}

impl From<HandleError> for Problem {
    fn from(error: HandleError) -> Problem {
        Problem::new(match error {
            HandleError::NotRedrivable => &refusals::NOT_REDRIVABLE,
            HandleError::AlreadyHandled => &refusals::LETTER_HANDLED,
            HandleError::UnknownLetter => &refusals::UNKNOWN_LETTER,
            HandleError::NewerVersion => &refusals::NEWER_LEDGER,
            HandleError::LedgerUnavailable => &refusals::LEDGER_UNAVAILABLE,
        })
    }
}

impl From<VisitsError> for Problem {
    fn from(error: VisitsError) -> Problem {
        Problem::new(match error {
            VisitsError::Unavailable => &refusals::LEDGER_UNAVAILABLE,
            VisitsError::NewerVersion => &refusals::NEWER_LEDGER,
        })
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Problem {
        match error {
            UpdateError::MalformedId => refusals::malformed(error.to_string()),
            UpdateError::LedgerUnavailable => Problem::new(&refusals::LEDGER_UNAVAILABLE),
            UpdateError::NewerVersion => Problem::new(&refusals::NEWER_LEDGER),
            UpdateError::FormsHeldBack => Problem::new(&refusals::FORMS_HELD_BACK),
            UpdateError::RequestIdReused => Problem::new(&refusals::IDEMPOTENCY_KEY_REUSED),
            UpdateError::RevisionNeeded => Problem::new(&refusals::REVISION_NEEDED),
            UpdateError::RevisionChanged => Problem::new(&refusals::REVISION_CHANGED),
            UpdateError::TooLarge => Problem::new(&refusals::BODY_TOO_LARGE),
            UpdateError::Invalid(error) => refusals::invalid_settings(&error),
            UpdateError::SetByFile => Problem::new(&refusals::SET_BY_FILE),
            UpdateError::NoOperatorKey => Problem::new(&refusals::NO_OPERATOR_KEY),
            UpdateError::InUse(detail) => Problem::new(&refusals::IN_USE).with_detail(detail),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let kind = match &error {
            SubmitError::UnknownSite => &refusals::UNKNOWN_SITE,
            SubmitError::Unavailable => &refusals::LEDGER_UNAVAILABLE,
            SubmitError::Unreadable => &refusals::NEWER_LEDGER,
            SubmitError::Refused(refusal) => match refusal {
                Refusal::UnknownQueue(_) => &refusals::UNKNOWN_QUEUE,
                Refusal::UnknownCounter(_) => &refusals::UNKNOWN_COUNTER,
                Refusal::UnknownTicket(_) | Refusal::NoTicketHeld | Refusal::PersonUnknown => {
                    &refusals::UNKNOWN_TICKET
                }
                Refusal::QueueClosed(_) => &refusals::QUEUE_CLOSED,
                Refusal::QueuePaused(_) => &refusals::QUEUE_PAUSED,
                Refusal::QueueHalted(_) => &refusals::QUEUE_HALTED,
                Refusal::QueueFull(_) => &refusals::QUEUE_FULL,
                Refusal::PersonLimit(_) => &refusals::PERSON_LIMIT,
                Refusal::QueueClosing(_) => &refusals::QUEUE_CLOSING,
                Refusal::OutOfHours(_) => &refusals::OUT_OF_HOURS,
                Refusal::CounterClosed(_) => &refusals::COUNTER_CLOSED,
                Refusal::CounterOnBreak(_) => &refusals::COUNTER_ON_BREAK,
                Refusal::CounterTaken(_) => &refusals::COUNTER_TAKEN,
                Refusal::ElsewhereLoggedIn(_) => &refusals::ELSEWHERE_LOGGED_IN,
                Refusal::WrongCounter(_) => &refusals::WRONG_COUNTER,
                Refusal::CounterBusy { .. } => &refusals::COUNTER_BUSY,
                Refusal::CounterIdle(_) => &refusals::COUNTER_IDLE,
                Refusal::NobodyWaiting(_) => &refusals::NOBODY_WAITING,
                Refusal::TicketEnded(_) => &refusals::TICKET_ENDED,
                Refusal::WrongState { .. } => &refusals::WRONG_STATE,
                Refusal::NotAllowed(_) => &refusals::NOT_ALLOWED,
                Refusal::NotYourTicket => &refusals::NOT_YOUR_TICKET,
                Refusal::NotYourCounter(_) => &refusals::NOT_YOUR_COUNTER,
                Refusal::NotYourQueue(_) => &refusals::NOT_YOUR_QUEUE,
                Refusal::ReasonNeeded => &refusals::REASON_NEEDED,
                Refusal::TooSoon(_) => &refusals::TOO_SOON,
                Refusal::TooLate(_) => &refusals::TOO_LATE,
                Refusal::TooOften(_) => &refusals::TOO_OFTEN,
                Refusal::NothingToUndo(_) => &refusals::NOTHING_TO_UNDO,
                Refusal::OutOfRange(_) => &refusals::OUT_OF_RANGE,
                // The site worker turns the day before it decides anything else.
                Refusal::DayRollover => &refusals::LEDGER_UNAVAILABLE,
                Refusal::DayTurned => &refusals::DAY_TURNED,
                Refusal::DayUnconfirmed => &refusals::DAY_UNCONFIRMED,
                Refusal::NotDue => &refusals::NOT_DUE,
                Refusal::CommandIdReused => &refusals::IDEMPOTENCY_KEY_REUSED,
            },
        };
        Problem::new(kind).with_detail(error.to_string())
    }
}

/// Problem of a call that WeChat refused, with its code and advice, or did not answer.
pub(crate) fn wechat_problem(error: AccountClientError, refused: &'static ProblemKind) -> Problem {
    let refusal = match &error {
        AccountClientError::Call(CallError::Refused(refusal)) => Some(refusal),
        _ => None,
    };
    let will_pass = |class| matches!(class, FailureClass::RetryLater(_));
    match refusal {
        Some(refusal) if refusal.name == UNKNOWN.name || !will_pass(refusal.class) => {
            Problem::new(refused).with_detail(format!("{refusal} → {}", refusal.advice()))
        }
        _ => Problem::new(&refusals::WECHAT_UNAVAILABLE).with_detail(error.to_string()),
    }
}
