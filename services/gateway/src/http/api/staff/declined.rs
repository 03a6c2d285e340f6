//! Problems of refused commands.

use crate::engine::SubmitError;
use crate::http::refusals::{self, Problem};
use paihao_domain::Refusal;

impl From<SubmitError> for Problem {
    fn from(declined: SubmitError) -> Self {
        let kind = match &declined {
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
                // A desk brings that about before it decides anything else.
                Refusal::DayTurning => &refusals::LEDGER_UNAVAILABLE,
                Refusal::NotDue => &refusals::NOT_DUE,
                Refusal::CommandIdReused => &refusals::IDEMPOTENCY_KEY_REUSED,
            },
        };
        Problem::new(kind).with_detail(declined.to_string())
    }
}
