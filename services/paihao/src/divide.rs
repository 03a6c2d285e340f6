//! Division of a ledger on NATS into partitions, while processes use it: `paihao divide`.

use crate::config::{Ledger, LedgerKind};
use crate::ports::nats_options;
use anyhow::{Context, ensure};
use clap::Args;
use paihao_chassis::Exit;
use paihao_contracts::partitions::{MAX_PARTITIONS, Partitions};
use paihao_ledger_nats::{Division, DivisionProgress};

/// Options of `paihao divide`. See docs/guide/partitions.md.
#[derive(Args)]
pub struct DivideOptions {
    /// Number of partitions, 2 to 16. It cannot be changed again.
    #[arg(long, required_unless_present = "abandon", value_parser = parse_partitions)]
    into: Option<Partitions>,
    /// Gives up a division that was broken off, and removes what it has left.
    #[arg(long, conflicts_with = "into")]
    abandon: bool,
}

fn parse_partitions(text: &str) -> Result<Partitions, String> {
    let partitions = text.parse().ok().and_then(Partitions::new);
    let several = partitions.filter(|partitions| *partitions != Partitions::ONE);
    several.ok_or_else(|| format!("use 2 to {MAX_PARTITIONS}"))
}

/// Runs the command.
pub async fn run(ledger: Ledger, options: DivideOptions) -> Exit {
    let done = match options.into {
        Some(into) => divide(&ledger, into).await,
        None => abandon(&ledger).await,
    };
    match done {
        Ok(()) => Exit::Clean,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

async fn divide(ledger: &Ledger, into: Partitions) -> anyhow::Result<()> {
    let division = connect(ledger, into).await?;
    let mut report = report;
    let divided = tokio::select! {
        divided = division.run(&mut report) => divided.context("the ledger was not divided"),
        _ = tokio::signal::ctrl_c() => {
            let done = division.abandon().await.context("the division may be under way")?;
            ensure!(done, "the ledger was not divided, and the processes go on");
            Ok(())
        }
    };
    divided?;
    let into = into.count();
    eprintln!(
        "the ledger has {into} partitions: set ledger.partitions = {into} in the configuration of every process, before the next one is made from it"
    );
    Ok(())
}

async fn abandon(ledger: &Ledger) -> anyhow::Result<()> {
    let done = connect(ledger, Partitions::ONE).await?.abandon().await?;
    ensure!(!done, "the ledger has been divided, which stays");
    eprintln!("no division is under way, and nothing is left of one");
    Ok(())
}

async fn connect(ledger: &Ledger, into: Partitions) -> anyhow::Result<Division> {
    ensure!(
        ledger.kind == LedgerKind::Nats,
        "a SQLite file has one writer, which partitions do not divide: move the ledger to NATS first (docs/guide/backup.md)"
    );
    Ok(Division::connect(nats_options(ledger), into).await?)
}

fn report(progress: DivisionProgress) {
    match progress {
        DivisionProgress::Copied { reached, head } => {
            eprintln!("copied, while the processes go on: up to entry {reached} of {head}");
        }
        DivisionProgress::Pausing => eprintln!("pausing: every process starts again and waits"),
        DivisionProgress::Alone | DivisionProgress::Detached | DivisionProgress::Complete => {}
        DivisionProgress::Done { pause } => {
            eprintln!("divided, after a pause of {:.1} s", pause.as_secs_f64());
        }
    }
}
