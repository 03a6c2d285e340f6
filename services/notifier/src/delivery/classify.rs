//! What an attempt's result means for its notice: a pure function.

use crate::channels::GAVE_UP;
use crate::claim::AttemptLease;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome};
use paihao_wechat::{AccountClientError, CallError, FailureClass, MessageId};
use std::time::Duration;

/// Nine minutes from the first attempt nothing more is tried: WeChat remembers a message id for
/// ten, and after that a repeat would be a second message.
pub const RETRY_WINDOW: Duration = Duration::from_secs(9 * 60);

/// The same content went to the same person within a minute.
const ERRCODE_DUPLICATE: i64 = 40241;
/// No window for free texts is open.
pub const ERRCODE_NO_OPEN_WINDOW: i64 = 45015;
/// The texts of the open window are used up.
pub const ERRCODE_WINDOW_USED_UP: i64 = 45047;

/// An attempt, as far as its result depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Its claim.
    pub claim: &'a AttemptLease,
    /// Its channel.
    pub channel: Channel,
    /// Whether an earlier one through the same channel had left a doubt.
    pub was_unsure: bool,
    /// When the notice stops being true, in Unix milliseconds.
    pub valid_until: i64,
    /// Whether there is another channel to try.
    pub has_other_channels: bool,
}

/// What to do with a notice after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// It has ended so.
    Ended(DeliveryOutcome),
    /// This channel surely did not take it: on to the next.
    NextChannel(ChannelAttempt),
    /// Try again after this long.
    Retry {
        /// The wait.
        after: Duration,
        /// Whether WeChat may have the message all the same.
        unsure: bool,
        /// What was last_error.
        last_error: String,
    },
}

/// Judges an attempt that ended at `now` with `result`.
pub fn classify(
    attempt: Attempt<'_>,
    now: i64,
    result: Result<MessageId, AccountClientError>,
) -> AttemptResult {
    let error = match result {
        Ok(MessageId(message_id)) => {
            return AttemptResult::Ended(DeliveryOutcome::Sent { message_id });
        }
        Err(error) => error,
    };
    if error.may_have_happened() && !attempt.channel.is_idempotent() {
        return AttemptResult::Ended(DeliveryOutcome::Unknown { last: error.to_string() });
    }
    let AccountClientError::Call(CallError::Refused(refusal)) = &error else {
        return retry_or_give_up(attempt, now, retry_after(&error), &error);
    };
    let (code, name) = (refusal.code, refusal.name.to_owned());
    match refusal.class {
        FailureClass::RetryLater(wait) => retry_or_give_up(attempt, now, wait, &error),
        // A token refused twice in a row is the token service's matter, and may soon be mended.
        FailureClass::InvalidToken => retry_or_give_up(attempt, now, None, &error),
        // The person has it: by the attempt that got no answer, or by a message just like it.
        _ if code == ERRCODE_DUPLICATE && attempt.was_unsure => {
            AttemptResult::Ended(DeliveryOutcome::Sent { message_id: 0 })
        }
        _ if code == ERRCODE_DUPLICATE => {
            AttemptResult::Ended(DeliveryOutcome::Refused { code, name })
        }
        // This attempt was refused; the one before may have been accepted.
        _ if attempt.was_unsure => {
            AttemptResult::Ended(DeliveryOutcome::Unknown { last: error.to_string() })
        }
        meaning => {
            let ours = matches!(meaning, FailureClass::Permanent | FailureClass::Configuration)
                && ![ERRCODE_NO_OPEN_WINDOW, ERRCODE_WINDOW_USED_UP].contains(&code);
            let said = ours.then(|| error.to_string());
            AttemptResult::NextChannel(ChannelAttempt {
                channel: attempt.channel,
                reason: name,
                code: Some(code),
                said,
            })
        }
    }
}

fn retry_after(error: &AccountClientError) -> Option<Duration> {
    match error.class() {
        FailureClass::RetryLater(wait) => wait,
        _ => None,
    }
}

