//! Course of every benchmark: a run is measured together with what others take of the machine, is
//! refused where that is too much, and is kept as a [`record::RunRecord`].

pub mod record;

mod others;

use anyhow::{Context, ensure};
use clap::Args;
use others::OthersMeter;
use record::RunRecord;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Largest share of the processors that others may take during a run whose figures are times.
pub const MAX_OTHERS_SHARE: f64 = 0.05;

/// Time for which the machine is watched before a long run begins.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Options of every benchmark.
#[derive(Args, Debug, Clone)]
pub struct RunOptions {
    /// Small numbers, which show that the benchmark works and not how fast anything is.
    #[arg(long, alias = "quick")]
    pub short: bool,
    /// File to which the run is also written, as JSON. The document is made from such files.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Print the figures although others take a share of the processors; the record says so.
    #[arg(long)]
    noisy: bool,
}

/// Kind of the figures of a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Times and rates, which others on the machine change.
    Timed,
    /// Counts and bytes, which they do not change.
    Counted,
}

/// Figures of a run, before anybody sees them.
pub struct Report {
    text: String,
    figures: Value,
    faults: Vec<String>,
}

impl Report {
    /// Report with these figures, as text for people and as numbers for programs.
    pub fn new(text: String, figures: &impl Serialize) -> anyhow::Result<Report> {
        Ok(Report { text, figures: serde_json::to_value(figures)?, faults: Vec::new() })
    }

    /// Makes the run fail, after its figures are shown, unless `held`.
    pub fn hold(mut self, held: bool, fault: impl FnOnce() -> String) -> Report {
        if !held {
            self.faults.push(fault());
        }
        self
    }
}

/// Error of a run on a machine on which others took too much.
#[derive(Debug)]
pub struct NoisyMachine {
    share: f64,
    when: &'static str,
}

impl fmt::Display for NoisyMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "others took {:.0} % of the processors {}, and at most {:.0} % are allowed: the figures \
             would say little about the product. Stop what else runs here, or add --noisy to see \
             them anyway",
            self.share * 100.0,
            self.when,
            MAX_OTHERS_SHARE * 100.0
        )
    }
}

impl std::error::Error for NoisyMachine {}

/// Measures, prints the figures and keeps them, unless others took too much of the machine.
pub fn run(
    bench: &str,
    kind: Kind,
    options: &RunOptions,
    measure: impl FnOnce() -> anyhow::Result<Report>,
) -> anyhow::Result<()> {
    // A short run shows no figures that count.
    let strict = kind == Kind::Timed && !options.noisy && !options.short;
    if strict {
        let probe = OthersMeter::start()?;
        std::thread::sleep(PROBE_TIME);
        check_others(probe.share()?, "before the run")?;
    }
    let meter = OthersMeter::start()?;
    let report = measure()?;
    let others = meter.share()?;
    let faults = report.faults.join("\n");
    if strict && let Err(noisy) = check_others(others, "during the run") {
        // What went wrong counts on any machine.
        ensure!(faults.is_empty(), "{faults}\n{noisy}");
        return Err(noisy.into());
    }
    let noisy = kind == Kind::Timed && others > MAX_OTHERS_SHARE;
    let record = RunRecord::new(bench, kind, options.short, others, noisy, report.figures);
    println!("{record}\n{}", report.text);
    if let Some(file) = &options.json {
        let mut text = serde_json::to_vec_pretty(&record)?;
        text.push(b'\n');
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    ensure!(faults.is_empty(), "{faults}");
    Ok(())
}

fn check_others(share: f64, when: &'static str) -> Result<(), NoisyMachine> {
    if share > MAX_OTHERS_SHARE { Err(NoisyMachine { share, when }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_above_the_bound_is_refused_with_the_way_out() {
        assert!(check_others(MAX_OTHERS_SHARE, "then").is_ok());
        let refused = check_others(MAX_OTHERS_SHARE + 0.01, "during the run").unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("6 %") && text.contains("--noisy"), "{text}");
    }
}
