//! Runs a target over its corpus and over what becomes of that, and stops at the first thing that
//! must not be.

use crate::MEMORY;
use crate::mutate::{Rng, mutate};
use crate::targets::Target;
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Bytes that an input may make the codec hold at once: a few times its own, and some for every
/// answer. (A body is decoded to text, its fields are copied, and what was sealed once more.)
fn memory_cap(input: usize) -> usize {
    12 * input + (32 << 10)
}

/// What a run found.
#[derive(Debug)]
pub struct RunSummary {
    /// How many inputs were tried.
    pub executions: u64,
    /// The different answers that were met.
    pub distinct_outcomes: BTreeSet<String>,
    /// The most bytes that an input made the codec hold beyond what it held before.
    pub peak_bytes: usize,
}

/// The folder of a target's corpus.
pub fn corpus_folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// Tries every file of the corpus, and then broken ones until there were this many executions.
///
/// # Errors
/// An input made the codec panic, hold more than it may, or take what it must not take; the input
/// is written beside the corpus, to be kept there once this is repaired.
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
    let mut found = RunSummary { executions: 0, distinct_outcomes: BTreeSet::new(), peak_bytes: 0 };
    for input in pool.clone() {
        execute(target, &input, &mut found)?;
    }
    let mut dice = Rng::new(seed);
    let mut input = Vec::new();
    while found.executions < executions {
        input.clone_from(&pool[dice.below(pool.len())]);
        let other = dice.below(pool.len());
        mutate(&mut input, &pool[other], &mut dice);
        if execute(target, &input, &mut found)? {
            pool.push(input.clone());
        }
    }
    Ok(found)
}

/// Whether the answer is a new one.
fn execute(target: &Target, input: &[u8], found: &mut RunSummary) -> anyhow::Result<bool> {
    found.executions += 1;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let answer = catch_unwind(AssertUnwindSafe(|| (target.execute)(input)));
    let held = MEMORY.peak_usage().saturating_sub(before);
    found.peak_bytes = found.peak_bytes.max(held);
    let wrong = match answer {
        Err(_) => "it panics".to_owned(),
        Ok(Err(wrong)) => wrong,
        Ok(Ok(_)) if held > memory_cap(input.len()) => {
            format!("{} bytes make it hold {held}", input.len())
        }
        Ok(Ok(answer)) => {
            // Few enough to keep: answers are the codec's own words.
            return Ok(
                found.distinct_outcomes.len() < 10_000 && found.distinct_outcomes.insert(answer)
            );
        }
    };
    let name = format!("found-{}", hex::encode(&Sha256::digest(input)[..8]));
    let file = corpus_folder(target).join(name);
    std::fs::write(&file, input).with_context(|| format!("{wrong}, by {input:?}"))?;
    bail!("{}: {wrong}, by {}", target.name, file.display())
}
