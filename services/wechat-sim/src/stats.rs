//! Counters of calls, messages and pushes. They stay exact when old records are dropped.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::Serialize;

use crate::api::calls::CALLS;

/// Counts since the start of the simulator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls of the API by path; those of no call of WeChat count as `other`.
    pub calls: BTreeMap<String, u64>,
    /// Responses of `token` that carried a token.
    pub classic_fetches: u64,
    /// Responses of `stable_token` that carried a token, forced ones included.
    pub stable_fetches: u64,
    /// Forced refreshes that took place.
    pub forced_refreshes: u64,
    /// New tokens, on both channels.
    pub tokens_issued: u64,
    /// QR codes created.
    pub codes_created: u64,
    /// Template messages accepted; a repeated `client_msg_id` does not count.
    pub messages_accepted: u64,
    /// Template messages accepted, by template.
    pub messages_by_template: BTreeMap<String, u64>,
    /// Template messages whose `client_msg_id` had been sent before.
    pub messages_repeated: u64,
    /// Template messages refused, by error code.
    pub messages_refused: BTreeMap<i64, u64>,
    /// Customer-service texts accepted.
    pub texts_sent: u64,
    /// Subscription notices accepted.
    pub notices_sent: u64,
    /// Events and messages pushed to a callback; a duplicate counts once more.
    pub pushes: u64,
    /// HTTP requests of pushes, repeats included.
    pub deliveries: u64,
    /// Pushes whose answer makes the customer see an error.
    pub pushes_failed: u64,
    /// Pushes that were not made because too many before them had failed.
    pub pushes_withheld: u64,
    /// Receipts that could not be pushed because too many were waiting.
    pub receipts_dropped: u64,
    /// Calls in which a fault was injected.
    pub faults: u64,
}

impl Stats {
    /// Tokens handed out, on both channels.
    pub fn token_fetches(&self) -> u64 {
        self.classic_fetches + self.stable_fetches
    }
}

/// Shared counters; [`Counters::snapshot`] reads them.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Stats>);

impl Counters {
    pub(crate) fn count_call(&self, path: &str) {
        let path = if CALLS.contains_key(path) { path } else { "other" };
        let mut stats = self.0.lock();
        match stats.calls.get_mut(path) {
            Some(calls) => *calls += 1,
            None => drop(stats.calls.insert(path.to_owned(), 1)),
        }
    }

    pub(crate) fn count_fault(&self) {
        self.0.lock().faults += 1;
    }

    pub(crate) fn count_accepted(&self, template_id: &str) {
        let mut stats = self.0.lock();
        stats.messages_accepted += 1;
        match stats.messages_by_template.get_mut(template_id) {
            Some(count) => *count += 1,
            None => drop(stats.messages_by_template.insert(template_id.to_owned(), 1)),
        }
    }

    /// Applies a change to the counters.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.0.lock());
    }

    pub(crate) fn snapshot(&self) -> Stats {
        self.0.lock().clone()
    }
}
