//! A fixed run of what is asked of a long line without a change of it: what is due, when something
//! will be, and what wait is quoted at its end. callgrind counts its instructions.

use crate::commands::{START_MS, open_counter, scan, settings, site_id};
use crate::decisions::apply;
use anyhow::Context;
use paihao_domain::{
    Day, DecisionInput, QueueId, QueueRules, Rules, Site, TicketId, Timestamp, due_commands,
    next_due_after,
};
use std::hint::black_box;

/// Time after the last of the line has joined, when some could be told of a longer wait.
const LOOK_DELAY_MS: i64 = 30 * 60_000;

/// Question to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Look {
    /// The commands that are due now, and when some will be.
    Due,
    /// The wait of somebody who would join, and of the last who waits, by the closed form.
    Quote,
    /// The same in a queue whose counter serves another one too, so that waits are simulated.
    SimulatedQuote,
}

/// Asks so many times about a line in which so many wait. Two runs differ by the questions alone.
pub fn run(look: Look, waiting: u64, times: u64) -> anyhow::Result<()> {
    let settings = settings(1)?;
    let mut rules = settings[&site_id(0)].rules.clone();
    let queue = QueueId::new("a");
    if look == Look::SimulatedQuote {
        share_counters(&mut rules);
    }
    let now = DecisionInput::on_day(Day(20_777), Timestamp(START_MS));
    let mut site = Site::default();
    apply(&mut site, &rules, &open_counter(0), &now)?;
    for person in 0..waiting {
        apply(&mut site, &rules, &scan(person), &now)?;
    }
    let later = DecisionInput { at: now.at.plus_ms(LOOK_DELAY_MS), ..now };
    for _ in 0..times {
        if look == Look::Due {
            black_box(due_commands(&site, &rules, &later));
            black_box(next_due_after(&site, &rules, &later));
        } else {
            let last = site.ticket(TicketId(u32::try_from(waiting)?));
            let last = last.context("the last ticket is not there")?;
            black_box(site.quote_for_new_ticket(&rules, &queue, &later));
            black_box(site.current_quote(&rules, last, &later));
        }
    }
    Ok(())
}

/// Adds a queue that every counter serves.
fn share_counters(rules: &mut Rules) {
    let other = QueueId::new("b");
    rules.queues.insert(other.clone(), QueueRules::new("贷款", "B"));
    for counter in rules.counters.values_mut() {
        counter.queues.push(other.clone());
    }
}
