//! Business days of the sites, which all stand in one time zone.

/// Time zone of every site.
pub const ZONE: &str = "Asia/Shanghai";
/// Offset of the zone from UTC, in milliseconds.
const ZONE_OFFSET_MS: i64 = 8 * HOUR_MS;
/// Hour at which a business day begins.
pub const DAY_STARTS_AT: i8 = 4;

const HOUR_MS: i64 = 3600 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// 00:00 on 20 November 2026 at the sites, in Unix milliseconds.
const MIDNIGHT_MS: i64 = 1_795_104_000_000;

/// Returns an instant of the first day, in Unix milliseconds.
pub fn on_first_day(hour: i64, minute: i64) -> i64 {
    MIDNIGHT_MS + hour * HOUR_MS + minute * 60_000
}

/// Returns the business day of an instant, in days since 1970-01-01.
pub fn day_of(at_ms: i64) -> i64 {
    (at_ms + ZONE_OFFSET_MS - i64::from(DAY_STARTS_AT) * HOUR_MS).div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_day_ends_at_four_in_the_morning() {
        let before = day_of(on_first_day(4, 0) - 1);
        assert_eq!(day_of(on_first_day(4, 0)), before + 1);
        assert_eq!(day_of(on_first_day(27, 59)), before + 1);
        assert_eq!(MIDNIGHT_MS.rem_euclid(DAY_MS), DAY_MS - ZONE_OFFSET_MS);
    }
}
