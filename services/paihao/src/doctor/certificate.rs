//! Check of the end of the gateway's own certificate.

use super::finding;
use super::findings::{self, FindingKind};
use super::report::Finding;
use crate::acme::store::{self, Attempt, FailureKind, Standing};
use crate::config::{CertificateSource, Https};
use jiff::Timestamp;

/// Time before its end in which a certificate should have been renewed.
const RENEWAL_S: i64 = 14 * 24 * 3600;

/// Findings about a certificate that has ended, ends soon, or cannot be got.
pub(super) fn check(https: Option<&Https>, now_ms: i64) -> Vec<Finding> {
    match https.map(|https| &https.source) {
        Some(CertificateSource::Files(certificate)) => {
            let ends_at_s = certificate.ends_at_s();
            let kind = kind(ends_at_s, now_ms / 1000);
            kind.map(|kind| finding("gateway", kind, time(ends_at_s))).into_iter().collect()
        }
        Some(CertificateSource::Acme(options)) => {
            of_authority(&store::standing(&options.folder, &options.host), now_ms)
        }
        None => Vec::new(),
    }
}

/// Findings about a certificate of an authority. Its renewal begins long before its end.
fn of_authority(standing: &Standing, now_ms: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    match standing.ends_at_s {
        None => found.push(Finding::new("gateway", findings::CERTIFICATE_MISSING)),
        Some(ends_at_s) if ends_at_s <= now_ms / 1000 => {
            found.push(finding("gateway", findings::ACME_CERTIFICATE_ENDED, time(ends_at_s)));
        }
        Some(ends_at_s) => {
            found.push(finding("gateway", findings::CERTIFICATE_OK, time(ends_at_s)));
        }
    }
    if let Some(Attempt { failures, failed_at_ms, next_at_ms, kind, error, .. }) = &standing.attempt
    {
        let kind = match kind {
            FailureKind::Unreachable => findings::ACME_UNREACHABLE,
            FailureKind::HostNotReached => findings::ACME_HOST_NOT_REACHED,
            FailureKind::Limited => findings::ACME_LIMITED,
            FailureKind::Refused => findings::ACME_REFUSED,
        };
        let [failed_at, next_at] = [failed_at_ms, next_at_ms].map(|ms| time(ms / 1000));
        let detail = format!("{failures}: {failed_at}; → {next_at}; {error}");
        found.push(finding("gateway", kind, detail));
    }
    found
}

fn time(at_s: i64) -> String {
    Timestamp::from_second(at_s).map(|at| at.to_string()).unwrap_or_default()
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

    #[test]
    fn a_failure_of_the_authority_is_told_beside_what_is_served() {
        const NOW_MS: i64 = 1_796_000_000_000;
        let attempt = |kind| Attempt {
            failures: 3,
            failed_at_ms: NOW_MS,
            next_at_ms: NOW_MS + 60_000,
            not_before_ms: 0,
            kind,
            error: "connection refused (connection)".into(),
        };
        let codes = |ends_in_s: Option<i64>, failed: Option<FailureKind>| -> Vec<&str> {
            let ends_at_s = ends_in_s.map(|left| NOW_MS / 1000 + left);
            let found = of_authority(&Standing { ends_at_s, attempt: failed.map(attempt) }, NOW_MS);
            assert!(found.iter().all(|found| !found.detail.contains("Attempt")));
            found.iter().map(|found| found.kind.code).collect()
        };
        assert_eq!(codes(Some(60), None), ["certificate_ok"]);
        assert_eq!(codes(None, None), ["certificate_missing"]);
        assert_eq!(codes(Some(0), None), ["acme_certificate_ended"]);
        for (kind, code) in [
            (FailureKind::Unreachable, "acme_unreachable"),
            (FailureKind::HostNotReached, "acme_host_not_reached"),
            (FailureKind::Limited, "acme_limited"),
            (FailureKind::Refused, "acme_refused"),
        ] {
            assert_eq!(codes(Some(60), Some(kind)), ["certificate_ok", code]);
        }
    }
}
