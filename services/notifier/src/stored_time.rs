//! Bounds of the waits that a stored instant causes: a clock that was wrong may have written it.

use std::time::Duration;

/// Difference by which an instant may lie ahead, since two good clocks differ a little.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// Assumed age of a message at its first delivery, if its own instant says nothing.
const FIRST_AGE: Duration = Duration::from_secs(5);

/// Deliveries after which the assumed age grows no more; it is years by then.
const MAX_COUNTED_DELIVERIES: u64 = 50;

/// Returns the time until the stored end of something that lasts no longer than `longest`. `None`
/// if it is over, or if its end is so far ahead that a wrong clock wrote it.
pub(crate) fn time_left(until: i64, now: i64, longest: Duration) -> Option<Duration> {
    let left = Duration::from_millis(u64::try_from(until.saturating_sub(now)).ok()?);
    (!left.is_zero() && left <= longest + MAX_CLOCK_DIFFERENCE).then(|| left.min(longest))
}

/// Returns the time since a stored instant, for a message that is retried in proportion to its age.
/// If a wrong clock wrote the instant, the age grows by half with each delivery.
pub(crate) fn age(since: i64, now: i64, delivery: u64) -> Duration {
    let ahead = u64::try_from(since.saturating_sub(now)).unwrap_or(0);
    if Duration::from_millis(ahead) <= MAX_CLOCK_DIFFERENCE {
        return Duration::from_millis(u64::try_from(now.saturating_sub(since)).unwrap_or(0));
    }
    let retries = delivery.saturating_sub(1).min(MAX_COUNTED_DELIVERIES) as i32;
    FIRST_AGE.mul_f64(1.5_f64.powi(retries))
}
