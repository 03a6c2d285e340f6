//! What was seen, as a table.

use super::callers::CallResults;
use super::stage::WeChatUsage;
use serde::Serialize;
use std::fmt::Write;

/// One scene in one way.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioResult {
    pub scene: &'static str,
    pub way: &'static str,
    /// Times that WeChat was asked for a token.
    pub fetches: u64,
    /// Different tokens that it gave.
    pub issued: u64,
    /// Calls that callers made.
    pub calls: u64,
    /// Calls that reached WeChat, repetitions included.
    pub calls_at_wechat: u64,
    /// Calls that WeChat refused to the end.
    pub failed: u64,
    /// Calls that were not made for want of a token.
    pub without: u64,
    pub slowest_ms: u64,
    /// Whether the alarm was raised, where it has to be.
    pub alarm: Option<bool>,
    /// Whether the product's figure is held; nobody promised one for the others.
    pub held: Option<bool>,
    /// Why the first call that was not good was not.
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
