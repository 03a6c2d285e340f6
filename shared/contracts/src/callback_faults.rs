//! Faults of the callbacks of one account, counted over all gateways, and the time at which WeChat
//! verified their address.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time after the newest fault of a cause for which the cause is told.
pub const FAULT_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// Faults of one account by cause, stored in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackFaultCounts {
    /// Version of this form: 1.
    pub v: u32,
    /// Faults of each cause, by its code.
    pub faults: BTreeMap<String, FaultCount>,
}

/// Number and times of the faults of one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Number of faults, none of them a day behind the one before.
    pub count: u64,
    /// Time of the first, in Unix milliseconds.
    pub since: i64,
    /// Time of the newest, in Unix milliseconds.
    pub last_at: i64,
}

/// Time for which a verification is remembered.
pub const VERIFICATION_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Newest verification of the address of an account's callbacks, stored in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackVerification {
    /// Version of this form: 1.
    pub v: u32,
    /// Time in Unix milliseconds.
    pub at: i64,
}

impl CallbackVerification {
    /// Creates the record of a verification at this time, in Unix milliseconds.
    pub fn new(at: i64) -> CallbackVerification {
        CallbackVerification { v: 1, at }
    }

    /// Returns the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers always have a JSON form")
    }
}

impl FaultCount {
    /// One fault, at this time in Unix milliseconds.
    pub fn one(at: i64) -> FaultCount {
        FaultCount { count: 1, since: at, last_at: at }
    }

    /// Sum of two counts.
    #[must_use]
    pub fn plus(self, more: FaultCount) -> FaultCount {
        FaultCount {
            count: self.count.saturating_add(more.count),
            since: self.since.min(more.since),
            last_at: self.last_at.max(more.last_at),
        }
    }
}

impl Default for CallbackFaultCounts {
    fn default() -> Self {
        CallbackFaultCounts { v: 1, faults: BTreeMap::new() }
    }
}

impl CallbackFaultCounts {
    /// Adds faults of one cause.
    pub fn add(&mut self, code: &str, more: FaultCount) {
        let sum = self.faults.get(code).map_or(more, |counted| counted.plus(more));
        self.faults.insert(code.to_owned(), sum);
    }

    /// Drops the causes whose newest fault is older than [`FAULT_RETENTION`].
    pub fn forget_old(&mut self, now_ms: i64) {
        let oldest = now_ms.saturating_sub(FAULT_RETENTION.as_millis() as i64);
        self.faults.retain(|_, fault| fault.last_at >= oldest);
    }

    /// Returns the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys only")
    }
}
