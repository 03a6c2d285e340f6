//! What a run found: plain numbers for programs, and a table for people.

use crate::callback::figures::Spread;
use serde::Serialize;
use std::fmt::Write;

/// Everything.
#[derive(Serialize)]
pub struct Figures {
    /// The build that was measured: `release`, or `debug`, whose figures mean nothing.
    pub build: &'static str,
    pub processors: usize,
    /// Share of the machine's processors that others used meanwhile, 0 to 1.
    pub others: f64,
    pub pure: Vec<Pure>,
    pub stored: Vec<Stored>,
    pub hot: Vec<Hot>,
    pub replay: Vec<Replay>,
}

/// The domain alone.
#[derive(Serialize)]
pub struct Pure {
    pub waiting: u64,
    pub decision_us: Spread,
    /// Time per decision, divided by that of the shortest line, round by round.
    pub to_first: Spread,
    /// To see what time has brought about.
    pub look_us: Spread,
    /// Resident memory for each who waits.
    pub bytes_per_ticket: f64,
}

/// Through a gateway's lines and a ledger.
#[derive(Serialize)]
pub struct Stored {
    pub shape: &'static str,
    pub waiting: u64,
    pub per_second: Spread,
    pub decision_us: Spread,
    /// Time per decision, divided by that of the shortest line, round by round.
    pub to_first: Spread,
}

/// One site beside many.
#[derive(Serialize)]
pub struct Hot {
    pub shape: &'static str,
    pub sites: usize,
    pub clients: u64,
    pub one_per_second: Spread,
    pub many_per_second: Spread,
    pub ratio: Spread,
}

/// Reading the ledger from its beginning.
#[derive(Serialize)]
pub struct Replay {
    pub shape: &'static str,
    pub events: u64,
    pub entries: u64,
    pub bytes: u64,
    pub drop_seconds: Spread,
    pub replay_seconds: Spread,
    /// How fast that is, beside reading and dropping.
    pub ratio: Spread,
}

impl Figures {
    /// The whole report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to memory");
        text
    }

    /// Memory of one more in a long line, without what a hall needs by itself: between the two
    /// longest.
    pub fn bytes_of_one_more(&self) -> Option<f64> {
        let [.., shorter, longer] = &self.pure[..] else { return None };
        let bytes = |one: &Pure| one.bytes_per_ticket * one.waiting as f64;
        let more = longer.waiting.checked_sub(shorter.waiting).filter(|more| *more > 0)?;
        Some((bytes(longer) - bytes(shorter)) / more as f64)
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let others = self.others * 100.0;
        writeln!(
            out,
            "The line: {} build, {} processors, others took {others:.0} % of them",
            self.build, self.processors
        )?;
        if self.build != "release" {
            writeln!(out, "NOT A RELEASE BUILD: these figures say nothing about the product.")?;
        }
        writeln!(out, "\nThe domain alone, by how many wait: median (least..most)")?;
        for one in &self.pure {
            writeln!(
                out,
                "  {:>7}  {} µs a decision, {} × the first; {} µs a look; {:.0} bytes a ticket",
                one.waiting,
                text(&one.decision_us),
                text(&one.to_first),
                text(&one.look_us),
                one.bytes_per_ticket
            )?;
        }
        if let Some(bytes) = self.bytes_of_one_more() {
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
                text(&one.decision_us),
                text(&one.to_first),
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
                text(&one.ratio)
            )?;
        }
        writeln!(out, "\nReplay at start, beside reading the same and dropping it")?;
        for one in &self.replay {
            let Replay { shape, events, entries, bytes, .. } = one;
            writeln!(
                out,
                "  {shape:<9} {events} events in {entries} entries of {bytes} bytes: {} s, dropped in {} s: {}",
                text(&one.replay_seconds),
                text(&one.drop_seconds),
                text(&one.ratio)
            )?;
        }
        Ok(())
    }
}

fn text(spread: &Spread) -> String {
    format!("{:.2} ({:.2}..{:.2})", spread.median, spread.least, spread.most)
}
