//! What an attempt's result means for its notice: a pure function.

use crate::channels::GAVE_UP;
use crate::claim::Claim;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome};
use paihao_wechat::{AccountClientError, CallError, FailureClass, MessageId};
use std::time::Duration;

/// Nine minutes from the first attempt nothing more is tried: WeChat remembers a message id for
/// ten, and after that a repeat would be a second message.
pub const WINDOW: Duration = Duration::from_secs(9 * 60);

/// The same content went to the same person within a minute.
const DUPLICATE: i64 = 40241;
/// No window for free texts is open.
pub const NO_WINDOW: i64 = 45015;
/// The texts of the open window are used up.
pub const WINDOW_USED_UP: i64 = 45047;

/// An attempt, as far as its result depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Its claim.
    pub claim: &'a Claim,
    /// Its channel.
    pub channel: Channel,
    /// Whether an earlier one through the same channel had left a doubt.
    pub was_unsure: bool,
    /// When the notice stops being true, in Unix milliseconds.
    pub valid_until: i64,
    /// Whether there is another channel to try.
    pub others: bool,
}

/// What to do with a notice after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has ended so.
    Ended(DeliveryOutcome),
    /// This channel surely did not take it: on to the next.
    Next(ChannelAttempt),
    /// Try again after this long.
    Again {
        /// The wait.
        after: Duration,
        /// Whether WeChat may have the message all the same.
        unsure: bool,
        /// What was met.
        met: String,
    },
}

/// Judges an attempt that ended at `now` with `result`.
pub fn judge(
    attempt: Attempt<'_>,
    now: i64,
    result: Result<MessageId, AccountClientError>,
) -> Verdict {
    let error = match result {
        Ok(MessageId(message_id)) => return Verdict::Ended(DeliveryOutcome::Sent { message_id }),
        Err(error) => error,
    };
    if error.may_have_happened() && !attempt.channel.is_idempotent() {
        return Verdict::Ended(DeliveryOutcome::Unknown { last: error.to_string() });
    }
    let AccountClientError::Call(CallError::Refused(refusal)) = &error else {
        return later(attempt, now, wait(&error), &error);
    };
    let (code, name) = (refusal.code, refusal.name.to_owned());
    match refusal.class {
        FailureClass::RetryLater(wait) => later(attempt, now, wait, &error),
        // A token refused twice in a row is the token service's matter, and may soon be mended.
        FailureClass::InvalidToken => later(attempt, now, None, &error),
        // The person has it: by the attempt that got no answer, or by a message just like it.
        _ if code == DUPLICATE && attempt.was_unsure => {
            Verdict::Ended(DeliveryOutcome::Sent { message_id: 0 })
        }
        _ if code == DUPLICATE => Verdict::Ended(DeliveryOutcome::Refused { code, name }),
        // This attempt was refused; the one before may have been accepted.
        _ if attempt.was_unsure => {
            Verdict::Ended(DeliveryOutcome::Unknown { last: error.to_string() })
        }
        meaning => {
            let ours = matches!(meaning, FailureClass::Permanent | FailureClass::Configuration)
                && ![NO_WINDOW, WINDOW_USED_UP].contains(&code);
            let said = ours.then(|| error.to_string());
            Verdict::Next(ChannelAttempt {
                channel: attempt.channel,
                reason: name,
                code: Some(code),
                said,
            })
        }
    }
}

fn wait(error: &AccountClientError) -> Option<Duration> {
    match error.class() {
        FailureClass::RetryLater(wait) => wait,
        _ => None,
    }
}

fn later(
    attempt: Attempt<'_>,
    now: i64,
    wait: Option<Duration>,
    error: &AccountClientError,
) -> Verdict {
    let unsure = attempt.was_unsure || error.may_have_happened();
    let after = wait.unwrap_or_default().max(backoff(attempt.claim.attempts));
    let then = now + after.as_millis() as i64;
    let met = error.to_string();
    let over = then - attempt.claim.first >= WINDOW.as_millis() as i64;
    let late = over || then >= attempt.valid_until;
    if late && !unsure && attempt.others {
        let reason = GAVE_UP.to_owned();
        let said = Some(met);
        return Verdict::Next(ChannelAttempt {
            channel: attempt.channel,
            reason,
            code: None,
            said,
        });
    }
    match over {
        true => Verdict::Ended(given_up(unsure, met)),
        false => Verdict::Again { after, unsure, met },
    }
}

/// How a notice ends whose time for trying is over.
pub fn given_up(unsure: bool, last: String) -> DeliveryOutcome {
    match unsure {
        true => DeliveryOutcome::Unknown { last },
        false => DeliveryOutcome::GaveUp { last },
    }
}

