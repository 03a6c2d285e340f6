//! Classification of attempt results: a pure function.

use crate::delivery::channels::GAVE_UP;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome};
use paihao_contracts::ticket_record::OpenNotice;
use paihao_wechat::{AccountClientError, CallError, FailureClass, MessageId};
use std::time::Duration;

/// Period after the first attempt in which a notice is retried. WeChat remembers a message id for
/// ten minutes. A retry after that would be a second message.
pub const RETRY_WINDOW: Duration = Duration::from_secs(9 * 60);

/// WeChat error code: the same content was sent to the person within a minute.
const ERRCODE_DUPLICATE: i64 = 40241;
/// WeChat error code: no send window is open.
pub const ERRCODE_NO_OPEN_WINDOW: i64 = 45015;
/// WeChat error code: the send window is used up.
pub const ERRCODE_WINDOW_USED_UP: i64 = 45047;

/// Input to the classification of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// State of the notice during the attempt.
    pub open: &'a OpenNotice,
    /// Channel of the attempt.
    pub channel: Channel,
    /// True if an earlier attempt through the same channel had no response.
    pub was_unsure: bool,
    /// Time in Unix milliseconds at which the notice becomes stale.
    pub valid_until: i64,
    /// True if another channel is left to try.
    pub has_other_channels: bool,
}

/// Next step for a notice after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The notice ends with this outcome.
    Ended(DeliveryOutcome),
    /// The channel certainly did not accept the notice. The next one is tried.
    NextChannel(ChannelAttempt),
    /// The same channel is retried.
    Retry {
        /// Delay before the retry.
        after: Duration,
        /// True if WeChat may have the message.
        unsure: bool,
        /// Error of the attempt.
        last_error: String,
    },
}

