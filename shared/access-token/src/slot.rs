//! Known token of one account in one process, and the schedule of its reads.

use paihao_contracts::token::TokenRecord;
use paihao_wechat::AccessToken;
use std::time::Duration;
use tokio::time::Instant;

/// A token with its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedToken {
    /// The token.
    pub token: AccessToken,
    /// Expiry as announced by WeChat, in Unix milliseconds.
    pub expires_at_ms: i64,
}

impl From<TokenRecord> for CachedToken {
    fn from(record: TokenRecord) -> Self {
        CachedToken { token: AccessToken::new(record.token), expires_at_ms: record.expires_at_ms }
    }
}

/// Known token of one account.
#[derive(Default)]
pub(crate) struct TokenSlot {
    token: Option<CachedToken>,
    next_refresh: Option<Instant>,
}

/// Instruction for a caller that needs the token.
pub(crate) enum SlotLookup {
    /// Use this token.
    Fresh(CachedToken),
    /// Read the cache; if that gives nothing, use this token.
    RefreshDue(CachedToken),
    /// No usable token is known.
    Missing,
}

impl TokenSlot {
    /// Looks the token up. Only one caller at a time is sent to read, so the next read is postponed
    /// by `retry_interval` at once.
    pub(crate) fn lookup(
        &mut self,
        now: Instant,
        now_ms: i64,
        retry_interval: Duration,
    ) -> SlotLookup {
        match &self.token {
            Some(known) if now_ms < known.expires_at_ms => {
                if self.next_refresh.is_some_and(|at| now < at) {
                    return SlotLookup::Fresh(known.clone());
                }
                self.next_refresh = Some(now + retry_interval);
                SlotLookup::RefreshDue(known.clone())
            }
            _ => SlotLookup::Missing,
        }
    }

    /// Stores the token from the cache and schedules the next read after `refresh_interval`, or
    /// sooner if the token is about to be replaced: every second within `expiry_margin` of its end.
    pub(crate) fn store(
        &mut self,
        known: CachedToken,
        now: Instant,
        now_ms: i64,
        refresh_interval: Duration,
        expiry_margin: Duration,
    ) {
        let remaining =
            Duration::from_millis(u64::try_from(known.expires_at_ms - now_ms).unwrap_or(0));
        let until_margin = remaining.saturating_sub(expiry_margin).max(Duration::from_secs(1));
        self.next_refresh = Some(now + refresh_interval.min(until_margin));
        self.token = Some(known);
    }

    /// Lets the next caller read the cache.
    pub(crate) fn invalidate(&mut self) {
        self.next_refresh = None;
    }
}
