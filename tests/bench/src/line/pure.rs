//! What a decision costs in the domain alone, however long the line is.

use super::figures::Pure;
use super::hall::{self, COUNTERS, MORNING, ROUND};
use crate::callback::figures::Spread;
use crate::process::usage;
use anyhow::{Context, anyhow};
use paihao_domain::{
    Answer, Command, Day, Now, REMEMBERED_FOR_MS, Rules, Site, Timestamp, decide, due, next_due,
};
use std::hint::black_box;
use tokio::time::Instant;

/// Between two decisions.
const APART_MS: i64 = 100;

/// A hall in memory.
struct Hall {
    site: Site,
    rules: Rules,
    now: Now,
    people: u64,
    rounds: u64,
}

impl Hall {
    fn of(waiting: u64) -> anyhow::Result<Hall> {
        let now = Now::on(Day(20_777), Timestamp(MORNING));
        let mut hall =
            Hall { site: Site::default(), rules: hall::rules(), now, people: 0, rounds: 0 };
        for i in 0..COUNTERS {
            hall.decide(&hall::open(i))?;
        }
        for _ in 0..waiting {
            hall.take()?;
        }
        // However many came, as many commands are remembered in every hall.
        hall.now.at = hall.now.at.plus_ms(REMEMBERED_FOR_MS + 1);
        for _ in 0..REMEMBERED_FOR_MS / APART_MS / ROUND as i64 {
            hall.round()?;
        }
        Ok(hall)
    }

    fn decide(&mut self, command: &Command) -> anyhow::Result<()> {
        self.now.at = self.now.at.plus_ms(APART_MS);
        match decide(&self.site, &self.rules, command, &self.now) {
            Ok(Answer::Decided(decision, after)) => {
                black_box(&decision);
                self.site = *after;
                Ok(())
            }
            other => Err(anyhow!("{:?} led to {other:?}", command.act)),
        }
    }

    fn take(&mut self) -> anyhow::Result<()> {
        self.people += 1;
        self.decide(&hall::take(self.people))
    }

    fn round(&mut self) -> anyhow::Result<()> {
        self.rounds += 1;
        self.take()?;
        self.decide(&hall::call(self.rounds, self.rounds))?;
        self.decide(&hall::finish(self.rounds, self.rounds))
    }

    /// Looks what time has brought about, as each replica does when something has happened.
    fn look(&self) {
        black_box(due(&self.site, &self.rules, &self.now));
        black_box(next_due(&self.site, &self.rules, &self.now));
    }
}

/// Measures halls with so many waiting, in turn.
pub fn measure(sizes: &[u64], rounds: usize, decisions: u64) -> anyhow::Result<Vec<Pure>> {
    let resident = || -> anyhow::Result<u64> { Ok(usage(std::process::id())?.resident) };
    let mut halls = Vec::new();
    for &size in sizes {
        let before = resident()?;
        let hall = Hall::of(size)?;
        let bytes = resident()?.saturating_sub(before);
        halls.push((hall, bytes, Vec::new(), Vec::new()));
    }
    for _ in 0..rounds {
        for (hall, _, deciding, looking) in &mut halls {
            let begun = Instant::now();
            for _ in 0..decisions / ROUND {
                hall.round()?;
            }
            deciding.push(begun.elapsed().as_secs_f64() * 1e6 / (decisions / ROUND * ROUND) as f64);
            let begun = Instant::now();
            let looks = (decisions / 100).max(1);
            (0..looks).for_each(|_| hall.look());
            looking.push(begun.elapsed().as_secs_f64() * 1e6 / looks as f64);
        }
    }
    let first = halls.first().context("no size to measure")?.2.clone();
    let of = |(size, (_, bytes, deciding, looking)): (&u64, (_, u64, Vec<f64>, Vec<f64>))| Pure {
        waiting: *size,
        decision_us: Spread::of(deciding.iter().copied()),
        to_first: Spread::of(deciding.iter().zip(&first).map(|(own, first)| own / first)),
        look_us: Spread::of(looking),
        bytes_per_ticket: bytes as f64 / *size as f64,
    };
    Ok(sizes.iter().zip(halls).map(of).collect())
}
