//! When a message that was not taken is sent again, and when no more.

use std::time::Duration;

/// How long a message is tried.
pub const MAX_RETRY_AGE: Duration = Duration::from_secs(24 * 3600);

/// The first wait.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(5);
/// The longest.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(3600);

/// How long to wait before the next attempt at a message that has been tried for `age`: half of
/// that, at least 5 seconds and at most an hour. `None` after a day.
pub fn retry_delay(age: Duration) -> Option<Duration> {
    (age < MAX_RETRY_AGE).then(|| (age / 2).clamp(MIN_RETRY_DELAY, MAX_RETRY_DELAY))
}

/// How long a message waits all of whose webhook's places are taken: the older it is, the more.
pub fn permit_retry_delay(age: Duration) -> Duration {
    (age / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_end_after_a_day() {
        let (mut age, mut waits) = (Duration::ZERO, Vec::new());
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
