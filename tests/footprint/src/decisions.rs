//! A fixed run of scans and calls, whose instructions callgrind counts: decided and applied by the
//! domain alone, or decided, encoded, appended, applied and observed by an engine.

use crate::commands::{START_MS, call_next, finish, open_counter, scan, settings, site_id};
use crate::gateway::Gateway;
use crate::ledger::MemoryLedger;
use anyhow::anyhow;
use paihao_domain::{
    Command, Day, DecisionInput, DecisionResult, Rules, Site, Timestamp, decide, due_commands,
    next_due_after,
};
use std::hint::black_box;
use std::sync::Arc;

/// Sites that are visited in turn.
const SITES: u64 = 5;

/// People who wait in each site before the first round.
const WAITING: u64 = 20;

/// Scans in a round of one site, after each of which the counter calls and finishes once.
const SCANS_PER_ROUND: u64 = 4;

/// Decisions in a round of one site.
pub const DECISIONS_PER_ROUND: u64 = SCANS_PER_ROUND + 2;

/// Runs so many rounds in the domain alone, each at the next site. Two runs differ by the decisions
/// of the rounds alone.
pub fn run_domain(rounds: u64) -> anyhow::Result<()> {
    let settings = settings(1)?;
    let rules = &settings[&site_id(0)].rules;
    let now = DecisionInput::on_day(Day(20_777), Timestamp(START_MS));
    let mut sites = vec![Site::default(); SITES as usize];
    let mut people = 0..;
    let mut next_scan = || scan(people.next().unwrap_or_default());
    for site in &mut sites {
        apply(site, rules, &open_counter(0), &now)?;
        for _ in 0..WAITING {
            apply(site, rules, &next_scan(), &now)?;
        }
    }
    for round in 0..rounds {
        let site = &mut sites[(round % SITES) as usize];
        for _ in 0..SCANS_PER_ROUND {
            apply(site, rules, &next_scan(), &now)?;
        }
        apply(site, rules, &call_next(round), &now)?;
        apply(site, rules, &finish(round), &now)?;
        black_box((due_commands(site, rules, &now), next_due_after(site, rules, &now)));
    }
    Ok(())
}

/// Decides a command and applies the decision.
pub(crate) fn apply(
    site: &mut Site,
    rules: &Rules,
    command: &Command,
    now: &DecisionInput,
) -> anyhow::Result<()> {
    match decide(site, rules, command, now) {
        Ok(DecisionResult::Decided(decision, after)) => {
            black_box(decision);
            *site = *after;
            Ok(())
        }
        other => Err(anyhow!("{:?} led to {other:?}", command.act)),
    }
}

/// Runs the same rounds in an engine.
pub async fn run(rounds: u64) -> anyhow::Result<()> {
    let gateway = Gateway::start_whole(&settings(SITES)?, Arc::new(MemoryLedger::default())).await;
    let mut people = 0..;
    let mut next_scan = || scan(people.next().unwrap_or_default());
    for i in 0..SITES {
        let site = site_id(i);
        gateway.submit(&site, open_counter(0)).await?;
        for _ in 0..WAITING {
            gateway.submit(&site, next_scan()).await?;
        }
    }
    gateway.settle().await;
    for round in 0..rounds {
        let site = site_id(round % SITES);
        for _ in 0..SCANS_PER_ROUND {
            gateway.submit(&site, next_scan()).await?;
        }
        gateway.submit(&site, call_next(round)).await?;
        gateway.submit(&site, finish(round)).await?;
        if round % SITES == SITES - 1 {
            // The timers look at every site that has changed.
            gateway.settle().await;
        }
    }
    Ok(())
}
