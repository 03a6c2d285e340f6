//! `bench document`: the tables of results in the document are made from the records of runs.
//!
//! [`blocks`] finds the places in the document, [`tables`] says which figures of a benchmark stand
//! in which columns, and [`table`] formats them.

mod blocks;
mod table;
mod tables;

use crate::run::record::RunRecord;
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The document and the records, of this repository unless named.
#[derive(Args, Debug)]
pub struct Options {
    /// Document with places for tables.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/bench.md"))]
    document: PathBuf,
    /// Folder of the records, each named after its place in the document.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/bench"))]
    records: PathBuf,
    /// Change nothing, and fail if the document does not show what the records hold.
    #[arg(long)]
    check: bool,
}

/// Writes the tables of the document anew, or checks them.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let document = &options.document;
    let text = std::fs::read_to_string(document)
        .with_context(|| format!("cannot read {}", document.display()))?;
    let records = read_records(&options.records)?;
    let made = blocks::fill(&text, |name| records.get(name).map(tables::of_run).transpose())?;
    let places = blocks::names(&text)?;
    if let Some(lost) = records.keys().find(|name| !places.contains(&name.as_str())) {
        bail!(
            "{lost}.json has no place in the document: add `<!-- figures: {lost} -->` with its end"
        );
    }
    let loose = blocks::loose_tables(&text);
    ensure!(
        loose.is_empty(),
        "tables outside of a place for figures, in lines {loose:?}: tables are made from runs, and \
         what else is listed is a list"
    );
    if options.check {
        ensure!(
            made == text,
            "{} differs from the records in {}: cargo run -p bench -- document",
            document.display(),
            options.records.display()
        );
    } else if made != text {
        std::fs::write(document, made)?;
    }
    Ok(())
}

/// Reads the records of a folder by their names.
fn read_records(folder: &Path) -> anyhow::Result<BTreeMap<String, RunRecord>> {
    let mut records = BTreeMap::new();
    // A folder without a record is no folder of a repository.
    if !folder.exists() {
        return Ok(records);
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("no folder {folder:?}"))? {
        let file = entry?.path();
        ensure!(file.extension().is_some_and(|end| end == "json"), "{file:?} is no record");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let record = std::fs::read(&file)?;
        let record: RunRecord = serde_json::from_slice(&record)
            .with_context(|| format!("{} is no record of a run", file.display()))?;
        if let Some(reason) = record.reason_to_leave_out() {
            bail!("{} may not stand in the document: {reason}", file.display());
        }
        records.insert(name, record);
    }
    Ok(records)
}
