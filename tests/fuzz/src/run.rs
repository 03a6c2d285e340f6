//! Run of a target over its corpus and over mutations of it, up to the first violation.

use crate::MEMORY;
use crate::mutate::{Rng, mutate};
use crate::targets::Target;
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Limit of the bytes that the codec may hold for an input: a few times its length for the decoded
/// body, the copies of its fields and the decrypted text, and a fixed part for every answer.
fn memory_cap(input: usize) -> usize {
    12 * input + (32 << 10)
}

/// Result of a run.
#[derive(Debug)]
pub struct RunSummary {
    /// Number of inputs.
    pub executions: u64,
    /// Different answers.
    pub distinct_outcomes: BTreeSet<String>,
    /// Most bytes that the codec held for one input, beyond those held before.
    pub peak_bytes: usize,
}

/// Returns the folder of a target's corpus.
pub fn corpus_folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// Runs every file of the corpus, and then mutated inputs up to this number of executions.
///
/// # Errors
/// The codec panicked, exceeded its memory limit or accepted an input that it must refuse. The
/// input is written beside the corpus, to be added to it once the fault is corrected.
pub fn run(target: &Target, executions: u64, seed: u64) -> anyhow::Result<RunSummary> {
    let folder = corpus_folder(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("there is no corpus {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut pool = files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    if pool.is_empty() {
        bail!("the corpus {} is empty", folder.display());
    }
    let mut summary =
        RunSummary { executions: 0, distinct_outcomes: BTreeSet::new(), peak_bytes: 0 };
    for input in pool.clone() {
        execute(target, &input, &mut summary)?;
    }
    let mut dice = Rng::new(seed);
    let mut input = Vec::new();
    while summary.executions < executions {
        input.clone_from(&pool[dice.below(pool.len())]);
        let other = dice.below(pool.len());
        mutate(&mut input, &pool[other], &mut dice);
        if execute(target, &input, &mut summary)? {
            pool.push(input.clone());
        }
    }
    Ok(summary)
}

/// Runs one input; true if its answer is new.
fn execute(target: &Target, input: &[u8], summary: &mut RunSummary) -> anyhow::Result<bool> {
    summary.executions += 1;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let answer = catch_unwind(AssertUnwindSafe(|| (target.execute)(input)));
    let allocated = MEMORY.peak_usage().saturating_sub(before);
    summary.peak_bytes = summary.peak_bytes.max(allocated);
    let failure = match answer {
        Err(_) => "it panics".to_owned(),
        Ok(Err(failure)) => failure,
        Ok(Ok(_)) if allocated > memory_cap(input.len()) => {
            format!("{} bytes make it hold {allocated}", input.len())
        }
        Ok(Ok(answer)) => {
            // Answers are texts of the codec, so there are few enough to keep.
            return Ok(summary.distinct_outcomes.len() < 10_000
                && summary.distinct_outcomes.insert(answer));
        }
    };
    let name = format!("found-{}", hex::encode(&Sha256::digest(input)[..8]));
    let file = corpus_folder(target).join(name);
    std::fs::write(&file, input).with_context(|| format!("{failure}, by {input:?}"))?;
    bail!("{}: {failure}, by {}", target.name, file.display())
}
