//! What a keeper does now: a pure function of what it remembers, the time, and the stored token.
//!
//! **When to refresh.** On the classic channel any time will do: a new token is issued, and the
//! former one works for five minutes more. The stable channel gives out the *same* token until its
//! last 300 s; asking earlier is a call for nothing. So it is asked between 300 s and 0 s before
//! the end, early in that span to leave room for failures: 250 s, spread by a tenth. Should it
//! still answer the same token, the next ask comes when half of what is left has passed. The same
//! halving keeps a token that lives shorter than expected from being fetched without pause.
//!
//! **When WeChat refused the stored token.** The stable channel is first asked normally, because
//! the usual reason is that somebody else forced a new token, and asking costs nothing. Only if it
//! gives out the refused one again is a new one forced, and that is rationed as WeChat rations it:
//! 30 s apart, longer each time within an hour, 20 a day. If the forced one is refused as well,
//! nothing is asked until the next may be forced. The classic channel is asked once, which
//! issues a new one.
//!
//! **When fetching fails.** What passes by itself is tried again after 1 s and then twice as long
//! each time, up to a minute. What somebody has to correct first (a wrong secret, an address not
//! listed) is tried six times an hour, so that it heals without a restart.

use paihao_contracts::token::TokenRecord;
use paihao_wechat::{CallError, FailureClass, fingerprint};
use std::time::Duration;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// WeChat's rule: forced fetches that follow each other faster do not refresh.
const FORCED_APART: i64 = 30 * SECOND;
const FORCED_A_DAY: usize = 20;

/// From which of WeChat's two channels a token comes. Tokens of one never end those of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// `stable_token`: asking again gives the same token.
    Stable,
    /// `token`: asking again ends the former token.
    Classic,
}

/// By what rules one account's keeper decides.
#[derive(Debug, Clone)]
pub struct Rules {
    channel: Channel,
    ahead: Duration,
    /// Fetches within any minute and any hour, whatever the reason.
    most: (usize, usize),
}

impl Rules {
    /// The stable channel, refreshed this long before a token's end.
    pub fn stable(ahead: Duration) -> Self {
        Rules { channel: Channel::Stable, ahead, most: (6, 60) }
    }

    /// The classic channel, likewise. Its budget is 2,000 a day, 200 for a test account.
    pub fn classic(ahead: Duration) -> Self {
        Rules { channel: Channel::Classic, ahead, most: (3, 20) }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing before this time, Unix milliseconds.
    Wait {
        /// Decide again then, or when something changes.
        until_ms: i64,
    },
    /// Fetch now.
    Fetch {
        /// Whether to end the former token (stable channel only).
        force: bool,
    },
}

/// What a keeper remembers between two decisions. A new keeper remembers nothing, which is safe.
#[derive(Debug)]
pub struct State {
    rules: Rules,
    refused: Option<Refused>,
    failures: u32,
    not_before_ms: i64,
    /// Fetches of the last hour, oldest first.
    fetched_at_ms: Vec<i64>,
    /// Forced fetches of the last day, oldest first, those of other keepers included.
    forced_at_ms: Vec<i64>,
    /// The credentials have not been proved since they were changed.
    unproved: bool,
    /// By how much this token's refresh comes earlier or later: -1.0 to 1.0.
    spread: f64,
}

#[derive(Debug, PartialEq)]
struct Refused {
    fingerprint: String,
    /// The stable channel was asked since, and gave the refused one out again.
    confirmed: bool,
}

impl State {
    /// `spread`, -1.0 to 1.0, moves the refresh by up to a tenth, so that keepers of many accounts
    /// do not ask together.
    pub fn new(rules: Rules, spread: f64) -> Self {
        State {
            rules,
            refused: None,
            failures: 0,
            not_before_ms: 0,
            fetched_at_ms: Vec::new(),
            forced_at_ms: Vec::new(),
            unproved: false,
            spread: spread.clamp(-1.0, 1.0),
        }
    }

    /// The credentials are new: they are proved by a fetch at once, whatever is stored.
    pub fn prove(&mut self) {
        self.unproved = true;
    }

    /// Whether WeChat refuses what is stored although it was forced within the hour, or fetched
    /// over and over: nothing that a program can do helps.
    pub fn is_every_token_refused(&self, now_ms: i64, stored: Option<&TokenRecord>) -> bool {
        let refused = self
            .refused
            .as_ref()
            .zip(stored)
            .is_some_and(|(refused, stored)| fingerprint(&stored.token) == refused.fingerprint);
        let lately = |at: &i64| now_ms - at < HOUR;
        refused
            && match self.rules.channel {
                Channel::Stable => self.forced(now_ms, stored).iter().any(lately),
                Channel::Classic => self.fetched_at_ms.iter().filter(|at| lately(at)).count() > 2,
            }
    }

