//! Alarms of an account that gets no working token: logged at once, with WeChat's message, and
//! again every hour.

use paihao_wechat::{CallError, FailureClass};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Interval in which the log repeats an alarm.
const REPEAT_INTERVAL: Duration = Duration::from_secs(3600);

/// Reason of the alarm that WeChat refuses tokens as soon as it has issued them.
const EVERY_TOKEN_REFUSED: &str = "every_token_refused";

/// Alarms of one account, at the keeper that holds its lease.
pub(crate) struct Alarm {
    account: String,
    raised: BTreeSet<&'static str>,
    /// Reason of the last failed fetch, with the time at which it was logged.
    last_failure: Option<(&'static str, Instant)>,
    refusal_logged_at: Option<Instant>,
}

impl Alarm {
    pub(crate) fn new(account: &str) -> Self {
        Alarm {
            account: account.to_owned(),
            raised: BTreeSet::new(),
            last_failure: None,
            refusal_logged_at: None,
        }
    }

    /// Records a failed fetch. A failure that passes by itself is logged; one that somebody has to
    /// correct raises an alarm.
    pub(crate) fn fetch_failed(&mut self, error: &CallError) {
        let account = self.account.as_str();
        let reason = error.outcome();
        let is_recent = |at: &Instant| at.elapsed() < REPEAT_INTERVAL;
        if self.last_failure.as_ref().is_some_and(|(known, at)| *known == reason && is_recent(at)) {
            tracing::debug!(account, %error, "cannot fetch a token, as before");
            return;
        }
        self.last_failure = Some((reason, Instant::now()));
        match (error, error.class()) {
            (_, FailureClass::RetryLater(_) | FailureClass::Unknown(_)) => {
                tracing::warn!(account, %error, "cannot fetch a token, retrying")
            }
            (CallError::Refused(refusal), _) => {
                let advice = refusal.advice();
                tracing::error!(account, %error, advice, "cannot fetch a token: WeChat refuses the account");
            }
            (_, _) => tracing::error!(account, %error, "cannot fetch a token"),
        }
        let alarm =
            !matches!(error.class(), FailureClass::RetryLater(_) | FailureClass::Unknown(_));
        self.raised.clone().into_iter().filter(|known| *known != EVERY_TOKEN_REFUSED).for_each(
            |known| {
                if known != reason {
                    self.set_raised(known, false);
                }
            },
        );
        if alarm {
            self.set_raised(reason, true);
        }
    }

    /// Records a successful fetch.
    pub(crate) fn fetch_succeeded(&mut self) {
        if self.last_failure.take().is_some() {
            tracing::info!(account = self.account, "WeChat issues tokens again");
        }
        for reason in self.raised.clone().into_iter().filter(|known| *known != EVERY_TOKEN_REFUSED)
        {
            self.set_raised(reason, false);
        }
    }

    /// Raises or clears the alarm that WeChat refuses every token it issues.
    pub(crate) fn set_every_token_refused(&mut self, refused: bool) {
        if !refused {
            self.refusal_logged_at = None;
        } else if self.refusal_logged_at.is_none_or(|at| at.elapsed() >= REPEAT_INTERVAL) {
            self.refusal_logged_at = Some(Instant::now());
            tracing::error!(
                account = self.account,
                advice = "look for a second program that forces tokens of this account, and compare AppID and AppSecret with WeChat's console",
                "WeChat refuses every token that it issues: pausing"
            );
        }
        self.set_raised(EVERY_TOKEN_REFUSED, refused);
    }

    fn set_raised(&mut self, reason: &'static str, raised: bool) {
        let changed = if raised { self.raised.insert(reason) } else { self.raised.remove(reason) };
        if changed {
            let account = self.account.clone();
            metrics::gauge!("paihao_token_alarm", "account" => account, "reason" => reason)
                .set(f64::from(u8::from(raised)));
        }
    }
}

impl Drop for Alarm {
    /// The next holder of the lease raises its own alarms.
    fn drop(&mut self) {
        for reason in self.raised.clone() {
            self.set_raised(reason, false);
        }
    }
}
