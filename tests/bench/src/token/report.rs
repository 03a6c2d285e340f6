//! Table of the results.

use super::callers::CallResults;
use super::deployment::WeChatUsage;
use serde::Serialize;
use std::fmt::Write;

/// Result of one scenario in one way.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioResult {
    pub scene: &'static str,
    pub way: &'static str,
    /// Requests to WeChat for a token.
    pub fetches: u64,
    /// Different tokens issued.
    pub issued: u64,
    /// Calls that callers made.
    pub calls: u64,
    /// Calls that reached WeChat, repetitions included.
    pub calls_at_wechat: u64,
    /// Calls that WeChat refused, as it did their repetition if there was one.
    pub failed: u64,
    /// Calls that were not made for want of a token.
    pub without: u64,
    pub slowest_ms: u64,
    /// True if the alarm was raised; `None` if the scenario has none.
    pub alarm: Option<bool>,
    /// True if the product kept its bound; `None` for the other ways, which have none.
    pub held: Option<bool>,
    /// Reason of the first call that did not succeed.
    pub first: Option<String>,
}

impl ScenarioResult {
    pub fn new(
        scene: &'static str,
        way: &'static str,
        asked: WeChatUsage,
        tally: CallResults,
        alarm: Option<bool>,
        held: Option<bool>,
    ) -> ScenarioResult {
        ScenarioResult {
            scene,
            way,
            fetches: asked.fetches,
            issued: asked.issued,
            calls: tally.calls,
            calls_at_wechat: asked.calls,
            failed: tally.failed,
            without: tally.without,
            slowest_ms: tally.slowest_ms,
            alarm,
            held,
            first: tally.first,
        }
    }
}

pub fn text(rows: &[ScenarioResult]) -> String {
    let mut text = String::from(
        "| what happens | way | fetches | tokens issued | calls | failed | without a token | slowest | figure |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let figure = match row.held {
            Some(true) if row.alarm == Some(true) => "held, alarm raised",
            Some(true) => "held",
            Some(false) => "MISSED",
            None => "",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} ms | {figure} |",
            row.scene,
            row.way,
            row.fetches,
            row.issued,
            row.calls,
            row.failed,
            row.without,
            row.slowest_ms,
        );
    }
    for row in rows.iter().filter(|row| row.held == Some(false)) {
        let first = row.first.as_deref().unwrap_or("too many fetches, or no alarm");
        let _ = writeln!(text, "\n{}: {first}", row.scene);
    }
    text
}
