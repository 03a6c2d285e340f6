//! Report of a run of faults: rounds, operations, violations and time without service by kind.

use super::faults::FaultKind;
use crate::linearizability::history::{MicrosSinceStart, Operation};
use std::collections::BTreeMap;
use std::time::Duration;

/// Result of one round.
pub struct RoundResult {
    pub kind: FaultKind,
    /// Site of its clients.
    pub site: String,
    /// Requests with a response.
    pub operations: usize,
    /// Requests that were sent more than once.
    pub retried: usize,
    pub violations: Vec<String>,
    /// Longest time in which no request was answered, from the fault on.
    pub without_service: Duration,
}

/// Longest time between two answers from `since` to `until`.
pub fn longest_silence(
    history: &[Operation],
    since: MicrosSinceStart,
    until: MicrosSinceStart,
) -> Duration {
    let answers = history.iter().filter_map(|op| op.answered.as_ref().map(|(at, _)| *at));
    let mut answers: Vec<_> = answers.filter(|at| (since..=until).contains(at)).collect();
    answers.extend([since, until]);
    answers.sort_unstable();
    let longest = answers.windows(2).map(|pair| pair[1] - pair[0]).max();
    Duration::from_micros(longest.unwrap_or(0))
}

/// Table of all rounds by kind of fault.
pub fn table(rounds: &[RoundResult]) -> String {
    let mut by_kind: BTreeMap<FaultKind, Vec<&RoundResult>> = BTreeMap::new();
    for round in rounds {
        by_kind.entry(round.kind).or_default().push(round);
    }
    let mut text = "| fault | rounds | operations | sent again | violations | without service: \
                    median | worst |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let mut add = |name: &str, rounds: &[&RoundResult]| {
        let sum = |count: fn(&RoundResult) -> usize| rounds.iter().map(|r| count(r)).sum::<usize>();
        let mut silences: Vec<_> = rounds.iter().map(|round| round.without_service).collect();
        silences.sort_unstable();
        let seconds = |silence: Option<&Duration>| silence.map_or(0.0, Duration::as_secs_f64);
        text += &format!(
            "| {name} | {} | {} | {} | {} | {:.1} s | {:.1} s |\n",
            rounds.len(),
            sum(|round| round.operations),
            sum(|round| round.retried),
            sum(|round| round.violations.len()),
            seconds(silences.get(silences.len() / 2)),
            seconds(silences.last()),
        );
    };
    for (kind, rounds) in &by_kind {
        add(kind.name(), rounds);
    }
    add("all", &rounds.iter().collect::<Vec<_>>());
    text
}