    /// WeChat refused the token with this fingerprint.
    pub fn report(&mut self, fingerprint: &str) {
        if self.refused.as_ref().is_none_or(|known| known.fingerprint != fingerprint) {
            self.refused = Some(Refused { fingerprint: fingerprint.to_owned(), confirmed: false });
        }
    }

    /// What to do at `now_ms`, with this token stored (`None`: none, or none that can be read).
    pub fn decide(&self, now_ms: i64, stored: Option<&TokenRecord>) -> Action {
        let refused = self.refused.as_ref().filter(|refused| {
            stored.is_some_and(|stored| fingerprint(&stored.token) == refused.fingerprint)
        });
        let force = self.rules.channel == Channel::Stable
            && refused.is_some_and(|refused| refused.confirmed);
        let wanted = match stored {
            Some(stored) if refused.is_none() && !self.unproved => self.refresh_at(stored),
            _ => i64::MIN,
        };
        let mut allowed = self.not_before_ms.max(self.budget_free_at());
        // A token that was forced and refused at once: asking would give out the same again.
        let was_forced = refused.is_some()
            && stored.is_some_and(|stored| stored.forced_at_ms.contains(&stored.fetched_at_ms));
        if force || was_forced {
            allowed = allowed.max(self.forced_free_at(now_ms, stored));
        }
        let due = wanted.max(allowed);
        if due <= now_ms { Action::Fetch { force } } else { Action::Wait { until_ms: due } }
    }

    /// A fetch begins: it counts whatever comes of it.
    pub fn fetching(&mut self, now_ms: i64, force: bool) {
        self.fetched_at_ms.retain(|at| now_ms - at < HOUR);
        self.fetched_at_ms.push(now_ms);
        if force {
            self.forced_at_ms.push(now_ms);
        }
    }

    /// The fetch gave this token.
    pub fn fetched(&mut self, token: &str, spread: f64) {
        self.failures = 0;
        self.unproved = false;
        self.not_before_ms = 0;
        self.spread = spread.clamp(-1.0, 1.0);
        match &mut self.refused {
            Some(refused) if refused.fingerprint == fingerprint(token) => refused.confirmed = true,
            _ => self.refused = None,
        }
    }

    /// The fetch failed. `spread` as in [`State::new`].
    pub fn failed(&mut self, now_ms: i64, error: &CallError, spread: f64) {
        let grown = |base: i64, cap: i64| base.saturating_mul(1 << self.failures.min(20)).min(cap);
        let wait = match error.class() {
            FailureClass::RetryLater(None) => grown(SECOND, MINUTE),
            FailureClass::RetryLater(Some(least)) => {
                grown(SECOND, MINUTE).max(i64::try_from(least.as_millis()).unwrap_or(HOUR))
            }
            FailureClass::InvalidToken
            | FailureClass::Recipient
            | FailureClass::Configuration
            | FailureClass::Permanent => grown(MINUTE, 10 * MINUTE),
        };
        self.failures += 1;
        // Only later: WeChat's own minimum must hold.
        let later = wait as f64 * 0.1 * spread.abs().min(1.0);
        self.not_before_ms = now_ms + wait + later as i64;
    }

    /// When a new token was forced within the last day, to be stored beside the token.
    pub fn forced(&self, now_ms: i64, stored: Option<&TokenRecord>) -> Vec<i64> {
        let known = stored.map_or(&[][..], |stored| &stored.forced_at_ms);
        let mut all: Vec<i64> = known.iter().chain(&self.forced_at_ms).copied().collect();
        all.retain(|at| now_ms - at < DAY);
        all.sort_unstable();
        all.dedup();
        all
    }

    fn refresh_at(&self, stored: &TokenRecord) -> i64 {
        let ahead = self.rules.ahead.as_millis() as f64 * (1.0 + 0.1 * self.spread);
        let lifetime = (stored.expires_at_ms - stored.fetched_at_ms).max(0);
        stored.expires_at_ms - (ahead as i64).min(lifetime / 2)
    }

    fn budget_free_at(&self) -> i64 {
        let free = |most: usize, span: i64| {
            let over = self.fetched_at_ms.len().checked_sub(most);
            over.map_or(i64::MIN, |first| self.fetched_at_ms[first] + span)
        };
        free(self.rules.most.0, MINUTE).max(free(self.rules.most.1, HOUR))
    }

    fn forced_free_at(&self, now_ms: i64, stored: Option<&TokenRecord>) -> i64 {
        let forced = self.forced(now_ms, stored);
        let Some(last) = forced.last() else { return i64::MIN };
        let within_hour = forced.iter().filter(|at| now_ms - *at < HOUR).count();
        let doublings = u32::try_from(within_hour.saturating_sub(1).min(10)).unwrap_or(10);
        let apart = last + (FORCED_APART << doublings).min(HOUR);
        match forced.len().checked_sub(FORCED_A_DAY) {
            Some(first) => apart.max(forced[first] + DAY),
            None => apart,
        }
    }
}