/// 1 s, 2 s, 4 s … 60 s.
fn backoff(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::Refusal;

    const FAR: i64 = 3_600_000;

    fn claim(attempts: u32) -> Claim {
        Claim {
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
    fn nth(attempts: u32, now: i64, result: Result<MessageId, AccountClientError>) -> Verdict {
        let attempt = Attempt {
            claim: &claim(attempts),
            channel: Channel::Template,
            was_unsure: false,
            valid_until: FAR,
            others: false,
        };
        judge(attempt, now, result)
    }

    fn first(
        change: impl FnOnce(&mut Attempt<'_>),
        now: i64,
        result: Result<MessageId, AccountClientError>,
    ) -> Verdict {
        let claim = claim(1);
        let mut attempt = Attempt {
            claim: &claim,
            channel: Channel::Template,
            was_unsure: false,
            valid_until: FAR,
            others: true,
        };
        change(&mut attempt);
        judge(attempt, now, result)
    }

    #[test]
    fn accepted_is_sent() {
        assert_eq!(
            nth(1, 0, Ok(MessageId(7))),
            Verdict::Ended(DeliveryOutcome::Sent { message_id: 7 })
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
            let Verdict::Next(tried) = first(|_| {}, 0, refusal(code, meaning)) else { panic!() };
            assert_eq!((tried.code, tried.said.is_some()), (Some(code), told), "{code}");
        }
    }

    #[test]
    fn a_doubt_is_never_left_for_another_channel() {
        let refused = || refusal(43004, FailureClass::Recipient);
        let verdict = first(|attempt| attempt.was_unsure = true, 0, refused());
        assert!(matches!(verdict, Verdict::Ended(DeliveryOutcome::Unknown { .. })), "{verdict:?}");
        let verdict = first(|_| {}, 0, timed_out());
        assert!(matches!(verdict, Verdict::Again { unsure: true, .. }), "{verdict:?}");
        for channel in [Channel::CustomerService, Channel::Subscription] {
            let verdict = first(|attempt| attempt.channel = channel, 0, timed_out());
            assert!(
                matches!(verdict, Verdict::Ended(DeliveryOutcome::Unknown { .. })),
                "{verdict:?}"
            );
            // It never got there: nothing can be doubled.
            let lost = || Err(CallError::Unreachable("x".into()).into());
            let verdict = first(|attempt| attempt.channel = channel, 0, lost());
            assert!(matches!(verdict, Verdict::Again { unsure: false, .. }), "{verdict:?}");
        }
    }

    #[test]
    fn a_duplicate_counts_as_already_sent() {
        let duplicate = || refusal(DUPLICATE, FailureClass::Permanent);
        let after_doubt = first(|attempt| attempt.was_unsure = true, 0, duplicate());
        assert_eq!(after_doubt, Verdict::Ended(DeliveryOutcome::Sent { message_id: 0 }));
        let verdict = first(|_| {}, 0, duplicate());
        assert!(matches!(
            verdict,
            Verdict::Ended(DeliveryOutcome::Refused { code: DUPLICATE, .. })
        ));
    }

    #[test]
    fn later_waits_longer_each_time_and_at_least_as_long_as_wechat_wants() {
        let after =
            |attempts, wait| match nth(attempts, 0, refusal(-1, FailureClass::RetryLater(wait))) {
                Verdict::Again { after, unsure: false, .. } => after.as_secs(),
                other => panic!("{other:?}"),
            };
        assert_eq!([1, 2, 3, 7, 9].map(|attempts| after(attempts, None)), [1, 2, 4, 60, 60]);
        assert_eq!(after(1, Some(Duration::from_secs(60))), 60);
    }

    #[test]
    fn later_than_the_notice_is_true_is_left_to_another_channel() {
        let soon = |attempt: &mut Attempt<'_>| attempt.valid_until = 30_000;
        let wait = FailureClass::RetryLater(Some(Duration::from_secs(60)));
        let verdict = first(soon, 0, refusal(43117, wait));
        assert!(
            matches!(&verdict, Verdict::Next(ChannelAttempt { reason, .. }) if reason == GAVE_UP)
        );
        let verdict = first(|_| {}, 0, refusal(45009, FailureClass::RetryLater(Some(WINDOW))));
        assert!(
            matches!(&verdict, Verdict::Next(ChannelAttempt { reason, .. }) if reason == GAVE_UP)
        );
        let unsure = |attempt: &mut Attempt<'_>| {
            (attempt.valid_until, attempt.was_unsure) = (30_000, true);
        };
        let verdict = first(unsure, 0, refusal(43117, wait));
        assert!(matches!(verdict, Verdict::Again { unsure: true, .. }), "{verdict:?}");
    }

    #[test]
    fn nothing_is_tried_after_nine_minutes() {
        let late = WINDOW.as_millis() as i64 - 500;
        let busy = || refusal(-1, FailureClass::RetryLater(None));
        assert!(matches!(nth(9, late, busy()), Verdict::Ended(DeliveryOutcome::GaveUp { .. })));
        assert!(matches!(
            nth(9, late, timed_out()),
            Verdict::Ended(DeliveryOutcome::Unknown { .. })
        ));
        let verdict = first(|attempt| attempt.was_unsure = true, late, busy());
        assert!(matches!(verdict, Verdict::Ended(DeliveryOutcome::Unknown { .. })));
    }
}
