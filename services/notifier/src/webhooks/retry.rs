//! When a message that was not taken is sent again, and when no more.

use std::time::Duration;

/// How long a message is tried.
pub const TRIED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The first wait.
const FIRST: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long to wait before the next attempt at a message that has been tried for `age`: half of
/// that, at least 5 seconds and at most an hour. `None` after a day.
pub fn wait(age: Duration) -> Option<Duration> {
    (age < TRIED_FOR).then(|| (age / 2).clamp(FIRST, LONGEST))
}

/// How long a message waits all of whose webhook's places are taken: the older it is, the more.
pub fn no_place(age: Duration) -> Duration {
    (age / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_end_after_a_day() {
        let (mut age, mut waits) = (Duration::ZERO, Vec::new());
        while let Some(wait) = wait(age) {
            waits.push(wait.as_secs());
            age += wait;
        }
        assert_eq!(waits[..6], [5, 5, 5, 7, 11, 16]);
        assert!(waits.is_sorted() && waits.last() == Some(&3600));
        assert!((30..60).contains(&waits.len()), "{} attempts", waits.len());
        assert!(age >= TRIED_FOR && age < TRIED_FOR + LONGEST);
    }
}
