//! Comparison of this machine's clock with those of WeChat and the stores.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use jiff::fmt::rfc2822;

/// Difference from which a clock is reported before it is too far off.
const SKEW_WARNING_MS: i64 = 1_000;

/// Compares with the `Date` header of WeChat's responses. It has whole seconds, so half a second is
/// added.
pub(super) async fn wechat(context: &ProbeContext) -> Vec<Finding> {
    let sent = context.now_ms();
    let date = match context.client.server_date().await {
        Ok(date) => date,
        Err(error) => return vec![finding("wechat", findings::CLOCK_UNKNOWN, error.to_string())],
    };
    let received = context.now_ms();
    let remote = date.and_then(|date| rfc2822::parse(&date).ok());
    vec![match remote {
        Some(remote) => {
            let remote_ms = remote.timestamp().as_millisecond() + 500;
            context.compare_clock("wechat", remote_ms, sent, received)
        }
        None => Finding::new("wechat", findings::CLOCK_UNKNOWN),
    }]
}

/// Compares a remote time with the local times before and after the request, all in milliseconds.
/// The offset counts beyond half the round trip.
pub(super) fn compare(
    subject: &str,
    remote: i64,
    (sent, received): (i64, i64),
    max_skew_ms: i64,
) -> Finding {
    let ahead = sent + (received - sent) / 2 - remote;
    let skew = ahead.abs().saturating_sub((received - sent) / 2);
    let kind = match skew {
        skew if skew > max_skew_ms => findings::CLOCK_WRONG,
        SKEW_WARNING_MS.. => findings::CLOCK_OFF,
        _ => findings::CLOCK_OK,
    };
    finding(subject, kind, format!("{:+.1} s", ahead as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_response_is_not_a_wrong_clock() {
        let kind = |remote, sent, received| compare("x", remote, (sent, received), 10_000).kind;
        assert_eq!(kind(100_000, 99_000, 101_000), findings::CLOCK_OK);
        assert_eq!(kind(100_000, 100_000, 110_000), findings::CLOCK_OK);
        assert_eq!(kind(100_000, 106_000, 106_000), findings::CLOCK_OFF);
        assert_eq!(kind(100_000, 110_000, 110_000), findings::CLOCK_OFF);
        assert_eq!(kind(100_000, 110_001, 110_001), findings::CLOCK_WRONG);
        assert_eq!(kind(100_000, 89_000, 89_000), findings::CLOCK_WRONG);
        assert_eq!(kind(170_000, 106_000, 106_100), findings::CLOCK_WRONG);
    }
}
