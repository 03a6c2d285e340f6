//! Times at which a certificate is asked for: within the authority's limits, and not in step with
//! others.

use super::order::{FailureKind, OrderError};
use super::store::Attempt;
use paihao_chassis::entropy;
use paihao_chassis::http::Certificate;
use std::time::Duration;

/// Least time between two certificates, in milliseconds, whatever the clocks say. It is half of a
/// life that is shorter.
const MIN_ORDER_INTERVAL_MS: i64 = 6 * 3600 * 1000;

/// Wait after a first failure. Each further one is four times as long, up to [`MAX_RETRY_WAIT`]:
/// four attempts in the first hour, of the five that Let's Encrypt allows to fail.
const FIRST_RETRY_WAIT: Duration = Duration::from_secs(60);
const MAX_RETRY_WAIT: Duration = Duration::from_secs(6 * 3600);

/// Least time in milliseconds after a failure before a restarted program tries again: five an hour.
const RESTART_WAIT_MS: i64 = 12 * 60 * 1000;

/// Longest wait that an authority can ask for, in milliseconds.
const MAX_ASKED_WAIT_MS: i64 = 24 * 3600 * 1000;

/// Time from which a certificate is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RenewalPlan {
    renew_at_ms: i64,
}

impl RenewalPlan {
    /// Renews when about a third of the certificate's life is left.
    pub(super) fn new(certificate: &Certificate, obtained_at_ms: i64) -> RenewalPlan {
        let (begins, ends) = (certificate.begins_at_s() * 1000, certificate.ends_at_s() * 1000);
        let life_ms = ends.saturating_sub(begins).max(0);
        let rest = Duration::from_millis(life_ms.unsigned_abs() / 3);
        let rest_ms = i64::try_from(entropy::jitter(rest, 0.1).as_millis()).unwrap_or(i64::MAX);
        let earliest_ms = obtained_at_ms.saturating_add(MIN_ORDER_INTERVAL_MS.min(life_ms / 2));
        RenewalPlan { renew_at_ms: ends.saturating_sub(rest_ms).max(earliest_ms) }
    }
}

/// Time of the next attempt.
pub(super) fn due_ms(plan: Option<&RenewalPlan>, attempt: Option<&Attempt>, now_ms: i64) -> i64 {
    let planned_ms = plan.map_or(now_ms, |plan| plan.renew_at_ms);
    match attempt {
        // A wait that is longer than any was noted by a clock that was wrong.
        Some(attempt) if attempt.next_at_ms - now_ms <= MAX_ASKED_WAIT_MS => {
            planned_ms.max(attempt.next_at_ms)
        }
        _ => planned_ms,
    }
}

impl Attempt {
    /// Attempt that failed just now, so many in a row. The authority may have asked for no other
    /// one before a time.
    pub(super) fn failed(
        failures: u32,
        now_ms: i64,
        not_before_ms: Option<i64>,
        error: OrderError,
    ) -> Attempt {
        let factor = 4_u32.saturating_pow(failures.saturating_sub(1));
        let wait = FIRST_RETRY_WAIT.saturating_mul(factor).min(MAX_RETRY_WAIT);
        let wait_ms = i64::try_from(entropy::jitter(wait, 0.2).as_millis()).unwrap_or(i64::MAX);
        let OrderError { kind, text } = error;
        // A limit is of hours at least, where the authority does not say of how many.
        let usual_ms = match (kind, not_before_ms) {
            (FailureKind::Limited, None) => now_ms + MIN_ORDER_INTERVAL_MS / 6,
            _ => 0,
        };
        let not_before_ms =
            not_before_ms.map_or(usual_ms, |asked| asked.min(now_ms + MAX_ASKED_WAIT_MS));
        let next_at_ms = (now_ms + wait_ms).max(not_before_ms);
        Attempt { failures, failed_at_ms: now_ms, next_at_ms, not_before_ms, kind, error: text }
    }

