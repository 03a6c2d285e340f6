//! Recent deliveries to one webhook over all notifiers, and its pause.

use crate::public_event::EventId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Deliveries that are kept.
pub const MAX_DELIVERIES: usize = 50;

/// Time after the last delivery for which they are kept.
pub const DELIVERIES_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Time of failures alone after which a webhook is paused.
pub const PAUSE_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// Deliveries to one webhook, stored in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDeliveries {
    /// Version of this form: 1.
    pub v: u32,
    /// Time of the first failure after the last success, in Unix milliseconds; `None` if the last
    /// delivery succeeded.
    pub failing_since: Option<i64>,
    /// The newest deliveries, in the order of their times.
    pub deliveries: Vec<WebhookDelivery>,
}

/// One attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDelivery {
    /// Time of the attempt, in Unix milliseconds.
    pub at: i64,
    /// Id of the event.
    pub id: EventId,
    /// Type of the event.
    pub kind: String,
    /// Status of the answer; `None` without one.
    pub status: Option<u16>,
    /// Reason of a failure; `None` after a success. It holds no address.
    pub error: Option<String>,
    /// Milliseconds until the answer, or the failure.
    pub duration_ms: u32,
}

impl Default for WebhookDeliveries {
    fn default() -> Self {
        WebhookDeliveries { v: 1, failing_since: None, deliveries: Vec::new() }
    }
}

impl WebhookDeliveries {
    /// Adds deliveries, and drops the oldest beyond [`MAX_DELIVERIES`].
    pub fn add(&mut self, more: &[WebhookDelivery]) {
        self.deliveries.extend_from_slice(more);
        self.deliveries.sort_by_key(|delivery| delivery.at);
        let is_success = |delivery: &&WebhookDelivery| delivery.error.is_none();
        // Several notifiers write: what one adds later may be older.
        let last_success = self.deliveries.iter().filter(is_success).map(|it| it.at).next_back();
        let after = |at: &i64| last_success.is_none_or(|success| *at > success);
        let failures = self.deliveries.iter().filter(|it| it.error.is_some()).map(|it| it.at);
        let first_failure = self.failing_since.into_iter().chain(failures).filter(after).min();
        self.failing_since = first_failure;
        self.deliveries.drain(..self.deliveries.len().saturating_sub(MAX_DELIVERIES));
    }

    /// Time of the first failure of a webhook that is paused, in Unix milliseconds. A time in the
    /// future, which a wrong clock wrote, pauses nothing.
    pub fn paused_since(&self, now_ms: i64) -> Option<i64> {
        self.failing_since.filter(|since| now_ms - since >= PAUSE_AFTER.as_millis() as i64)
    }

    /// Returns the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 3_600_000;

    fn delivery(at: i64, succeeds: bool) -> WebhookDelivery {
        WebhookDelivery {
            at,
            id: EventId { position: 7, index: 0 },
            kind: "day_opened".to_owned(),
            status: Some(if succeeds { 204 } else { 500 }),
            error: (!succeeds).then(|| "answered 500".to_owned()),
            duration_ms: 12,
        }
    }

    #[test]
    fn three_days_of_failures_alone_pause_it_until_a_success() {
        let mut deliveries = WebhookDeliveries::default();
        deliveries.add(&[delivery(DAY_MS, false), delivery(2 * DAY_MS, false)]);
        assert_eq!(deliveries.paused_since(4 * DAY_MS - 1), None);
        assert_eq!(deliveries.paused_since(4 * DAY_MS), Some(DAY_MS));
        deliveries.add(&[delivery(4 * DAY_MS, true)]);
        assert_eq!(deliveries.paused_since(9 * DAY_MS), None);
        deliveries.add(&[delivery(5 * DAY_MS, false)]);
        assert_eq!(deliveries.paused_since(8 * DAY_MS), Some(5 * DAY_MS));
        assert_eq!(deliveries.paused_since(0), None, "the clock went back");
    }

    #[test]
    fn a_failure_before_the_last_success_says_nothing_whenever_it_is_added() {
        let mut deliveries = WebhookDeliveries::default();
        deliveries.add(&[delivery(10, true)]);
        deliveries.add(&[delivery(5, false)]);
        assert_eq!(deliveries.failing_since, None);
        deliveries.add(&[delivery(20, false)]);
        deliveries.add(&[delivery(15, false)]);
        assert_eq!(deliveries.failing_since, Some(15));
    }

    #[test]
    fn the_newest_are_kept_in_their_order() {
        let mut deliveries = WebhookDeliveries::default();
        deliveries.add(&[delivery(9, true)]);
        let more: Vec<_> = (0..2 * MAX_DELIVERIES as i64).map(|at| delivery(at, true)).collect();
        deliveries.add(&more);
        assert_eq!(deliveries.deliveries.len(), MAX_DELIVERIES);
        assert!(deliveries.deliveries.is_sorted_by_key(|delivery| delivery.at));
        assert_eq!(deliveries.deliveries.last().unwrap().at, 2 * MAX_DELIVERIES as i64 - 1);
    }
}
