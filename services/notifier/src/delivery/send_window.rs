//! Send windows: periods in which WeChat accepts customer-service texts for a person.
//!
//! The gateways store them in the cache when they see an action of the person that opens one.

use bytes::Bytes;
use paihao_cache::{Cache, Unavailable};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams;
use std::time::Duration;

/// Open window with its stored form, for a later compare-and-set.
pub(crate) struct OpenWindow {
    cache_key: String,
    stored: Bytes,
    window: SendWindow,
}

/// Returns the open window to use at `now` (Unix milliseconds): of several, the one that closes
/// first.
pub(crate) async fn find_open(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
    now: i64,
) -> Result<Option<OpenWindow>, Unavailable> {
    for window in SendWindowKind::ALL {
        let at = streams::send_window_key(account, person_key, window.name());
        let Some(stored) = cache.get(&at).await? else { continue };
        let read = serde_json::from_slice::<SendWindow>(&stored).ok();
        if let Some(allowance) = read.filter(|known| known.remaining > 0 && known.until > now) {
            return Ok(Some(OpenWindow { cache_key: at, stored, window: allowance }));
        }
    }
    Ok(None)
}

/// Takes one text from the remaining count of a window.
pub(crate) async fn consume_one(
    cache: &dyn Cache,
    open: &OpenWindow,
    now: i64,
) -> Result<(), Unavailable> {
    let OpenWindow { cache_key: at, stored, window: allowance } = open;
    let left = SendWindow { remaining: allowance.remaining - 1, ..allowance.clone() };
    let kept = Duration::from_millis(u64::try_from(allowance.until - now).unwrap_or(0).max(1));
    let new = Bytes::from(serde_json::to_vec(&left).expect("string keys only"));
    // After a mismatch the person has just acted again, and the newer window stays.
    cache.compare_and_set(at, Some(stored), new, kept).await.map(drop)
}

/// Removes all windows of a person, after WeChat reported that none is open or that it is used up.
pub(crate) async fn close_all(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
) -> Result<(), Unavailable> {
    for window in SendWindowKind::ALL {
        cache.remove(&streams::send_window_key(account, person_key, window.name())).await?;
    }
    Ok(())
}
