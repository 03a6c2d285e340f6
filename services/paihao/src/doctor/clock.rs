//! Whether this machine's clock is the others'.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use jiff::fmt::rfc2822;

const SKEW_WARNING_MS: i64 = 5_000;
const SKEW_BAD_MS: i64 = 60_000;

/// Against the `Date` of WeChat's answers, which has whole seconds.
pub(super) async fn wechat(ward: &ProbeContext) -> Vec<Finding> {
    let asked = ward.now_ms();
    let date = match ward.client.server_date().await {
        Ok(date) => date,
        Err(error) => return vec![finding("wechat", findings::CLOCK_UNKNOWN, error.to_string())],
    };
    let answered = ward.now_ms();
    let theirs = date.and_then(|date| rfc2822::parse(&date).ok());
    vec![match theirs {
        Some(theirs) => {
            compare("wechat", theirs.timestamp().as_millisecond() + 500, asked, answered)
        }
        None => Finding::new("wechat", findings::CLOCK_UNKNOWN),
    }]
}

/// Holds their time against ours, which went from one to the other while they were asked.
pub(super) fn compare(about: &str, theirs: i64, asked: i64, answered: i64) -> Finding {
    let ahead = asked + (answered - asked) / 2 - theirs;
    let off = ahead.abs().saturating_sub((answered - asked) / 2);
    let kind = match off {
        SKEW_BAD_MS.. => findings::CLOCK_WRONG,
        SKEW_WARNING_MS.. => findings::CLOCK_OFF,
        _ => findings::CLOCK_OK,
    };
    finding(about, kind, format!("{:+.1} s", ahead as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_not_a_wrong_clock() {
        let kind = |theirs, asked, answered| compare("x", theirs, asked, answered).kind;
        assert_eq!(kind(100_000, 99_000, 101_000), findings::CLOCK_OK);
        assert_eq!(kind(100_000, 100_000, 110_000), findings::CLOCK_OK);
        assert_eq!(kind(100_000, 106_000, 106_000), findings::CLOCK_OFF);
        assert_eq!(kind(170_000, 106_000, 106_100), findings::CLOCK_WRONG);
    }
}
