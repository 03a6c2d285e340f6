//! Thresholds of the notices that a turn is near or takes longer.

/// Told that it is near with so many ahead, or fewer.
const NEAR_AHEAD: u32 = 3;
/// Told that it is near with so many seconds to go, or fewer.
const NEAR_WITHIN_S: u32 = 10 * 60;
/// Who joined a moment ago has just been told.
const JOIN_GRACE_MS: i64 = 60_000;
/// It slipped when it takes longer than told by so many seconds, and by half.
const MIN_SLIP_S: u32 = 10 * 60;
/// Only those who wait longer than so many seconds are told that it slipped.
const LONG_WAIT_S: u32 = 45 * 60;

/// Whether it is time to say that the call is near: three ahead or ten minutes, whichever is
/// first. Not to those who have just joined, nor to the next one.
pub fn is_near(ahead: u32, median_s: Option<u32>, since_joined_ms: i64) -> bool {
    let near = ahead <= NEAR_AHEAD || median_s.is_some_and(|median| median <= NEAR_WITHIN_S);
    near && ahead > 0 && since_joined_ms >= JOIN_GRACE_MS
}

/// Whether a wait has slipped from what was told. Both are whole waits in seconds, from joining:
/// the median that was told, and what was waited so far with the median of what is left.
pub fn is_slipped(told_s: u32, expected_s: u32) -> bool {
    expected_s >= slip_threshold_s(told_s)
}

/// The shortest wait in seconds that has slipped from what was told.
pub(crate) fn slip_threshold_s(told_s: u32) -> u32 {
    told_s.saturating_add(MIN_SLIP_S.max(told_s / 2)).max(LONG_WAIT_S).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_three_ahead_or_ten_minutes_whichever_is_first() {
        assert!(is_near(3, Some(3_000), 60_000));
        assert!(is_near(3, None, 60_000), "with no counter open the people still count");
        assert!(is_near(9, Some(600), 60_000));
        assert!(!is_near(4, Some(601), 60_000));
        assert!(!is_near(4, None, 60_000));
    }

    #[test]
    fn near_is_not_said_to_the_next_one_nor_a_moment_after_joining() {
        assert!(!is_near(0, Some(60), 60_000));
        assert!(!is_near(2, Some(60), 59_999));
    }

    #[test]
    fn a_wait_slips_by_more_than_ten_minutes_and_more_than_half() {
        assert!(is_slipped(3_600, 5_401));
        assert!(!is_slipped(3_600, 5_400));
        assert!(is_slipped(2_200, 3_301) && !is_slipped(2_200, 3_300));
        assert!(!is_slipped(600, 2_700), "those who wait 45 minutes or less are spared");
        assert!(is_slipped(600, 2_701));
    }
}
