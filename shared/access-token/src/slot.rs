//! What one process remembers of one account's token, and when it looks again.

use paihao_contracts::token::TokenRecord;
use paihao_wechat::AccessToken;
use std::time::Duration;
use tokio::time::Instant;

/// A token and until when it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The token.
    pub token: AccessToken,
    /// When it dies by WeChat's word, Unix milliseconds.
    pub expires_at_ms: i64,
}

impl From<TokenRecord> for KeptToken {
    fn from(record: TokenRecord) -> Self {
        KeptToken { token: AccessToken::new(record.token), expires_at_ms: record.expires_at_ms }
    }
}

/// One account's memory.
#[derive(Default)]
pub(crate) struct Memory {
    known: Option<KeptToken>,
    next_look: Option<Instant>,
}

/// What to do about a caller who wants the token.
pub(crate) enum Answer {
    /// Use this one.
    Fresh(KeptToken),
    /// This caller looks into the cache; if that gives nothing, this one will still do.
    Look(KeptToken),
    /// Nothing usable is known.
    Nothing,
}

impl Memory {
    /// Answers a caller. One caller at a time is sent to look, so the next look is put off by
    /// `pause` at once.
    pub(crate) fn ask(&mut self, now: Instant, now_ms: i64, pause: Duration) -> Answer {
        match &self.known {
            Some(known) if now_ms < known.expires_at_ms => {
                if self.next_look.is_some_and(|at| now < at) {
                    return Answer::Fresh(known.clone());
                }
                self.next_look = Some(now + pause);
                Answer::Look(known.clone())
            }
            _ => Answer::Nothing,
        }
    }

    /// Remembers what the cache holds and looks again after `reread`, or sooner if the token is
    /// about to be replaced: every second within `margin` of its end.
    pub(crate) fn learn(
        &mut self,
        known: KeptToken,
        now: Instant,
        now_ms: i64,
        reread: Duration,
        margin: Duration,
    ) {
        let left = Duration::from_millis(u64::try_from(known.expires_at_ms - now_ms).unwrap_or(0));
        let calm = left.saturating_sub(margin).max(Duration::from_secs(1));
        self.next_look = Some(now + reread.min(calm));
        self.known = Some(known);
    }

    /// The next caller looks into the cache.
    pub(crate) fn doubt(&mut self) {
        self.next_look = None;
    }
}
