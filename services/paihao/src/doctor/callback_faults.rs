//! Callbacks that the gateway of this machine did not act on lately.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use crate::config::ResolvedConfig;
use crate::plain_http;
use jiff::Timestamp;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};

/// Age in milliseconds up to which a fault is told: a day.
const MAX_AGE_MS: i64 = 24 * 3600 * 1000;

/// Faults of one cause at one account, as the gateway's admin port tells them.
#[derive(Debug, Deserialize)]
struct FaultSummary {
    account: String,
    code: String,
    count: u64,
    last_at: i64,
    advice: String,
    #[serde(default)]
    advice_en: String,
}

/// Asks the admin port. Without a gateway on this machine there is nothing to tell; that the
/// callback address does not answer is a finding of its own.
pub(super) async fn check(
    resolved: &ResolvedConfig,
    only: Option<&str>,
    context: &ProbeContext,
) -> Vec<Finding> {
    let mut admin: SocketAddr = resolved.admin_listen;
    if admin.ip().is_unspecified() {
        admin.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    let response = plain_http::get(admin, "/callback-faults").await.unwrap_or_default();
    let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let Ok(summaries) = serde_json::from_str::<Vec<FaultSummary>>(body) else { return Vec::new() };
    recent(&summaries, only, context.now_ms())
}

fn recent(summaries: &[FaultSummary], only: Option<&str>, now_ms: i64) -> Vec<Finding> {
    let is_told = |summary: &&FaultSummary| {
        now_ms - summary.last_at < MAX_AGE_MS && only.is_none_or(|only| only == summary.account)
    };
    let told = summaries.iter().filter(is_told).map(|summary| {
        let FaultSummary { account, code, count, last_at, advice, advice_en } = summary;
        let last = Timestamp::from_millisecond(*last_at).map(|last| last.to_string());
        let last = last.unwrap_or_default();
        let detail = format!("{code}: {count}, {last}; {advice}  {advice_en}");
        finding(account, findings::CALLBACKS_REFUSED, detail.trim_end())
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_last_day_are_told_with_their_cause_and_advice() {
        let summary = |account: &str, last_at| FaultSummary {
            account: account.to_owned(),
            code: "wrong_signature".to_owned(),
            count: 3,
            last_at,
            advice: "检查 Token".to_owned(),
            advice_en: "look at the Token".to_owned(),
        };
        let now = 1_795_384_474_000;
        let summaries = [summary("shop", now - 1000), summary("old", now - MAX_AGE_MS)];
        let findings = recent(&summaries, None, now);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!(finding.subject, "shop");
        for part in ["wrong_signature: 3", "2026-11-2", "检查 Token", "look at the Token"] {
            assert!(finding.detail.contains(part), "{}", finding.detail);
        }
        assert!(recent(&summaries, Some("other"), now).is_empty());
    }
}
