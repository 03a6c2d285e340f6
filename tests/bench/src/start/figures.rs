//! Figures of a run, as numbers for programs and as text for people.

use crate::callback::figures::RoundSpread;
use serde::Serialize;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    pub sites: usize,
    pub events: u64,
    pub entries: u64,
    pub bytes: u64,
    /// Entries behind the snapshots, of all sites.
    pub tail_entries: u64,
    pub snapshot_bytes: u64,
    /// From the start of a gateway process over an empty ledger until it is ready.
    pub empty_seconds: RoundSpread,
    /// The same over snapshots and the tail.
    pub ready_seconds: RoundSpread,
    /// The whole ledger, read and dropped; `None` if it was left out.
    pub drop_seconds: Option<RoundSpread>,
    /// The same, read and applied by an engine without snapshots.
    pub replay_seconds: Option<RoundSpread>,
    /// Speed of that, relative to dropping.
    pub ratio: Option<RoundSpread>,
}

impl Figures {
    /// Formats the report.
    pub fn text(&self) -> String {
        let Figures { sites, events, entries, bytes, tail_entries, snapshot_bytes, .. } = self;
        let spread = |spread: &RoundSpread| {
            let RoundSpread { median, least, most } = spread;
            format!("{median:.2} ({least:.2}..{most:.2})")
        };
        let mut text = format!(
            "{events} events of {sites} sites in {entries} entries, {} MB; {tail_entries} of them \
             behind {} MB of snapshots\n\
             a gateway process is ready after {} s, over an empty ledger after {} s\n",
            bytes / 1_000_000,
            snapshot_bytes / 1_000_000,
            spread(&self.ready_seconds),
            spread(&self.empty_seconds),
        );
        if let (Some(drop), Some(replay), Some(ratio)) =
            (&self.drop_seconds, &self.replay_seconds, &self.ratio)
        {
            text += &format!(
                "the whole ledger without snapshots: applied in {} s, dropped in {} s: {}\n",
                spread(replay),
                spread(drop),
                spread(ratio)
            );
        }
        text
    }
}
