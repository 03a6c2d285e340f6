//! What one process remembers of one account's token, and when it looks again.

use paihao_contracts::token::TokenRecord;
use paihao_wechat::AccessToken;
use std::time::Duration;
use tokio::time::Instant;

/// A token and until when it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedToken {
    /// The token.
    pub token: AccessToken,
    /// When it dies by WeChat's word, Unix milliseconds.
    pub expires_at_ms: i64,
}

impl From<TokenRecord> for CachedToken {
    fn from(record: TokenRecord) -> Self {
        CachedToken { token: AccessToken::new(record.token), expires_at_ms: record.expires_at_ms }
    }
}

/// One account's memory.
#[derive(Default)]
pub(crate) struct TokenSlot {
    token: Option<CachedToken>,
    next_refresh: Option<Instant>,
}

/// What to do about a caller who wants the token.
pub(crate) enum SlotLookup {
    /// Use this one.
    Fresh(CachedToken),
    /// This caller looks into the cache; if that gives nothing, this one will still do.
    RefreshDue(CachedToken),
    /// Nothing usable is known.
    Missing,
}

impl TokenSlot {
    /// Answers a caller. One caller at a time is sent to look, so the next look is put off by
    /// `retry_interval` at once.
    pub(crate) fn lookup(&mut self, now: Instant, now_ms: i64, pause: Duration) -> SlotLookup {
        match &self.token {
            Some(known) if now_ms < known.expires_at_ms => {
                if self.next_refresh.is_some_and(|at| now < at) {
                    return SlotLookup::Fresh(known.clone());
                }
                self.next_refresh = Some(now + pause);
                SlotLookup::RefreshDue(known.clone())
            }
            _ => SlotLookup::Missing,
        }
    }

    /// Remembers what the cache holds and looks again after `refresh_interval`, or sooner if the token is
    /// about to be replaced: every second within `expiry_margin` of its end.
    pub(crate) fn store(
        &mut self,
        known: CachedToken,
        now: Instant,
        now_ms: i64,
        reread: Duration,
        margin: Duration,
    ) {
        let left = Duration::from_millis(u64::try_from(known.expires_at_ms - now_ms).unwrap_or(0));
        let calm = left.saturating_sub(margin).max(Duration::from_secs(1));
        self.next_refresh = Some(now + reread.min(calm));
        self.token = Some(known);
    }

    /// The next caller looks into the cache.
    pub(crate) fn invalidate(&mut self) {
        self.next_refresh = None;
    }
}
