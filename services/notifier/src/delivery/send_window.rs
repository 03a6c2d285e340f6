//! Whether a person may be sent a free text now, as far as the gateways have seen.

use bytes::Bytes;
use paihao_cache::{Cache, Unavailable};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams;
use std::time::Duration;

/// An open window, and what stood of it in the cache.
pub(crate) struct OpenWindow {
    cache_key: String,
    stored: Bytes,
    window: SendWindow,
}

/// The window to use now: of two open ones, that which closes sooner.
pub(crate) async fn find_open(
    cache: &dyn Cache,
    account: &str,
    person: &str,
    now: i64,
) -> Result<Option<OpenWindow>, Unavailable> {
    for window in SendWindowKind::ALL {
        let at = streams::send_window_key(account, person, window.name());
        let Some(stored) = cache.get(&at).await? else { continue };
        let read = serde_json::from_slice::<SendWindow>(&stored).ok();
        if let Some(allowance) = read.filter(|known| known.left > 0 && known.until > now) {
            return Ok(Some(OpenWindow { cache_key: at, stored, window: allowance }));
        }
    }
    Ok(None)
}

/// One text less is left of a window.
pub(crate) async fn consume_one(
    cache: &dyn Cache,
    open: &OpenWindow,
    now: i64,
) -> Result<(), Unavailable> {
    let OpenWindow { cache_key: at, stored, window: allowance } = open;
    let left = SendWindow { left: allowance.left - 1, ..allowance.clone() };
    let kept = Duration::from_millis(u64::try_from(allowance.until - now).unwrap_or(0).max(1));
    let new = Bytes::from(serde_json::to_vec(&left).expect("string keys only"));
    // If something else is there, the person has just done more: that is the newer word.
    cache.compare_and_set(at, Some(stored), new, kept).await.map(drop)
}

/// WeChat said that no window is open, or that nothing is left of it.
pub(crate) async fn close_all(
    cache: &dyn Cache,
    account: &str,
    person: &str,
) -> Result<(), Unavailable> {
    for window in SendWindowKind::ALL {
        cache.remove(&streams::send_window_key(account, person, window.name())).await?;
    }
    Ok(())
}