/// Classifies the result of an attempt that ended at `now` (Unix milliseconds).
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
        return AttemptResult::Ended(DeliveryOutcome::Unknown { last_error: error.to_string() });
    }
    let AccountClientError::Call(CallError::Refused(refusal)) = &error else {
        return retry_or_give_up(attempt, now, retry_after(&error), &error);
    };
    let code = refusal.code;
    let name = refusal.name.to_owned();
    match refusal.class {
        FailureClass::RetryLater(wait) => retry_or_give_up(attempt, now, wait, &error),
        // The token was refused twice in a row. The token service may soon have a valid one.
        FailureClass::InvalidToken => retry_or_give_up(attempt, now, None, &error),
        // Without another channel a few useless calls are better than a lost notice.
        FailureClass::Unknown(wait) if attempt.was_unsure || !attempt.has_other_channels => {
            retry_or_give_up(attempt, now, Some(wait), &error)
        }
        // The person has it: from the attempt without a response, or from an identical message.
        _ if code == ERRCODE_DUPLICATE && attempt.was_unsure => {
            AttemptResult::Ended(DeliveryOutcome::Sent { message_id: 0 })
        }
        _ if code == ERRCODE_DUPLICATE => {
            AttemptResult::Ended(DeliveryOutcome::Refused { code, name })
        }
        // This attempt was refused, but the one before may have been accepted.
        _ if attempt.was_unsure => {
            AttemptResult::Ended(DeliveryOutcome::Unknown { last_error: error.to_string() })
        }
        class => {
            let is_reported = class != FailureClass::Recipient
                && ![ERRCODE_NO_OPEN_WINDOW, ERRCODE_WINDOW_USED_UP].contains(&code);
            let detail = is_reported.then(|| error.to_string());
            AttemptResult::NextChannel(ChannelAttempt {
                channel: attempt.channel,
                reason: name,
                code: Some(code),
                detail,
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
    let after = wait.unwrap_or_default().max(retry_delay(attempt.open.attempts));
    let next_attempt_at = now + after.as_millis() as i64;
    let last_error = error.to_string();
    let retries_exhausted = next_attempt_at.saturating_sub(attempt.open.first_attempt_at)
        >= RETRY_WINDOW.as_millis() as i64;
    let too_late = retries_exhausted || next_attempt_at >= attempt.valid_until;
    if too_late && !unsure && attempt.has_other_channels {
        let reason = GAVE_UP.to_owned();
        let detail = Some(last_error);
        return AttemptResult::NextChannel(ChannelAttempt {
            channel: attempt.channel,
            reason,
            code: None,
            detail,
        });
    }
    if retries_exhausted {
        AttemptResult::Ended(gave_up_outcome(unsure, last_error))
    } else {
        AttemptResult::Retry { after, unsure, last_error }
    }
}

/// Returns the outcome of a notice whose retry window is over.
pub fn gave_up_outcome(unsure: bool, last_error: String) -> DeliveryOutcome {
    if unsure {
        DeliveryOutcome::Unknown { last_error }
    } else {
        DeliveryOutcome::GaveUp { last_error }
    }
}

/// Returns the retry delay: 1 s, 2 s, 4 s and so on, up to 60 s.
fn retry_delay(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::Refusal;
    use paihao_wechat::codes::{CodeScope, RETURN_CODES, lookup};

    const FAR_FUTURE_MS: i64 = 3_600_000;

    fn open(attempts: u32) -> OpenNotice {
        OpenNotice { attempts, channel: Some(Channel::Template), ..OpenNotice::default() }
    }

    fn refusal(code: i64, class: FailureClass) -> Result<MessageId, AccountClientError> {
        let refusal = Refusal { code, name: "x", class, sentence: String::new() };
        Err(CallError::Refused(refusal).into())
    }

    fn timed_out() -> Result<MessageId, AccountClientError> {
        Err(CallError::TimedOut.into())
    }

    /// Classifies the n-th attempt of a template message without other channels.
    fn classify_nth_attempt(
        attempts: u32,
        now: i64,
        result: Result<MessageId, AccountClientError>,
    ) -> AttemptResult {
        let attempt = Attempt {
            open: &open(attempts),
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
        let open = open(1);
        let mut attempt = Attempt {
            open: &open,
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
    fn a_refusal_leads_to_the_next_channel_and_a_configuration_mistake_is_reported() {
        for (code, class, is_reported) in [
            (43004, FailureClass::Recipient, false),
            (43101, FailureClass::Recipient, false),
            (45015, FailureClass::Permanent, false),
            (45047, FailureClass::Permanent, false),
            (40037, FailureClass::Configuration, true),
            (47003, FailureClass::Permanent, true),
        ] {
            let AttemptResult::NextChannel(attempt) =
                classify_first_attempt(|_| {}, 0, refusal(code, class))
            else {
                panic!()
            };
            assert_eq!(
                (attempt.code, attempt.detail.is_some()),
                (Some(code), is_reported),
                "{code}"
            );
        }
    }

    #[test]
    fn every_code_leads_to_the_next_channel_or_may_be_asked_again_later() {
        let unknown = [50999, 9_001_001, 45999, -1000].map(|code| (code, CodeScope::Call));
        let listed = RETURN_CODES.iter().map(|row| (row.code, row.scope));
        let channels = [Channel::Template, Channel::CustomerService, Channel::Subscription];
        for (code, scope) in listed.chain(unknown) {
            let row = lookup(code, scope);
            for channel in channels {
                let with = |has_other_channels| {
                    let change = |attempt: &mut Attempt<'_>| {
                        attempt.channel = channel;
                        attempt.has_other_channels = has_other_channels;
                    };
                    classify_first_attempt(change, 0, refusal(code, row.class))
                };
                let at = format!("{code} {channel:?}");
                let (others, alone) = (with(true), with(false));
                let retries = |result: &AttemptResult, least: Duration| {
                    matches!(
                        result, AttemptResult::Retry { unsure: false, after, .. } if *after >= least
                    )
                };
                let goes_on = |result: &AttemptResult| {
                    matches!(
                        result, AttemptResult::NextChannel(tried)
                            if tried.code == Some(code) && tried.channel == channel
                    )
                };
                match row.class {
                    _ if code == ERRCODE_DUPLICATE => assert!(
                        matches!(others, AttemptResult::Ended(DeliveryOutcome::Refused { .. })),
                        "{at}: {others:?}"
                    ),
                    FailureClass::RetryLater(Some(wait)) if wait >= RETRY_WINDOW => assert!(
                        matches!(&others, AttemptResult::NextChannel(tried) if tried.reason == GAVE_UP)
                            && matches!(
                                alone,
                                AttemptResult::Ended(DeliveryOutcome::GaveUp { .. })
                            ),
                        "{at}: {others:?}, {alone:?}"
                    ),
                    FailureClass::RetryLater(wait) => {
                        let wait = wait.unwrap_or_default();
                        assert!(
                            retries(&others, wait) && retries(&alone, wait),
                            "{at}: {others:?}"
                        );
                    }
                    FailureClass::InvalidToken => {
                        assert!(retries(&others, Duration::ZERO), "{at}: {others:?}");
                    }
                    FailureClass::Unknown(wait) => {
                        assert!(goes_on(&others) && retries(&alone, wait), "{at}: {others:?}");
                    }
                    FailureClass::Recipient
                    | FailureClass::Configuration
                    | FailureClass::Permanent => {
                        assert!(goes_on(&others) && goes_on(&alone), "{at}: {others:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_attempt_without_a_response_never_leads_to_another_channel() {
        let refused = || refusal(43004, FailureClass::Recipient);
        let result = classify_first_attempt(|attempt| attempt.was_unsure = true, 0, refused());
        assert!(
            matches!(result, AttemptResult::Ended(DeliveryOutcome::Unknown { .. })),
            "{result:?}"
        );
        let result = classify_first_attempt(|_| {}, 0, timed_out());
        assert!(matches!(result, AttemptResult::Retry { unsure: true, .. }), "{result:?}");
        for channel in [Channel::CustomerService, Channel::Subscription] {
            let result =
                classify_first_attempt(|attempt| attempt.channel = channel, 0, timed_out());
            assert!(
                matches!(result, AttemptResult::Ended(DeliveryOutcome::Unknown { .. })),
                "{result:?}"
            );
            // The request never reached WeChat, so a retry cannot duplicate it.
            let unreachable = || Err(CallError::Unreachable("x".into()).into());
            let result =
                classify_first_attempt(|attempt| attempt.channel = channel, 0, unreachable());
            assert!(matches!(result, AttemptResult::Retry { unsure: false, .. }), "{result:?}");
        }
    }

    #[test]
    fn a_duplicate_counts_as_already_sent() {
        let duplicate = || refusal(ERRCODE_DUPLICATE, FailureClass::Permanent);
        let after_doubt =
            classify_first_attempt(|attempt| attempt.was_unsure = true, 0, duplicate());
        assert_eq!(after_doubt, AttemptResult::Ended(DeliveryOutcome::Sent { message_id: 0 }));
        let result = classify_first_attempt(|_| {}, 0, duplicate());
        assert!(matches!(
            result,
            AttemptResult::Ended(DeliveryOutcome::Refused { code: ERRCODE_DUPLICATE, .. })
        ));
    }

    #[test]
    fn retry_delays_grow_and_are_at_least_as_long_as_wechat_requires() {
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
    fn a_deferral_past_the_validity_leads_to_the_next_channel() {
        let expiring = |attempt: &mut Attempt<'_>| attempt.valid_until = 30_000;
        let wait = FailureClass::RetryLater(Some(Duration::from_secs(60)));
        let result = classify_first_attempt(expiring, 0, refusal(43117, wait));
        assert!(
            matches!(&result, AttemptResult::NextChannel(ChannelAttempt { reason, .. }) if reason == GAVE_UP)
        );
        let result = classify_first_attempt(
            |_| {},
            0,
            refusal(45009, FailureClass::RetryLater(Some(RETRY_WINDOW))),
        );
        assert!(
            matches!(&result, AttemptResult::NextChannel(ChannelAttempt { reason, .. }) if reason == GAVE_UP)
        );
        let unsure = |attempt: &mut Attempt<'_>| {
            (attempt.valid_until, attempt.was_unsure) = (30_000, true);
        };
        let result = classify_first_attempt(unsure, 0, refusal(43117, wait));
        assert!(matches!(result, AttemptResult::Retry { unsure: true, .. }), "{result:?}");
    }

    #[test]
    fn nothing_is_retried_after_nine_minutes() {
        let too_late = RETRY_WINDOW.as_millis() as i64 - 500;
        let busy = || refusal(-1, FailureClass::RetryLater(None));
        assert!(matches!(
            classify_nth_attempt(9, too_late, busy()),
            AttemptResult::Ended(DeliveryOutcome::GaveUp { .. })
        ));
        assert!(matches!(
            classify_nth_attempt(9, too_late, timed_out()),
            AttemptResult::Ended(DeliveryOutcome::Unknown { .. })
        ));
        let result = classify_first_attempt(|attempt| attempt.was_unsure = true, too_late, busy());
        assert!(matches!(result, AttemptResult::Ended(DeliveryOutcome::Unknown { .. })));
    }
}
