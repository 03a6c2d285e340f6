//! Decision of a keeper: a pure function of its state, the time and the stored token.
//!
//! **Refresh.** On the classic channel any time will do: a new token is issued, and the
//! former one works for five minutes more. The stable channel gives out the *same* token until its
//! last 300 s; an earlier request changes nothing. So the request is made between 300 s and 0 s
//! before the end, early in that span to leave room for failures: 250 s, spread by a tenth. If the
//! response is still the same token, the next request follows after half of the rest. The same
//! halving keeps a token that lives shorter than expected from being fetched without pause.
//!
//! **Refused token.** The first request to the stable channel is a normal one, because
//! the usual reason is that another program forced a new token, and the request costs nothing. Only
//! if it gives out the refused one again is a new one forced, and that is rationed as WeChat
//! rations it: 30 s apart, longer each time within an hour, 20 a day. If the forced one is refused
//! as well, there is no request until the next may be forced. One request to the classic channel
//! issues a new token.
//!
//! **Failed fetch.** A failure that passes by itself is retried after 1 s and then twice as long
//! each time, up to a minute. One that somebody has to correct (a wrong secret, an address not
//! listed) is retried six times an hour, so that it ends without a restart.

use paihao_contracts::token::TokenRecord;
use paihao_wechat::{CallError, FailureClass, fingerprint};
use std::time::Duration;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Shortest time between forced fetches: WeChat ignores faster ones.
const MIN_FORCE_GAP_MS: i64 = 30 * SECOND_MS;
/// Forced fetches within 24 hours that WeChat allows.
const MAX_FORCED_PER_DAY: usize = 20;

/// Channel of WeChat that issues tokens. Tokens of one never end those of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// `stable_token`: a repeated request returns the same token.
    Stable,
    /// `token`: a repeated request ends the former token.
    Classic,
}

/// Refresh policy of one account.
#[derive(Debug, Clone)]
pub struct RefreshPolicy {
    channel: Channel,
    refresh_ahead: Duration,
    /// Fetches within any minute and any hour, whatever the reason.
    max_fetches: (usize, usize),
}

impl RefreshPolicy {
    /// Policy of the stable channel, with a refresh this long before a token's end.
    pub fn stable(ahead: Duration) -> Self {
        RefreshPolicy { channel: Channel::Stable, refresh_ahead: ahead, max_fetches: (6, 60) }
    }

    /// Policy of the classic channel. WeChat's budget is 2,000 fetches a day, 200 for a test
    /// account.
    pub fn classic(ahead: Duration) -> Self {
        RefreshPolicy { channel: Channel::Classic, refresh_ahead: ahead, max_fetches: (3, 20) }
    }
}

/// Next action of a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Do nothing yet.
    Wait {
        /// Time of the next decision unless something changes earlier, in Unix milliseconds.
        until_ms: i64,
    },
    /// Fetch now.
    Fetch {
        /// Ends the former token (stable channel only).
        force: bool,
    },
}

/// State of a keeper between two decisions. A new keeper begins with an empty one, which is safe.
#[derive(Debug)]
pub struct KeeperState {
    policy: RefreshPolicy,
    refused: Option<RefusedFingerprint>,
    failures: u32,
    not_before_ms: i64,
    /// Fetches of the last hour, oldest first.
    fetched_at_ms: Vec<i64>,
    /// Forced fetches of the last day, oldest first, those of other keepers included.
    forced_at_ms: Vec<i64>,
    /// The credentials have not been used successfully since they were changed.
    credentials_unverified: bool,
    /// Share of a tenth by which the refresh is earlier or later: -1.0 to 1.0.
    spread: f64,
}

#[derive(Debug, PartialEq)]
/// A token that WeChat refused.
struct RefusedFingerprint {
    fingerprint: String,
    /// The stable channel has returned the refused token again since.
    confirmed: bool,
}

impl KeeperState {
    /// `spread`, -1.0 to 1.0, moves the refresh by up to a tenth, so that keepers of many accounts
    /// do not fetch at the same time.
    pub fn new(policy: RefreshPolicy, spread: f64) -> Self {
        KeeperState {
            policy,
            refused: None,
            failures: 0,
            not_before_ms: 0,
            fetched_at_ms: Vec::new(),
            forced_at_ms: Vec::new(),
            credentials_unverified: false,
            spread: spread.clamp(-1.0, 1.0),
        }
    }

    /// Makes the next decision a fetch, whatever is stored, to verify new credentials.
    pub fn mark_credentials_changed(&mut self) {
        self.credentials_unverified = true;
    }

    /// True if WeChat refuses the stored token although it was forced within the hour (stable) or
    /// fetched more than twice within it (classic): another fetch does not help.
    pub fn is_every_token_refused(&self, now_ms: i64, stored: Option<&TokenRecord>) -> bool {
        let refused = self
            .refused
            .as_ref()
            .zip(stored)
            .is_some_and(|(refused, stored)| fingerprint(&stored.token) == refused.fingerprint);
        let is_recent = |at: &i64| (now_ms - at).abs() < HOUR_MS;
        refused
            && match self.policy.channel {
                Channel::Stable => self.forced_within_day(now_ms, stored).iter().any(is_recent),
                Channel::Classic => {
                    self.fetched_at_ms.iter().filter(|at| is_recent(at)).count() > 2
                }
            }
    }

