//! Figures of a run, as numbers for programs and as a table for people.

use crate::callback::figures::{Latency, ValidityChecks};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    /// Callbacks that became due each second.
    pub per_second: f64,
    pub turns: Vec<TurnFigures>,
    pub siege: SiegeFigures,
    #[serde(rename = "truth")]
    pub validity: ValidityChecks,
    /// First reply without a number.
    pub first_bad: Option<String>,
}

/// Figures of the callbacks of one turn.
#[derive(Serialize)]
pub struct TurnFigures {
    pub turn: &'static str,
    pub callbacks: u64,
    /// Time from the due moment of a callback to the whole answer.
    pub latency: Latency,
    /// Resident memory of the gateway at the beginning of the turn.
    pub memory_mib: f64,
}

/// Figures of the siege.
#[derive(Serialize)]
pub struct SiegeFigures {
    pub idle: usize,
    pub streams: usize,
    pub slow_bodies: usize,
    pub flood_per_second: u32,
    pub addresses: usize,
    /// Connections that were open when the turn began.
    pub open: usize,
    /// Connections that the gateway closed, and that were opened again.
    pub closed: usize,
    /// Answers to the flood with a code, and for its limits.
    pub codes_given: usize,
    pub codes_refused: usize,
    /// Answers to the flood, by status; 0 is none.
    pub answers: BTreeMap<u16, usize>,
    /// Calls to WeChat during the siege.
    pub calls_to_wechat: u64,
}

impl Figures {
    /// Formats the report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let SiegeFigures { idle, streams, slow_bodies, flood_per_second, addresses, .. } =
            &self.siege;
        let mut line = |line: String| writeln!(text, "{line}").expect("writing to memory");
        line(format!(
            "{idle} idle sockets, {streams} streams, {slow_bodies} slow bodies, {flood_per_second} \
             codes a second, from {addresses} addresses"
        ));
        line(format!("{:.0} callbacks a second\n", self.per_second));
        line(format!(
            "{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "callbacks", "answered", "p50 ms", "p99 ms", "p99.9 ms", "most ms", "MiB"
        ));
        for TurnFigures { turn, callbacks, latency, memory_mib } in &self.turns {
            line(format!(
                "{turn:<12} {callbacks:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {memory_mib:>9.1}",
                latency.p50_ms, latency.p99_ms, latency.p999_ms, latency.max_ms
            ));
        }
        let SiegeFigures { open, closed, answers, calls_to_wechat, .. } = &self.siege;
        let answers: Vec<_> = answers
            .iter()
            .map(|(status, count)| match status {
                0 => format!("{count} × none"),
                status => format!("{count} × {status}"),
            })
            .collect();
        line(format!("\nopen at its begin: {open}; closed by the gateway: {closed}"));
        line(format!("answers to the flood: {}", answers.join(", ")));
        line(format!("calls to WeChat meanwhile: {calls_to_wechat}"));
        line(format!(
            "callbacks without a number: {}; sites with a gap or a repeat: {}",
            self.validity.bad_replies, self.validity.sites_out_of_order
        ));
        text
    }
}
