//! Check of the end of the gateway's own certificate.

use super::finding;
use super::findings::{self, FindingKind};
use super::report::Finding;
use crate::config::Https;
use jiff::Timestamp;

/// Time before its end in which a certificate should have been renewed.
const RENEWAL_S: i64 = 14 * 24 * 3600;

/// Finding about a certificate that has ended, or ends soon.
pub(super) fn check(https: Option<&Https>, now_ms: i64) -> Option<Finding> {
    let ends_at_s = https?.certificate.ends_at_s();
    let kind = kind(ends_at_s, now_ms / 1000)?;
    let end = Timestamp::from_second(ends_at_s).map(|end| end.to_string()).unwrap_or_default();
    Some(finding("gateway", kind, end))
}

fn kind(ends_at_s: i64, now_s: i64) -> Option<&'static FindingKind> {
    if ends_at_s <= now_s {
        Some(findings::CERTIFICATE_ENDED)
    } else if ends_at_s - now_s <= RENEWAL_S {
        Some(findings::CERTIFICATE_ENDING)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_two_weeks_before_its_end_and_from_it_on() {
        let code = |ends_at_s| kind(ends_at_s, 1_000_000_000).map(|kind| kind.code);
        assert_eq!(code(1_000_000_000 + RENEWAL_S + 1), None);
        assert_eq!(code(1_000_000_000 + RENEWAL_S), Some("certificate_ending"));
        assert_eq!(code(1_000_000_001), Some("certificate_ending"));
        assert_eq!(code(1_000_000_000), Some("certificate_ended"));
    }
}