fn retry_or_give_up(
    attempt: Attempt<'_>,
    now: i64,
    wait: Option<Duration>,
    error: &AccountClientError,
) -> AttemptResult {
    let unsure = attempt.was_unsure || error.may_have_happened();
    let after = wait.unwrap_or_default().max(retry_delay(attempt.claim.attempts));
    let then = now + after.as_millis() as i64;
    let last_error = error.to_string();
    let over = then - attempt.claim.first >= RETRY_WINDOW.as_millis() as i64;
    let late = over || then >= attempt.valid_until;
    if late && !unsure && attempt.has_other_channels {
        let reason = GAVE_UP.to_owned();
        let said = Some(last_error);
        return AttemptResult::NextChannel(ChannelAttempt {
            channel: attempt.channel,
            reason,
            code: None,
            said,
        });
    }
    match over {
        true => AttemptResult::Ended(gave_up_outcome(unsure, last_error)),
        false => AttemptResult::Retry { after, unsure, last_error },
    }
}

/// How a notice ends whose time for trying is over.
pub fn gave_up_outcome(unsure: bool, last: String) -> DeliveryOutcome {
    match unsure {
        true => DeliveryOutcome::Unknown { last },
        false => DeliveryOutcome::GaveUp { last },
    }
}

/// 1 s, 2 s, 4 s … 60 s.
fn retry_delay(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::Refusal;

    const FAR_FUTURE_MS: i64 = 3_600_000;

    fn claim(attempts: u32) -> AttemptLease {
        AttemptLease {
            first: 0,
            attempts,
            held_until: 20_000,
            unsure: true,
            last: String::new(),
            channel: Some(Channel::Template),
            tried: vec![],
        }
    }

    fn refusal(code: i64, meaning: FailureClass) -> Result<MessageId, AccountClientError> {
        let refusal = Refusal { code, name: "x", class: meaning, sentence: String::new() };
        Err(CallError::Refused(refusal).into())
    }

    fn timed_out() -> Result<MessageId, AccountClientError> {
        Err(CallError::TimedOut.into())
    }

    /// A template message, the only channel, as if it were the n-th attempt.
    fn classify_nth_attempt(
        attempts: u32,
        now: i64,
        result: Result<MessageId, AccountClientError>,
    ) -> AttemptResult {
        let attempt = Attempt {
            claim: &claim(attempts),
            channel: Channel::Template,
            was_unsure: false,
            valid_until: FAR_FUTURE_MS,
            has_other_channels: false,
        };
        classify(attempt, now, result)
    }

    fn classify_first_attempt(
        change: impl FnOnce(&mut Attempt<'_>),
        now: i64,
        result: Result<MessageId, AccountClientError>,
    ) -> AttemptResult {
        let claim = claim(1);
        let mut attempt = Attempt {
            claim: &claim,
            channel: Channel::Template,
            was_unsure: false,
            valid_until: FAR_FUTURE_MS,
            has_other_channels: true,
        };
        change(&mut attempt);
        classify(attempt, now, result)
    }

    #[test]
    fn accepted_is_sent() {
        assert_eq!(
            classify_nth_attempt(1, 0, Ok(MessageId(7))),
            AttemptResult::Ended(DeliveryOutcome::Sent { message_id: 7 })
        );
    }

    #[test]
    fn a_refusal_leads_to_the_next_channel_and_our_own_mistake_is_told_to_somebody() {
        for (code, meaning, told) in [
            (43004, FailureClass::Recipient, false),
            (43101, FailureClass::Recipient, false),
            (45015, FailureClass::Permanent, false),
            (45047, FailureClass::Permanent, false),
            (40037, FailureClass::Configuration, true),
            (47003, FailureClass::Permanent, true),
        ] {
            let AttemptResult::NextChannel(tried) =
                classify_first_attempt(|_| {}, 0, refusal(code, meaning))
            else {
                panic!()
            };
            assert_eq!((tried.code, tried.said.is_some()), (Some(code), told), "{code}");
        }
    }

    #[test]
    fn a_doubt_is_never_left_for_another_channel() {
        let refused = || refusal(43004, FailureClass::Recipient);
        let verdict = classify_first_attempt(|attempt| attempt.was_unsure = true, 0, refused());
        assert!(
            matches!(verdict, AttemptResult::Ended(DeliveryOutcome::Unknown { .. })),
            "{verdict:?}"
        );
        let verdict = classify_first_attempt(|_| {}, 0, timed_out());
        assert!(matches!(verdict, AttemptResult::Retry { unsure: true, .. }), "{verdict:?}");
        for channel in [Channel::CustomerService, Channel::Subscription] {
            let verdict =
                classify_first_attempt(|attempt| attempt.channel = channel, 0, timed_out());
            assert!(
                matches!(verdict, AttemptResult::Ended(DeliveryOutcome::Unknown { .. })),
                "{verdict:?}"
            );
            // It never got there: nothing can be doubled.
            let lost = || Err(CallError::Unreachable("x".into()).into());
            let verdict = classify_first_attempt(|attempt| attempt.channel = channel, 0, lost());
            assert!(matches!(verdict, AttemptResult::Retry { unsure: false, .. }), "{verdict:?}");
        }
    }

    #[test]
    fn a_duplicate_counts_as_already_sent() {
        let duplicate = || refusal(ERRCODE_DUPLICATE, FailureClass::Permanent);
        let after_doubt =
            classify_first_attempt(|attempt| attempt.was_unsure = true, 0, duplicate());
        assert_eq!(after_doubt, AttemptResult::Ended(DeliveryOutcome::Sent { message_id: 0 }));
        let verdict = classify_first_attempt(|_| {}, 0, duplicate());
        assert!(matches!(
            verdict,
            AttemptResult::Ended(DeliveryOutcome::Refused { code: ERRCODE_DUPLICATE, .. })
        ));
    }

    #[test]
    fn later_waits_longer_each_time_and_at_least_as_long_as_wechat_wants() {
        let after = |attempts, wait| match classify_nth_attempt(
            attempts,
            0,
            refusal(-1, FailureClass::RetryLater(wait)),
        ) {
            AttemptResult::Retry { after, unsure: false, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 7, 9].map(|attempts| after(attempts, None)), [1, 2, 4, 60, 60]);
        assert_eq!(after(1, Some(Duration::from_secs(60))), 60);
    }

    #[test]
    fn later_than_the_notice_is_true_is_left_to_another_channel() {
        let soon = |attempt: &mut Attempt<'_>| attempt.valid_until = 30_000;
        let wait = FailureClass::RetryLater(Some(Duration::from_secs(60)));
        let verdict = classify_first_attempt(soon, 0, refusal(43117, wait));
        assert!(
            matches!(&verdict, AttemptResult::NextChannel(ChannelAttempt { reason, .. }) if reason == GAVE_UP)
        );
        let verdict = classify_first_attempt(
            |_| {},
            0,
            refusal(45009, FailureClass::RetryLater(Some(RETRY_WINDOW))),
        );
        assert!(
            matches!(&verdict, AttemptResult::NextChannel(ChannelAttempt { reason, .. }) if reason == GAVE_UP)
        );
        let unsure = |attempt: &mut Attempt<'_>| {
            (attempt.valid_until, attempt.was_unsure) = (30_000, true);
        };
        let verdict = classify_first_attempt(unsure, 0, refusal(43117, wait));
        assert!(matches!(verdict, AttemptResult::Retry { unsure: true, .. }), "{verdict:?}");
    }

    #[test]
    fn nothing_is_tried_after_nine_minutes() {
        let late = RETRY_WINDOW.as_millis() as i64 - 500;
        let busy = || refusal(-1, FailureClass::RetryLater(None));
        assert!(matches!(
            classify_nth_attempt(9, late, busy()),
            AttemptResult::Ended(DeliveryOutcome::GaveUp { .. })
        ));
        assert!(matches!(
            classify_nth_attempt(9, late, timed_out()),
            AttemptResult::Ended(DeliveryOutcome::Unknown { .. })
        ));
        let verdict = classify_first_attempt(|attempt| attempt.was_unsure = true, late, busy());
        assert!(matches!(verdict, AttemptResult::Ended(DeliveryOutcome::Unknown { .. })));
    }
}
