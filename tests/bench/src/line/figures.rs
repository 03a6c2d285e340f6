//! Figures of a run, as numbers for programs and as a table for people.

use crate::callback::figures::RoundSpread;
use serde::Serialize;
use std::fmt::Write;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    pub pure: Vec<DomainFigures>,
    pub stored: Vec<LedgerFigures>,
    pub hot: Vec<HotSiteFigures>,
    pub replay: Vec<ReplayFigures>,
    pub snapshots: Vec<SnapshotFigures>,
}

/// Figures of the domain alone, for one length of the line.
#[derive(Serialize)]
pub struct DomainFigures {
    pub waiting: u64,
    pub decision_us: RoundSpread,
    /// Time per decision, divided by that of the shortest line, round by round.
    pub to_first: RoundSpread,
    /// Time to find the due timers, in microseconds.
    pub look_us: RoundSpread,
    /// Time to quote one wait at the end of the line, in microseconds.
    pub quote_us: RoundSpread,
    /// Resident memory per waiting ticket.
    pub bytes_per_ticket: f64,
}

/// Figures of an engine on a ledger, for one length of the line.
#[derive(Serialize)]
pub struct LedgerFigures {
    pub shape: &'static str,
    pub waiting: u64,
    pub per_second: RoundSpread,
    pub decision_us: RoundSpread,
    /// Time per decision, divided by that of the shortest line, round by round.
    pub to_first: RoundSpread,
}

/// Comparison of one hot site with many sites.
#[derive(Serialize)]
pub struct HotSiteFigures {
    pub shape: &'static str,
    pub sites: usize,
    pub clients: u64,
    pub one_per_second: RoundSpread,
    pub many_per_second: RoundSpread,
    pub ratio: RoundSpread,
}

/// Figures of a replica that reads the ledger from its beginning.
#[derive(Serialize)]
pub struct ReplayFigures {
    pub shape: &'static str,
    pub events: u64,
    pub entries: u64,
    pub bytes: u64,
    pub drop_seconds: RoundSpread,
    pub replay_seconds: RoundSpread,
    /// Time of a start with the snapshots of the sites.
    pub restore_seconds: RoundSpread,
    /// Speed, relative to reading the ledger and dropping the entries.
    pub ratio: RoundSpread,
}

/// Figures of the snapshots of one site.
#[derive(Serialize)]
pub struct SnapshotFigures {
    pub shape: &'static str,
    pub waiting: u64,
    /// Size of the newest snapshot in bytes.
    pub bytes: u64,
    /// Entries appended while it was measured, and snapshots written beside them.
    pub entries: u64,
    pub snapshots: u64,
    /// Processor time of an entry without snapshots, in microseconds, and what they add to it.
    pub entry_us: RoundSpread,
    pub added_us: RoundSpread,
}

impl Figures {
    /// Formats the whole report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to memory");
        text
    }

    /// Memory of one more ticket in a long line, without the fixed part of a site: the difference
    /// between the two longest lines.
    pub fn bytes_per_waiting(&self) -> Option<f64> {
        let [.., shorter, longer] = &self.pure[..] else { return None };
        let bytes = |one: &DomainFigures| one.bytes_per_ticket * one.waiting as f64;
        let more = longer.waiting.checked_sub(shorter.waiting).filter(|more| *more > 0)?;
        Some((bytes(longer) - bytes(shorter)) / more as f64)
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "The domain alone, by how many wait: median (least..most)")?;
        for one in &self.pure {
            writeln!(
                out,
                "  {:>7}  {} µs a decision, {} × the first; {} µs a look, {} µs a quote; {:.0} bytes a ticket",
                one.waiting,
                spread_text(&one.decision_us),
                spread_text(&one.to_first),
                spread_text(&one.look_us),
                spread_text(&one.quote_us),
                one.bytes_per_ticket
            )?;
        }
        if let Some(bytes) = self.bytes_per_waiting() {
            writeln!(out, "  each one more who waits: {bytes:.0} bytes")?;
        }
        writeln!(out, "\nThrough the ledger")?;
        for one in &self.stored {
            writeln!(
                out,
                "  {:<9} {:>7}  {:.0} decisions a second, {} µs each, {} × the first",
                one.shape,
                one.waiting,
                one.per_second.median,
                spread_text(&one.decision_us),
                spread_text(&one.to_first),
            )?;
        }
        writeln!(out, "\nOne hot site ÷ many sites, numbers taken a second")?;
        for one in &self.hot {
            writeln!(
                out,
                "  {:<9} {:.0} ÷ {:.0} (at {} sites, {} clients): {}",
                one.shape,
                one.one_per_second.median,
                one.many_per_second.median,
                one.sites,
                one.clients,
                spread_text(&one.ratio)
            )?;
        }
        writeln!(out, "\nReplay at start, beside reading the same and dropping it")?;
        for one in &self.replay {
            let ReplayFigures { shape, events, entries, bytes, .. } = one;
            writeln!(
                out,
                "  {shape:<9} {events} events in {entries} entries of {bytes} bytes: {} s, from snapshots {} s, dropped in {} s: {}",
                spread_text(&one.replay_seconds),
                spread_text(&one.restore_seconds),
                spread_text(&one.drop_seconds),
                spread_text(&one.ratio)
            )?;
        }
        writeln!(out, "\nSnapshots, by how many wait, and what they add to the cost of an entry")?;
        for one in &self.snapshots {
            let SnapshotFigures { shape, waiting, bytes, entries, snapshots, .. } = one;
            writeln!(
                out,
                "  {shape:<9} {waiting:>7}  {bytes} bytes, {snapshots} in {entries} entries: {} µs more than {} µs",
                spread_text(&one.added_us),
                spread_text(&one.entry_us),
            )?;
        }
        Ok(())
    }
}

fn spread_text(spread: &RoundSpread) -> String {
    format!("{:.2} ({:.2}..{:.2})", spread.median, spread.least, spread.most)
}
