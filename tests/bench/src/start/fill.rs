//! The history of one site, written for every site: entries, snapshots and their floor.

use super::template::SiteHistory;
use crate::line::sites::bench_facts;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, StreamExt, TryStreamExt};
use paihao_contracts::commit::{Commit, SiteFacts};
use paihao_contracts::snapshot::{Snapshot, SnapshotFloor};
use paihao_contracts::streams::{LEDGER, SNAPSHOT_FLOOR, SNAPSHOTS};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Position, Subject};
use std::io::Write;

/// Sites that are written at once.
const CONCURRENT_SITES: usize = 512;

/// Counts of what was written.
#[derive(Default)]
pub struct Filled {
    pub entries: u64,
    pub bytes: u64,
    pub tail_entries: u64,
    pub snapshot_bytes: u64,
    /// Positions of the sites' newest entries.
    pub newest: Vec<Position>,
}

/// Writes the history for this number of sites.
pub async fn fill(
    ledger: &dyn Ledger,
    history: &SiteHistory,
    sites: usize,
) -> anyhow::Result<Filled> {
    let mut filled = Filled::default();
    let covered = append_all(ledger, &history.covered, sites, &mut filled).await?;
    for (i, position) in covered.iter().enumerate() {
        let (subject, facts) = (subject(i)?, bench_facts(i));
        let snapshot = Snapshot { position: position.0, site: facts, ..history.snapshot.clone() };
        let entry = compressed(&snapshot)?;
        filled.snapshot_bytes += entry.payload.len() as u64;
        ledger.append(&SNAPSHOTS, &subject, ExpectedPosition::Empty, entry).await?;
    }
    let floor = SnapshotFloor::new(ledger.head(&LEDGER).await?.0);
    let floor = Entry::new(serde_json::to_vec(&floor)?);
    let subject = Subject::new(&[SNAPSHOT_FLOOR])?;
    ledger.append(&SNAPSHOTS, &subject, ExpectedPosition::Empty, floor).await?;
    let covered_entries = filled.entries;
    filled.newest = append_all(ledger, &history.tail, sites, &mut filled).await?;
    filled.tail_entries = filled.entries - covered_entries;
    Ok(filled)
}

/// Appends these commits for each site, and returns the sites' newest positions.
async fn append_all(
    ledger: &dyn Ledger,
    commits: &[Commit],
    sites: usize,
    filled: &mut Filled,
) -> anyhow::Result<Vec<Position>> {
    let append = async |i: usize| {
        let (subject, facts) = (subject(i)?, bench_facts(i));
        let (mut newest, mut bytes) = (Position::START, 0);
        for commit in commits {
            let entry = of_site(commit, &facts)?;
            bytes += entry.payload.len() as u64;
            newest = ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await?;
        }
        anyhow::Ok((newest, bytes))
    };
    let appended = stream::iter(0..sites).map(append).buffered(CONCURRENT_SITES);
    let appended: Vec<_> = appended.try_collect().await?;
    filled.entries += (commits.len() * sites) as u64;
    filled.bytes += appended.iter().map(|(_, bytes)| bytes).sum::<u64>();
    Ok(appended.into_iter().map(|(newest, _)| newest).collect())
}

fn subject(i: usize) -> anyhow::Result<Subject> {
    let SiteFacts { account, id, .. } = bench_facts(i);
    Ok(Subject::new(&[&account, &id])?)
}

fn of_site(commit: &Commit, facts: &SiteFacts) -> anyhow::Result<Entry> {
    let commit = Commit { site: facts.clone(), ..commit.clone() };
    Ok(Entry::new(serde_json::to_vec(&commit)?))
}

/// Entry of a snapshot, as a gateway stores it.
fn compressed(snapshot: &Snapshot) -> anyhow::Result<Entry> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(snapshot)?)?;
    Ok(Entry::new(encoder.finish()?))
}
