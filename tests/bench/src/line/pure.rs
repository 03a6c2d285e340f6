//! Measurement of decisions in the domain alone, by the length of the line.

use super::figures::DomainFigures;
use super::sites::{self, COMMANDS_PER_ROUND, COUNTERS_PER_SITE, START_MS};
use crate::callback::figures::RoundSpread;
use crate::process::process_usage;
use anyhow::{Context, anyhow};
use paihao_domain::{
    COMMAND_RETENTION_MS, Command, Day, DecisionInput, DecisionResult, Rules, Site, TicketId,
    Timestamp, decide, due_commands, next_due_at,
};
use std::hint::black_box;
use tokio::time::Instant;

/// Simulated time between two decisions.
const DECISION_INTERVAL_MS: i64 = 100;

/// Quotes of one evaluation.
const QUOTES: u64 = 2;

/// Site with what was measured of it, in microseconds by round.
struct MeasuredSite {
    site: InMemorySite,
    bytes: u64,
    deciding: Vec<f64>,
    looking: Vec<f64>,
    quoting: Vec<f64>,
}

/// Site in memory.
struct InMemorySite {
    site: Site,
    rules: Rules,
    now: DecisionInput,
    people: u64,
    rounds: u64,
}

impl InMemorySite {
    fn with_waiting(waiting: u64, rules: Rules) -> anyhow::Result<InMemorySite> {
        let now = DecisionInput::on_day(Day(20_777), Timestamp(START_MS));
        let mut site = InMemorySite { site: Site::default(), rules, now, people: 0, rounds: 0 };
        for i in 0..COUNTERS_PER_SITE {
            site.decide(&sites::open_counter_command(i))?;
        }
        for _ in 0..waiting {
            site.take_number()?;
        }
        // Old commands are forgotten, and the rounds below leave the same number of recent ones at
        // every site.
        site.now.at = site.now.at.plus_ms(COMMAND_RETENTION_MS + 1);
        for _ in 0..COMMAND_RETENTION_MS / DECISION_INTERVAL_MS / COMMANDS_PER_ROUND as i64 {
            site.run_round()?;
        }
        Ok(site)
    }

    fn decide(&mut self, command: &Command) -> anyhow::Result<()> {
        self.now.at = self.now.at.plus_ms(DECISION_INTERVAL_MS);
        match decide(&self.site, &self.rules, command, &self.now) {
            Ok(DecisionResult::Decided(decision, after)) => {
                black_box(&decision);
                self.site = *after;
                Ok(())
            }
            other => Err(anyhow!("{:?} led to {other:?}", command.act)),
        }
    }

    fn take_number(&mut self) -> anyhow::Result<()> {
        self.people += 1;
        self.decide(&sites::take_number_command(self.people))
    }

    fn run_round(&mut self) -> anyhow::Result<()> {
        self.rounds += 1;
        self.take_number()?;
        self.decide(&sites::call_next_command(self.rounds, self.rounds))?;
        self.decide(&sites::finish_command(self.rounds, self.rounds))
    }

    /// Quotes the wait to somebody who would join now, and to the holder of the last ticket.
    fn quote(&self) -> anyhow::Result<()> {
        let queue = sites::queue();
        let last = self.site.ticket(TicketId(u32::try_from(self.people)?));
        let last = last.context("the last ticket is not there")?;
        black_box(self.site.quote_for_new_ticket(&self.rules, &queue, &self.now));
        black_box(self.site.current_quote(&self.rules, last, &self.now));
        Ok(())
    }

    /// Evaluates the timers, as each replica does after a commit.
    fn evaluate_timers(&self) {
        black_box(due_commands(&self.site, &self.rules, &self.now));
        black_box(next_due_at(&self.site, &self.rules, &self.now));
    }
}

/// Measures sites of these rules with these numbers of waiting people, in turn.
pub fn measure(
    sizes: &[u64],
    rounds: usize,
    decisions: u64,
    rules: &Rules,
) -> anyhow::Result<Vec<DomainFigures>> {
    let resident = || -> anyhow::Result<u64> { Ok(process_usage(std::process::id())?.resident) };
    let mut sites = Vec::new();
    for &size in sizes {
        let before = resident()?;
        let site = InMemorySite::with_waiting(size, rules.clone())?;
        let bytes = resident()?.saturating_sub(before);
        sites.push(MeasuredSite {
            site,
            bytes,
            deciding: Vec::new(),
            looking: Vec::new(),
            quoting: Vec::new(),
        });
    }
    for _ in 0..rounds {
        for MeasuredSite { site, deciding, looking, quoting, .. } in &mut sites {
            let started = Instant::now();
            for _ in 0..decisions / COMMANDS_PER_ROUND {
                site.run_round()?;
            }
            deciding.push(
                started.elapsed().as_secs_f64() * 1e6
                    / (decisions / COMMANDS_PER_ROUND * COMMANDS_PER_ROUND) as f64,
            );
            let started = Instant::now();
            let views = (decisions / 100).max(1);
            (0..views).for_each(|_| site.evaluate_timers());
            looking.push(started.elapsed().as_secs_f64() * 1e6 / views as f64);
            let started = Instant::now();
            for _ in 0..views {
                site.quote()?;
            }
            quoting.push(started.elapsed().as_secs_f64() * 1e6 / (views * QUOTES) as f64);
        }
    }
    let first = sites.first().context("no size to measure")?.deciding.clone();
    let to_figures =
        |(size, MeasuredSite { bytes, deciding, looking, quoting, .. }): (&u64, MeasuredSite)| {
            DomainFigures {
                waiting: *size,
                decision_us: RoundSpread::from_values(deciding.iter().copied()),
                to_first: RoundSpread::from_values(
                    deciding.iter().zip(&first).map(|(own, first)| own / first),
                ),
                look_us: RoundSpread::from_values(looking),
                quote_us: RoundSpread::from_values(quoting),
                bytes_per_ticket: bytes as f64 / *size as f64,
            }
        };
    Ok(sizes.iter().zip(sites).map(to_figures).collect())
}
