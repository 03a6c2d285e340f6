//! Retry schedule of webhook messages.

use std::time::Duration;

/// Longest time for which a message is retried.
pub const MAX_RETRY_AGE: Duration = Duration::from_secs(24 * 3600);

/// Shortest delay before a retry.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Longest delay before a retry.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(3600);

/// Returns the delay before the next attempt of a message that has been retried for `age`: half of
/// it, from 5 seconds to an hour. `None` after a day.
pub fn retry_delay(age: Duration) -> Option<Duration> {
    (age < MAX_RETRY_AGE).then(|| (age / 2).clamp(MIN_RETRY_DELAY, MAX_RETRY_DELAY))
}

/// Returns the delay while all permits of the webhook are in use: a tenth of `age`, from a second
/// to a minute.
pub fn permit_retry_delay(age: Duration) -> Duration {
    (age / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_end_after_a_day() {
        let mut age = Duration::ZERO;
        let mut waits = Vec::new();
        while let Some(wait) = retry_delay(age) {
            waits.push(wait.as_secs());
            age += wait;
        }
        assert_eq!(waits[..6], [5, 5, 5, 7, 11, 16]);
        assert!(waits.is_sorted() && waits.last() == Some(&3600));
        assert!((30..60).contains(&waits.len()), "{} attempts", waits.len());
        assert!(age >= MAX_RETRY_AGE && age < MAX_RETRY_AGE + MAX_RETRY_DELAY);
    }
}