    /// The same attempt for a program that starts: the operator may have mended the cause.
    pub(super) fn after_restart(self, now_ms: i64) -> Attempt {
        let soon_ms = self.failed_at_ms.saturating_add(RESTART_WAIT_MS).max(self.not_before_ms);
        let is_known = self.failed_at_ms <= now_ms;
        let next_at_ms = if is_known { self.next_at_ms.min(soon_ms) } else { self.not_before_ms };
        Attempt { next_at_ms, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    const MINUTE_MS: i64 = 60_000;
    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
    const NOW_MS: i64 = 1_796_000_000_000;

    fn failed(failures: u32, not_before_ms: Option<i64>, kind: FailureKind) -> Attempt {
        let error = OrderError { kind, text: "x".into() };
        Attempt::failed(failures, NOW_MS, not_before_ms, error)
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left_but_never_twice_in_a_row() {
        let mut params = CertificateParams::new(["a.example.com".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 9, 2);
        params.not_after = date_time_ymd(2026, 12, 1);
        let key = KeyPair::generate().unwrap();
        let chain = params.self_signed(&key).unwrap().pem();
        let of_90_days =
            Certificate::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let end_ms = of_90_days.ends_at_s() * 1000;
        let plans = (0..50).map(|_| RenewalPlan::new(&of_90_days, end_ms - 90 * DAY_MS));
        let left: Vec<_> = plans.map(|plan| (end_ms - plan.renew_at_ms) / MINUTE_MS).collect();
        let days = |days: i64| days * 24 * 60;
        assert!(left.iter().all(|left| (days(27)..=days(33)).contains(left)), "{left:?}");
        assert!(left.iter().min() != left.iter().max(), "all in step: {left:?}");
        // A clock that is wrong, or an authority that gives what has ended, leads to no flood.
        let ended = RenewalPlan::new(&of_90_days, end_ms + DAY_MS);
        assert_eq!(due_ms(Some(&ended), None, NOW_MS), end_ms + DAY_MS + MIN_ORDER_INTERVAL_MS);
        assert_eq!(due_ms(None, None, NOW_MS), NOW_MS, "there is none");
    }

    #[test]
    fn failures_wait_for_longer_each_time_and_stay_within_the_limits_of_an_hour() {
        let mut at_ms = 0;
        let mut in_first_hour = 1;
        for failures in 1..=12 {
            let attempt = failed(failures, None, FailureKind::HostNotReached);
            let wait_ms = attempt.next_at_ms - NOW_MS;
            let shortest_ms = MINUTE_MS * 4_i64.pow(failures - 1).min(360) * 8 / 10;
            assert!(wait_ms >= shortest_ms && wait_ms <= 360 * MINUTE_MS * 12 / 10, "{wait_ms}");
            at_ms += wait_ms;
            in_first_hour += i64::from(at_ms < 60 * MINUTE_MS);
        }
        assert!((3..=5).contains(&in_first_hour), "{in_first_hour}");
        let unnamed = failed(1, None, FailureKind::Limited);
        assert_eq!(unnamed.next_at_ms, NOW_MS + 60 * MINUTE_MS);
        let named = failed(1, Some(NOW_MS + 3 * 60 * MINUTE_MS), FailureKind::Limited);
        assert_eq!(named.next_at_ms, NOW_MS + 180 * MINUTE_MS);
        let absurd = failed(1, Some(i64::MAX), FailureKind::Unreachable);
        assert_eq!(absurd.next_at_ms, NOW_MS + DAY_MS);
    }

    #[test]
    fn a_restart_tries_soon_unless_the_authority_has_said_when() {
        let next = |attempt: Attempt, now_ms| {
            due_ms(None, Some(&attempt.after_restart(now_ms)), now_ms) - NOW_MS
        };
        let often = || failed(9, None, FailureKind::HostNotReached);
        assert_eq!(next(often(), NOW_MS), 12 * MINUTE_MS);
        let limited = failed(9, Some(NOW_MS + 100 * MINUTE_MS), FailureKind::Limited);
        assert_eq!(next(limited, NOW_MS), 100 * MINUTE_MS);
        assert_eq!(next(often(), NOW_MS - 300 * DAY_MS), -300 * DAY_MS, "noted by a wrong clock");
    }
}
