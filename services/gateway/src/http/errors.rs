//! Refusals for the errors of the parts below the HTTP edge.

use crate::http::refusals::{self, Problem};
use crate::identity::error::IdentityError;
use crate::identity::oauth::authorize::InvalidRequest;
use crate::identity::oauth::code::RedeemError;
use crate::identity::oauth::id_token::SignError;
use crate::projections::dead_letters::handling::HandleError;
use crate::projections::visits::log_reader::VisitsUnavailable;
use crate::settings::update::UpdateError;

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
            InvalidRequest::DuplicateParameter(_) => {
                Problem::new(&refusals::MALFORMED_REQUEST).with_detail(error.to_string())
            }
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
            HandleError::LedgerUnavailable => &refusals::LEDGER_UNAVAILABLE,
        })
    }
}

impl From<VisitsUnavailable> for Problem {
    fn from(_: VisitsUnavailable) -> Problem {
        Problem::new(&refusals::LEDGER_UNAVAILABLE)
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Problem {
        match error {
            UpdateError::MalformedId => {
                Problem::new(&refusals::MALFORMED_REQUEST).with_detail(error.to_string())
            }
            UpdateError::LedgerUnavailable => Problem::new(&refusals::LEDGER_UNAVAILABLE),
            UpdateError::NewerVersion => Problem::new(&refusals::NEWER_LEDGER),
            UpdateError::RequestIdReused => Problem::new(&refusals::IDEMPOTENCY_KEY_REUSED),
            UpdateError::RevisionNeeded => Problem::new(&refusals::REVISION_NEEDED),
            UpdateError::RevisionChanged => Problem::new(&refusals::REVISION_CHANGED),
            UpdateError::TooLarge => Problem::new(&refusals::BODY_TOO_LARGE),
            UpdateError::Invalid(error) => super::refusals::invalid_settings(&error),
            UpdateError::InUse(detail) => Problem::new(&refusals::IN_USE).with_detail(detail),
        }
    }
}
