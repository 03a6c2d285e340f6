//! Figures of what is written, for each scan, call or message.

use super::deployment::Shape;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    pub steps: Vec<StepFigures>,
}

/// What one act writes.
#[derive(Serialize)]
pub struct StepFigures {
    pub shape: Shape,
    pub step: &'static str,
    /// Number of the acts.
    pub times: u32,
    /// Messages to WeChat.
    pub messages: f64,
    /// Syncs of files, at all servers.
    pub syncs: f64,
    pub redis_writes: f64,
    pub redis_reads: f64,
    /// By stream, and by consumer of a stream.
    pub parts: BTreeMap<String, PartFigures>,
}

/// What one act writes to a stream, a consumer or a file.
#[derive(Serialize, Default)]
pub struct PartFigures {
    /// Entries and messages.
    pub stored: f64,
    /// Their bytes, where they stay.
    pub bytes: f64,
    /// Deliveries, each of which is acknowledged.
    pub delivered: f64,
    /// Syncs of files, at all servers.
    pub syncs: f64,
}

impl StepFigures {
    /// Entries and messages of all streams.
    pub fn stored(&self) -> f64 {
        self.parts.values().map(|part| part.stored).sum()
    }

    /// Deliveries of all consumers.
    pub fn delivered(&self) -> f64 {
        self.parts.values().map(|part| part.delivered).sum()
    }
}

impl Figures {
    /// Formats the whole report.
    pub fn text(&self) -> String {
        let mut text = String::from("Written for each: stored, bytes, deliveries, syncs\n");
        for step in &self.steps {
            let StepFigures { shape, step: name, times, messages, syncs, .. } = step;
            let StepFigures { redis_writes, redis_reads, parts, .. } = step;
            let (stored, delivered) = (step.stored(), step.delivered());
            writeln!(
                text,
                "\n{shape}, {name} (of {times}): {messages:.2} messages, {stored:.2} stored, {delivered:.2} deliveries, \
                 {syncs:.2} syncs, Redis {redis_writes:.2} writes and {redis_reads:.2} reads"
            )
            .expect("writing to memory");
            for (part, PartFigures { stored, bytes, delivered, syncs }) in parts {
                writeln!(
                    text,
                    "  {part:<34} {stored:>6.2} {bytes:>7.0} {delivered:>6.2} {syncs:>7.2}"
                )
                .expect("writing to memory");
            }
        }
        text
    }
}