    /// Records that WeChat refused the token with this fingerprint.
    pub fn report_refused(&mut self, fingerprint: &str) {
        if self.refused.as_ref().is_none_or(|known| known.fingerprint != fingerprint) {
            self.refused =
                Some(RefusedFingerprint { fingerprint: fingerprint.to_owned(), confirmed: false });
        }
    }

    /// Decides at `now_ms` with this stored token; `None` if there is none that can be read.
    pub fn decide(&self, now_ms: i64, stored: Option<&TokenRecord>) -> Action {
        let refused = self.refused.as_ref().filter(|refused| {
            stored.is_some_and(|stored| fingerprint(&stored.token) == refused.fingerprint)
        });
        let force = self.policy.channel == Channel::Stable
            && refused.is_some_and(|refused| refused.confirmed);
        let refresh_at = match stored {
            // One that a clock in the future dated ends before its record says.
            Some(stored)
                if refused.is_none()
                    && !self.credentials_unverified
                    && stored.fetched_at_ms - now_ms < 5 * MINUTE_MS =>
            {
                self.refresh_at(stored)
            }
            _ => i64::MIN,
        };
        let mut allowed = self.not_before_ms.max(self.fetch_allowed_at());
        // A token that was forced and refused at once: a normal fetch would return it again.
        let was_forced = refused.is_some()
            && stored.is_some_and(|stored| stored.forced_at_ms.contains(&stored.fetched_at_ms));
        if force || was_forced {
            allowed = allowed.max(self.force_allowed_at(now_ms, stored));
        }
        let due = refresh_at.max(allowed);
        if due <= now_ms { Action::Fetch { force } } else { Action::Wait { until_ms: due } }
    }

    /// Records the start of a fetch, which counts whatever its outcome.
    pub fn fetch_started(&mut self, now_ms: i64, force: bool) {
        self.fetched_at_ms.retain(|at| now_ms - at < HOUR_MS);
        self.fetched_at_ms.push(now_ms);
        if force {
            self.forced_at_ms.push(now_ms);
        }
    }

    /// Records the token that a fetch returned.
    pub fn fetch_succeeded(&mut self, token: &str, spread: f64) {
        self.failures = 0;
        self.credentials_unverified = false;
        self.not_before_ms = 0;
        self.spread = spread.clamp(-1.0, 1.0);
        match &mut self.refused {
            Some(refused) if refused.fingerprint == fingerprint(token) => refused.confirmed = true,
            _ => self.refused = None,
        }
    }

    /// Records a failed fetch. `spread` as in [`KeeperState::new`].
    pub fn fetch_failed(&mut self, now_ms: i64, error: &CallError, spread: f64) {
        let exponential =
            |base: i64, cap: i64| base.saturating_mul(1 << self.failures.min(20)).min(cap);
        let wait = match error.class() {
            FailureClass::RetryLater(None) => exponential(SECOND_MS, MINUTE_MS),
            FailureClass::RetryLater(Some(minimum)) | FailureClass::Unknown(minimum) => {
                exponential(SECOND_MS, MINUTE_MS)
                    .max(i64::try_from(minimum.as_millis()).unwrap_or(HOUR_MS))
            }
            FailureClass::InvalidToken
            | FailureClass::Recipient
            | FailureClass::Configuration
            | FailureClass::Permanent => exponential(MINUTE_MS, 10 * MINUTE_MS),
        };
        self.failures += 1;
        // Only later: WeChat's own minimum must hold.
        let later = wait as f64 * 0.1 * spread.abs().min(1.0);
        self.not_before_ms = now_ms + wait + later as i64;
    }

    /// Times at which a token was forced within the last 24 hours, to be stored beside the token.
    pub fn forced_within_day(&self, now_ms: i64, stored: Option<&TokenRecord>) -> Vec<i64> {
        let known = stored.map_or(&[][..], |stored| &stored.forced_at_ms);
        let mut all: Vec<i64> = known.iter().chain(&self.forced_at_ms).copied().collect();
        // A time in the future was written by a wrong clock.
        all.retain(|at| (now_ms - at).abs() < DAY_MS);
        all.sort_unstable();
        all.dedup();
        all
    }

    fn refresh_at(&self, stored: &TokenRecord) -> i64 {
        let ahead = self.policy.refresh_ahead.as_millis() as f64 * (1.0 + 0.1 * self.spread);
        let lifetime = (stored.expires_at_ms - stored.fetched_at_ms).max(0);
        stored.expires_at_ms - (ahead as i64).min(lifetime / 2)
    }

    fn fetch_allowed_at(&self) -> i64 {
        let allowed_at = |max: usize, span: i64| {
            let over = self.fetched_at_ms.len().checked_sub(max);
            over.map_or(i64::MIN, |first| self.fetched_at_ms[first] + span)
        };
        allowed_at(self.policy.max_fetches.0, MINUTE_MS)
            .max(allowed_at(self.policy.max_fetches.1, HOUR_MS))
    }

    fn force_allowed_at(&self, now_ms: i64, stored: Option<&TokenRecord>) -> i64 {
        let forced = self.forced_within_day(now_ms, stored);
        let Some(last) = forced.last() else { return i64::MIN };
        let within_hour = forced.iter().filter(|at| now_ms - *at < HOUR_MS).count();
        let doublings = u32::try_from(within_hour.saturating_sub(1).min(10)).unwrap_or(10);
        let after_gap = last + (MIN_FORCE_GAP_MS << doublings).min(HOUR_MS);
        match forced.len().checked_sub(MAX_FORCED_PER_DAY) {
            Some(first) => after_gap.max(forced[first] + DAY_MS),
            None => after_gap,
        }
    }
}
