//! Thresholds of the notices that a turn is near or takes longer.

/// Number ahead up to which a turn is near.
const NEAR_AHEAD: u32 = 3;
/// Seconds up to which a turn is near: ten minutes.
const NEAR_WITHIN_S: u32 = 10 * 60;
/// Time after joining in which no "near" notice is sent: one minute.
const JOIN_GRACE_MS: i64 = 60_000;
/// Seconds by which a wait must exceed its quote to have slipped, besides half of the quote.
const MIN_SLIP_S: u32 = 10 * 60;
/// Waits up to this many seconds never count as slipped.
const LONG_WAIT_S: u32 = 45 * 60;

/// Returns `true` if a "near" notice is due: three ahead or ten minutes, whichever is first. It is
/// not sent just after joining, nor with nobody ahead.
pub fn is_near(ahead: u32, median_s: Option<u32>, since_joined_ms: i64) -> bool {
    let near = ahead <= NEAR_AHEAD || median_s.is_some_and(|median| median <= NEAR_WITHIN_S);
    near && ahead > 0 && since_joined_ms >= JOIN_GRACE_MS
}

/// Returns `true` if a wait has slipped from its quote. Both are whole waits in seconds from
/// joining: the quoted median, and the time waited so far plus the median of the rest.
pub fn is_slipped(quoted_s: u32, expected_s: u32) -> bool {
    expected_s >= slip_threshold_s(quoted_s)
}

/// Shortest wait in seconds that counts as slipped from its quote.
pub(crate) fn slip_threshold_s(quoted_s: u32) -> u32 {
    quoted_s.saturating_add(MIN_SLIP_S.max(quoted_s / 2)).max(LONG_WAIT_S).saturating_add(1)
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
    fn near_is_not_sent_to_the_next_ticket_nor_just_after_joining() {
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
