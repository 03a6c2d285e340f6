//! Send windows: periods in which WeChat accepts customer-service texts for a person.
//!
//! The gateways store them in the cache when they see an action of the person that opens one.

use crate::ports::{StoreError, read_stored};
use bytes::Bytes;
use paihao_cache::{Cache, Unavailable};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams;
use std::time::Duration;

/// Open window with its stored form, for a later compare-and-set.
pub(crate) struct OpenWindow {
    kind: SendWindowKind,
    cache_key: String,
    stored: Bytes,
    window: SendWindow,
}

/// Returns the open window to use at `now` (Unix milliseconds): of several, the one that closes
/// first.
pub(crate) async fn find_open(
    cache: &dyn Cache,
    account: &str,
    person_tags: &[String],
    now: i64,
) -> Result<Option<OpenWindow>, StoreError> {
    for kind in SendWindowKind::ALL {
        for tag in person_tags {
            let cache_key = streams::send_window_key(account, tag, kind.name());
            let Some(stored) = cache.get(&cache_key).await? else { continue };
            let decoded: Option<SendWindow> = read_stored(&stored)?;
            let open = decoded.filter(|window| window.remaining > 0 && window.until > now);
            if let Some(window) = open {
                return Ok(Some(OpenWindow { kind, cache_key, stored, window }));
            }
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
    let OpenWindow { kind, cache_key, stored, window } = open;
    let updated = SendWindow { remaining: window.remaining - 1, ..window.clone() };
    let left = u64::try_from(window.until.saturating_sub(now)).unwrap_or(0).max(1);
    let ttl = Duration::from_millis(left).min(kind.duration());
    let new = Bytes::from(serde_json::to_vec(&updated).expect("string keys only"));
    // After a mismatch the person has just acted again, and the newer window stays.
    cache.compare_and_set(cache_key, Some(stored), new, ttl).await.map(drop)
}

/// Removes all windows of a person, after WeChat reported that none is open or that it is used up.
pub(crate) async fn close_all(
    cache: &dyn Cache,
    account: &str,
    person_tags: &[String],
) -> Result<(), Unavailable> {
    for tag in person_tags {
        for window in SendWindowKind::ALL {
            cache.remove(&streams::send_window_key(account, tag, window.name())).await?;
        }
    }
    Ok(())
}
