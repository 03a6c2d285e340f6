//! Figures of a run, as numbers for programs and as a table for people.

use crate::callback::figures::Latency;
use serde::Serialize;
use std::fmt::Write;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    /// The screens of one site, and those of many.
    pub runs: Vec<WatchersFigures>,
}

/// Figures of so many screens.
#[derive(Serialize)]
pub struct WatchersFigures {
    pub streams: usize,
    pub sites: usize,
    pub calls: usize,
    pub every_ms: u64,
    /// Bytes of one event, on a board and on a customer's page.
    pub board_bytes: usize,
    pub customer_bytes: usize,
    /// Time from the press at the counter to a screen.
    pub to_a_screen: Latency,
    /// Time from the press to the last screen of the site.
    pub to_the_last_screen: Latency,
    /// Screens that a call did not reach.
    pub missed: usize,
    /// Resident memory of the gateway, before the streams and with all of them.
    pub before_mib: f64,
    pub with_all_mib: f64,
    pub kib_a_stream: f64,
    /// Processor time while nothing happens, in percent of one processor.
    pub at_rest_percent: f64,
    /// Share of the machine's processors that other processes used meanwhile, 0 to 1.
    pub others_at_rest: f64,
    /// Processor time while tickets are called, in percent of one processor.
    pub calling_percent: f64,
}

impl Figures {
    /// Formats the whole report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for run in &self.runs {
            run.write(&mut text).expect("writing to memory");
        }
        text
    }
}

impl WatchersFigures {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{} event streams of {} sites on one gateway", self.streams, self.sites)?;
        writeln!(
            out,
            "{} calls, one every {} ms; an event of a board has {} bytes, of a customer {}; {} screens missed one\n",
            self.calls, self.every_ms, self.board_bytes, self.customer_bytes, self.missed
        )?;
        writeln!(
            out,
            "{:<28} {:>9} {:>9} {:>9} {:>9}",
            "from the press", "p50", "p99", "p99.9", "max"
        )?;
        for (what, latency) in [
            ("to a screen", &self.to_a_screen),
            ("to the site's last screen", &self.to_the_last_screen),
        ] {
            let Latency { p50_ms, p99_ms, p999_ms, max_ms } = latency;
            writeln!(
                out,
                "{what:<28} {p50_ms:>6.1} ms {p99_ms:>6.1} ms {p999_ms:>6.1} ms {max_ms:>6.1} ms"
            )?;
        }
        writeln!(
            out,
            "\nMemory: {:.1} MiB before, {:.1} MiB with all: {:.1} KiB a stream",
            self.before_mib, self.with_all_mib, self.kib_a_stream
        )?;
        writeln!(
            out,
            "Processor time of the gateway: {:.1} % of one at rest (others took {:.0} % of all), {:.1} % while calling\n",
            self.at_rest_percent,
            self.others_at_rest * 100.0,
            self.calling_percent
        )
    }
}
