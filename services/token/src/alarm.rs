//! Says that an account gets no token that works: at once, in WeChat's words, and again every hour.

use paihao_wechat::{CallError, FailureClass};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How often the log repeats what somebody has to act on.
const REPEATED: Duration = Duration::from_secs(3600);

/// What an alarm of ours is called when a token is refused as soon as it is issued.
const EVERY_TOKEN: &str = "every_token_refused";

/// The alarms of one account, at the keeper that holds its lease.
pub(crate) struct Alarm {
    account: String,
    raised: BTreeSet<&'static str>,
    /// What fetching failed with last, and when the log said so.
    failing: Option<(&'static str, Instant)>,
    refused_said: Option<Instant>,
}

impl Alarm {
    pub(crate) fn of(account: &str) -> Self {
        Alarm {
            account: account.to_owned(),
            raised: BTreeSet::new(),
            failing: None,
            refused_said: None,
        }
    }

    /// A fetch failed. What passes by itself is only told; what somebody has to correct is an alarm.
    pub(crate) fn failed(&mut self, error: &CallError) {
        let (account, reason) = (self.account.as_str(), error.outcome());
        let lately = |at: &Instant| at.elapsed() < REPEATED;
        if self.failing.as_ref().is_some_and(|(known, at)| *known == reason && lately(at)) {
            tracing::debug!(account, %error, "no token again");
            return;
        }
        self.failing = Some((reason, Instant::now()));
        match (error, error.class()) {
            (_, FailureClass::RetryLater(_)) => {
                tracing::warn!(account, %error, "no token: trying again")
            }
            (CallError::Refused(refusal), _) => {
                let advice = refusal.advice();
                tracing::error!(account, %error, advice, "WeChat issues no token: somebody has to act");
            }
            (_, _) => tracing::error!(account, %error, "no token"),
        }
        let alarm = !matches!(error.class(), FailureClass::RetryLater(_));
        self.raised.clone().into_iter().filter(|known| *known != EVERY_TOKEN).for_each(|known| {
            if known != reason {
                self.set(known, false);
            }
        });
        if alarm {
            self.set(reason, true);
        }
    }

    /// A fetch gave a token.
    pub(crate) fn fetched(&mut self) {
        if self.failing.take().is_some() {
            tracing::info!(account = self.account, "WeChat issues tokens again");
        }
        for reason in self.raised.clone().into_iter().filter(|known| *known != EVERY_TOKEN) {
            self.set(reason, false);
        }
    }

    /// Whether WeChat refuses every token it issues.
    pub(crate) fn every_token_refused(&mut self, so: bool) {
        if !so {
            self.refused_said = None;
        } else if self.refused_said.is_none_or(|at| at.elapsed() >= REPEATED) {
            self.refused_said = Some(Instant::now());
            tracing::error!(
                account = self.account,
                advice = "look for a second program that forces tokens of this account, and compare AppID and AppSecret with WeChat's console",
                "WeChat refuses every token that it issues: pausing"
            );
        }
        self.set(EVERY_TOKEN, so);
    }

    fn set(&mut self, reason: &'static str, raised: bool) {
        let news = if raised { self.raised.insert(reason) } else { self.raised.remove(reason) };
        if news {
            let account = self.account.clone();
            metrics::gauge!("paihao_token_alarm", "account" => account, "reason" => reason)
                .set(f64::from(u8::from(raised)));
        }
    }
}

impl Drop for Alarm {
    /// Whoever holds the lease next raises its own.
    fn drop(&mut self) {
        for reason in self.raised.clone() {
            self.set(reason, false);
        }
    }
}
