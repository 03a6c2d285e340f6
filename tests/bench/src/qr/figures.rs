//! Figures of a run, as numbers for programs and as a table for people.

use crate::callback::figures::{Latency, RoundSpread};
use serde::Serialize;
use std::fmt::Write;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    pub nats_server: String,
    pub wechat_answers_in_ms: u64,
    /// Requested codes a second.
    pub per_second: f64,
    pub connections: usize,
    /// Size of the pool.
    pub pool: usize,
    pub ways: Vec<StrategyFigures>,
    /// Latencies of the other ways, divided by the pool's.
    pub ratios: Vec<Ratio>,
    /// Answers without a code.
    pub bad_answers: u64,
    /// Pictures that two browsers received.
    pub shown_twice: u64,
    pub first_bad: Option<String>,
}

/// Figures of one way to a code.
#[derive(Serialize)]
pub struct StrategyFigures {
    pub way: &'static str,
    /// Codes shown, over all rounds.
    pub codes: u64,
    /// Time from the due moment of a request to the whole picture.
    pub latency: Latency,
    /// Calls to WeChat, including those that filled the pool again.
    pub calls_per_code: f64,
    /// Calls to WeChat for which the browser waited.
    pub waited_for_per_code: f64,
    /// Share of the machine's processors that other processes used meanwhile, 0 to 1.
    #[serde(rename = "others")]
    pub other_cpu_share: f64,
}

/// Latency of another way divided by the pool's, round by round.
#[derive(Serialize)]
pub struct Ratio {
    pub to: &'static str,
    pub p50: RoundSpread,
    pub p99: RoundSpread,
}

impl Figures {
    /// Formats the whole report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to memory");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "From a browser's request to its code, {}", self.nats_server)?;
        writeln!(
            out,
            "{} codes a second over {} connections; WeChat answers in {} ms; {} codes ready",
            self.per_second, self.connections, self.wechat_answers_in_ms, self.pool
        )?;
        writeln!(
            out,
            "\n                latency ms                        calls to WeChat a code"
        )?;
        writeln!(
            out,
            "  way        codes      p50      p99    p99.9      max    in all  waited for   others"
        )?;
        for way in &self.ways {
            let Latency { p50_ms, p99_ms, p999_ms, max_ms } = way.latency;
            writeln!(
                out,
                "  {:<8}{:>8} {p50_ms:>8.2} {p99_ms:>8.2} {p999_ms:>8.2} {max_ms:>8.2} {:>9.2} {:>11.2} {:>6.0} %",
                way.way,
                way.codes,
                way.calls_per_code,
                way.waited_for_per_code,
                way.other_cpu_share * 100.0,
            )?;
        }
        writeln!(out, "\nAnother way's latency ÷ the pool's, per round: median (least..most)")?;
        for Ratio { to, p50, p99 } in &self.ratios {
            let text = |s: &RoundSpread| format!("{:.1} ({:.1}..{:.1})", s.median, s.least, s.most);
            writeln!(out, "  {to} ÷ pool: p50 {}, p99 {}", text(p50), text(p99))?;
        }
        let bad = self.bad_answers;
        let twice = self.shown_twice;
        writeln!(out, "\n{bad} answers without a code; {twice} codes shown to two browsers")
    }
}
