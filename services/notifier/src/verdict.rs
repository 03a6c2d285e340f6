//! What an attempt's result means for its notice: a pure function.

use crate::claim::Claim;
use paihao_contracts::notice::Fate;
use paihao_wechat::{CallError, CallerError, Meaning, MessageId};
use std::time::Duration;

/// Nine minutes from the first attempt nothing more is tried: WeChat remembers a message id for
/// ten, and after that a repeat would be a second message.
pub const WINDOW: Duration = Duration::from_secs(9 * 60);

/// What to do with a notice after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has ended so.
    Ended(Fate),
    /// It has ended so, and somebody has to look at it: a copy goes to the dead letters.
    Buried(Fate, String),
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

/// Judges an attempt that ended at `now` with `result`; `was_unsure` says whether an earlier one
/// had left a doubt.
pub fn judge(
    claim: &Claim,
    was_unsure: bool,
    now: i64,
    result: Result<MessageId, CallerError>,
) -> Verdict {
    let error = match result {
        Ok(MessageId(message_id)) => return Verdict::Ended(Fate::Sent { message_id }),
        Err(error) => error,
    };
    match error.meaning() {
        // A token refused twice in a row is the token service's matter, and may soon be mended.
        Meaning::Later(wait) => later(claim, was_unsure, now, wait, &error),
        Meaning::Token => later(claim, was_unsure, now, None, &error),
        Meaning::User => Verdict::Ended(refused(&error)),
        Meaning::Never | Meaning::Ours => Verdict::Buried(refused(&error), error.to_string()),
    }
}

fn later(
    claim: &Claim,
    was_unsure: bool,
    now: i64,
    wait: Option<Duration>,
    error: &CallerError,
) -> Verdict {
    let unsure = was_unsure || error.may_have_happened();
    let after = wait.unwrap_or_default().max(backoff(claim.attempts));
    let met = error.to_string();
    match now + after.as_millis() as i64 - claim.first >= WINDOW.as_millis() as i64 {
        true => Verdict::Ended(given_up(unsure, met)),
        false => Verdict::Again { after, unsure, met },
    }
}

/// How a notice ends whose time for trying is over.
pub fn given_up(unsure: bool, last: String) -> Fate {
    match unsure {
        true => Fate::Unknown { last },
        false => Fate::GaveUp { last },
    }
}

fn refused(error: &CallerError) -> Fate {
    match error {
        CallerError::Call(CallError::Refused(refusal)) => {
            Fate::Refused { code: refusal.code, name: refusal.name.to_owned() }
        }
        other => Fate::Refused { code: 0, name: other.to_string() },
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

    fn claim(attempts: u32) -> Claim {
        Claim { first: 0, attempts, held_until: 20_000, unsure: true, last: String::new() }
    }

    fn refusal(code: i64, meaning: Meaning) -> Result<MessageId, CallerError> {
        let refusal = Refusal { code, name: "x", meaning, sentence: String::new() };
        Err(CallError::Refused(refusal).into())
    }

    #[test]
    fn accepted_is_sent() {
        let sent = judge(&claim(1), false, 0, Ok(MessageId(7)));
        assert_eq!(sent, Verdict::Ended(Fate::Sent { message_id: 7 }));
    }

    #[test]
    fn a_person_who_does_not_want_it_ends_it_quietly() {
        let verdict = judge(&claim(1), false, 0, refusal(43004, Meaning::User));
        assert!(matches!(verdict, Verdict::Ended(Fate::Refused { code: 43004, .. })));
    }

    #[test]
    fn our_own_mistake_is_buried_where_somebody_looks() {
        for meaning in [Meaning::Ours, Meaning::Never] {
            let verdict = judge(&claim(1), false, 0, refusal(40037, meaning));
            assert!(matches!(verdict, Verdict::Buried(Fate::Refused { code: 40037, .. }, _)));
        }
    }

    #[test]
    fn later_waits_longer_each_time_and_at_least_as_long_as_wechat_wants() {
        let after = |attempts, wait| match judge(
            &claim(attempts),
            false,
            0,
            refusal(-1, Meaning::Later(wait)),
        ) {
            Verdict::Again { after, unsure: false, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 7, 9].map(|attempts| after(attempts, None)), [1, 2, 4, 60, 60]);
        assert_eq!(after(1, Some(Duration::from_secs(60))), 60);
    }

    #[test]
    fn nothing_is_tried_after_nine_minutes() {
        let late = WINDOW.as_millis() as i64 - 500;
        let verdict = judge(&claim(9), false, late, refusal(-1, Meaning::Later(None)));
        assert!(matches!(verdict, Verdict::Ended(Fate::GaveUp { .. })));
        let timed_out = Err(CallerError::Call(CallError::TimedOut));
        let verdict = judge(&claim(9), false, late, timed_out);
        assert!(matches!(verdict, Verdict::Ended(Fate::Unknown { .. })));
        let verdict = judge(&claim(9), true, late, refusal(-1, Meaning::Later(None)));
        assert!(matches!(verdict, Verdict::Ended(Fate::Unknown { .. })));
    }

    #[test]
    fn no_answer_leaves_a_doubt() {
        let verdict = judge(&claim(1), false, 0, Err(CallerError::Call(CallError::TimedOut)));
        assert!(matches!(verdict, Verdict::Again { unsure: true, .. }));
    }
}
