//! Containers of a deployment that are scaled and broken while people queue, with a table of the
//! seconds without service.
//!
//! `deploy/try` builds the images, starts this program, and removes every container afterwards.

#![expect(clippy::disallowed_methods, reason = "tasks and clients end with this program")]

mod clients;
mod compose;
mod drain;
mod faults;
mod history;
mod report;
mod resources;
mod stream;
mod timeline;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use clients::Clients;
use compose::Deployment;
use faults::Fault;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use stream::FeedReader;
use timeline::Timeline;

/// Scales and breaks the containers of compose.yaml while people queue.
#[derive(Parser)]
#[command(name = "containers", version)]
struct Cli {
    /// Name of the Compose project; its containers are removed by the caller.
    #[arg(long)]
    project: String,
    /// Port of the balancer on this machine.
    #[arg(long)]
    port: u16,
    /// Port of the simulator on this machine.
    #[arg(long)]
    phones_port: u16,
    /// Extent of the run.
    #[arg(long, value_enum, default_value = "whole")]
    extent: Extent,
    /// File for the tables; standard output if left out.
    #[arg(long)]
    tables: Option<PathBuf>,
}

/// Extent of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extent {
    /// A few faults, for every run of the tests.
    Short,
    /// Every fault.
    Faults,
    /// A backlog of notices, drained by one, two and four notifiers, and by as many as it asks for.
    Backlog,
    /// Memory and processor time.
    Resources,
    /// Every fault, the backlog, memory and processor time.
    Whole,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let deployment = Deployment::start(&cli.project, cli.port, cli.phones_port).await?;
    let mut tables = report::Tables::default();
    let has = |part: Extent| cli.extent == part || cli.extent == Extent::Whole;
    if has(Extent::Resources) {
        tables.at_rest = resources::measure(&deployment, Duration::from_secs(10)).await?;
    }
    if cli.extent == Extent::Short {
        tables.faults = run_faults(&deployment, &Fault::few()).await?;
    }
    if has(Extent::Faults) {
        tables.faults = run_faults(&deployment, &Fault::all()).await?;
    }
    if has(Extent::Resources) {
        tables.under_load = resources::measure_under_load(&deployment).await?;
    }
    if has(Extent::Backlog) {
        tables.drains = drain::run(&deployment).await?;
    }
    let text = tables.render();
    match &cli.tables {
        Some(file) => std::fs::write(file, &text).context("cannot write the tables")?,
        None => print!("{text}"),
    }
    Ok(())
}

/// Has people queue through one fault after the other, and checks the whole history.
async fn run_faults(
    deployment: &Deployment,
    faults: &[Fault],
) -> anyhow::Result<Vec<report::FaultRow>> {
    let timeline = Timeline::start();
    let clients = Clients::new(deployment, timeline.clone()).await?;
    let reader = FeedReader::start(deployment);
    let mut rows = Vec::new();
    let faults = async {
        for fault in faults {
            eprintln!("== {}", fault.describe());
            let begun = timeline.now();
            let result = fault.run(deployment).await;
            result.with_context(|| format!("while this was tried: {}", fault.describe()))?;
            deployment.wait_until_ready().await?;
            clients.until_served(Duration::from_secs(120)).await?;
            let row = report::FaultRow::new(fault.describe(), &timeline, begun);
            eprintln!("   {}", row.render());
            rows.push(row);
        }
        clients.stop();
        anyhow::Ok(())
    };
    let ((), told) = tokio::try_join!(faults, clients.run())?;
    history::check(deployment, &told, reader).await?;
    Ok(rows)
}
