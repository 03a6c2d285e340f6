//! Channels of a notice: call priority, skipped channels, and the outcome when none accepts. Pure.
//!
//! The worker moves to the next channel only if the current one certainly did not accept the
//! notice. A notice is therefore never sent twice. After an attempt without a response, the same
//! channel is retried if WeChat drops a second message with the same id (template messages).
//! Otherwise the outcome is unknown.

use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, Notice, NoticeContent};
use paihao_wechat::CallPriority;

/// Returns the priority of a notice among the API calls of its account.
pub fn priority(notice: &Notice) -> CallPriority {
    match notice.content {
        // A called person must learn of it before anyone else.
        NoticeContent::Called { .. } | NoticeContent::Recalled { .. } => CallPriority::High,
        NoticeContent::Missed { .. } | NoticeContent::Returned { .. } => CallPriority::Normal,
        _ => CallPriority::Low,
    }
}

/// Builds the record of a channel that was skipped without an attempt.
pub fn skipped_attempt(channel: Channel, reason: &str, detail: Option<String>) -> ChannelAttempt {
    ChannelAttempt { channel, reason: reason.to_owned(), code: None, detail }
}

/// Returns the outcome of a notice that no channel accepted, and the dead-letter reason if an
/// operator has to act.
pub fn undelivered_outcome(
    kind: &str,
    account: &str,
    attempts: &[ChannelAttempt],
) -> (DeliveryOutcome, Option<String>) {
    let faults: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.reason != GAVE_UP)
        .filter_map(|attempt| {
            Some(format!("{}: {}", attempt.channel.name(), attempt.detail.as_ref()?))
        })
        .collect();
    let dead_letter_reason = (!faults.is_empty()).then(|| faults.join("; "));
    let is_decisive =
        |attempt: &&ChannelAttempt| attempt.code.is_some() || attempt.reason == GAVE_UP;
    let decisive = attempts.iter().find(is_decisive);
    match decisive {
        Some(ChannelAttempt { reason, detail, .. }) if reason == GAVE_UP => (
            DeliveryOutcome::GaveUp { last_error: detail.clone().unwrap_or_default() },
            dead_letter_reason,
        ),
        Some(ChannelAttempt { reason, code, .. }) => (
            DeliveryOutcome::Refused { code: code.unwrap_or_default(), name: reason.clone() },
            dead_letter_reason,
        ),
        None => match (
            dead_letter_reason,
            attempts.iter().find(|attempt| attempt.reason == NO_ALLOWANCE),
        ) {
            (Some(reason), _) => {
                (DeliveryOutcome::Unrenderable { reason: reason.clone() }, Some(reason))
            }
            (None, Some(ChannelAttempt { reason, .. })) => {
                (DeliveryOutcome::Refused { code: 0, name: reason.clone() }, None)
            }
            (None, None) => {
                let reason = format!("account {account} has no channel for \"{kind}\"");
                (DeliveryOutcome::Unrenderable { reason: reason.clone() }, Some(reason))
            }
        },
    }
}

/// Reason: the passive reply did not contain the notice.
pub const NOT_REPLIED: &str = "not_replied";
/// Reason: no send window of the person is known to be open.
pub const NO_ALLOWANCE: &str = "no_allowance";
/// Reason: the account has no binding for the channel.
pub const NOT_BOUND: &str = "not_bound";
/// Reason: the text does not fit the template's limits.
pub const DOES_NOT_FIT: &str = "does_not_fit";
/// Reason: WeChat deferred the attempt for longer than the notice is valid.
pub const GAVE_UP: &str = "gave_up";

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(
        channel: Channel,
        reason: &str,
        code: Option<i64>,
        detail: Option<&str>,
    ) -> ChannelAttempt {
        ChannelAttempt { channel, reason: reason.into(), code, detail: detail.map(Into::into) }
    }

    #[test]
    fn the_first_refusal_of_wechat_is_the_outcome() {
        let (outcome, dead_letter_reason) = undelivered_outcome(
            "called",
            "shop",
            &[
                attempt(Channel::CustomerService, NO_ALLOWANCE, None, None),
                attempt(Channel::Template, "not_following", Some(43004), None),
                attempt(Channel::Subscription, "messages_refused", Some(43101), None),
            ],
        );
        assert_eq!(outcome, DeliveryOutcome::Refused { code: 43004, name: "not_following".into() });
        assert_eq!(dead_letter_reason, None, "a refusal needs no operator");
    }

    #[test]
    fn configuration_mistakes_are_reported_together() {
        let (outcome, dead_letter_reason) = undelivered_outcome(
            "called",
            "shop",
            &[
                attempt(Channel::Template, "template_unknown", Some(40037), Some("40037 gone")),
                attempt(Channel::Subscription, NOT_BOUND, None, Some("nothing is bound")),
            ],
        );
        assert!(matches!(outcome, DeliveryOutcome::Refused { code: 40037, .. }));
        assert_eq!(
            dead_letter_reason.unwrap(),
            "template: 40037 gone; subscription: nothing is bound"
        );
    }

    #[test]
    fn a_notice_that_no_channel_could_render_is_unrenderable() {
        let unbound = [
            attempt(Channel::Template, NOT_BOUND, None, Some("no template")),
            attempt(Channel::CustomerService, NO_ALLOWANCE, None, None),
        ];
        let (outcome, dead_letter_reason) = undelivered_outcome("called", "shop", &unbound);
        assert!(
            matches!(outcome, DeliveryOutcome::Unrenderable { .. }) && dead_letter_reason.is_some()
        );
        let (outcome, dead_letter_reason) = undelivered_outcome("called", "shop", &unbound[1..]);
        assert_eq!(
            (outcome, dead_letter_reason),
            (DeliveryOutcome::Refused { code: 0, name: NO_ALLOWANCE.into() }, None)
        );
        let (outcome, _) = undelivered_outcome("called", "shop", &[]);
        assert!(matches!(outcome, DeliveryOutcome::Unrenderable { .. }));
    }

    #[test]
    fn a_channel_deferred_for_too_long_gave_up() {
        let (outcome, dead_letter_reason) = undelivered_outcome(
            "called",
            "shop",
            &[
                attempt(Channel::Template, GAVE_UP, None, Some("45009 daily_quota")),
                attempt(Channel::CustomerService, "no_open_window", Some(45015), None),
            ],
        );
        assert_eq!(
            (outcome, dead_letter_reason),
            (DeliveryOutcome::GaveUp { last_error: "45009 daily_quota".into() }, None)
        );
    }
}
