//! Newest uses of API keys and kiosks, which the log of browser sessions keeps.

use paihao_contracts::staff::StaffSession;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// Use of an API key, or of a kiosk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUse {
    /// Approximate time, in Unix milliseconds.
    pub(crate) at: i64,
    /// Approximate origin: an address without its last part.
    pub(crate) address: String,
}

/// Prefix of the ids of kiosks.
pub(crate) const KIOSK_ID_PREFIX: &str = "kiosk_";

/// Uses of keys, by their ids.
#[derive(Default)]
pub(super) struct KeyUses {
    /// Newest use of each key, at any replica.
    recorded: Mutex<HashMap<String, KeyUse>>,
    /// Times at which this replica has recorded a use.
    noted: Mutex<HashMap<String, i64>>,
}

/// Returns whether this is the id of a key that was made through the API, or of a kiosk, and none
/// of a session.
pub(super) fn is_key_id(id: &str) -> bool {
    id.starts_with("k_") || id.starts_with(KIOSK_ID_PREFIX)
}

impl KeyUses {
    /// Returns whether a use now is to be recorded, and takes it as recorded.
    pub(super) fn is_due(&self, key: &str, now_ms: i64, interval: Duration) -> bool {
        let is_old = |at: i64| (now_ms - at).unsigned_abs() >= interval.as_millis() as u64;
        let mut noted = self.noted.lock();
        let is_due = noted.get(key).is_none_or(|at| is_old(*at));
        if is_due {
            noted.insert(key.to_owned(), now_ms);
        }
        is_due
    }

    pub(super) fn apply(&self, key: String, session: StaffSession) {
        let key_use = KeyUse { at: session.seen_at, address: session.address };
        let mut recorded = self.recorded.lock();
        if recorded.get(&key).is_none_or(|known| known.at <= key_use.at) {
            recorded.insert(key, key_use);
        }
    }

    pub(super) fn last(&self, key: &str) -> Option<KeyUse> {
        self.recorded.lock().get(key).cloned()
    }

    pub(super) fn clear(&self) {
        self.recorded.lock().clear();
    }
}
