//! `bench memory`: resident memory of each role at rest, with few sites and with many.
//!
//! What the parts of a gateway keep is counted by `footprint`, in bytes that are asked of the
//! allocator.

use crate::callback::deployment::Deployment;
use crate::process::process_usage;
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Sites of each account in a deployment; it has two accounts.
const ACCOUNTS: usize = 2;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Numbers of sites, from few to many; even ones.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000])]
    sites: Vec<usize>,
    /// Seconds from readiness to the measurement, more than the minute after which memory of the
    /// start is given back.
    #[arg(long, default_value_t = 80.0)]
    rest: f64,
    /// Program that plays the roles: the product's own, without the benchmarks.
    #[arg(long)]
    program: Option<PathBuf>,
    #[command(flatten)]
    run: RunOptions,
}

/// Memory of one role.
#[derive(Serialize)]
struct RoleFigures {
    sites: usize,
    role: &'static str,
    resident_mib: f64,
    /// Part that the role itself has written.
    own_mib: f64,
    /// Part that is the program, which processes on one machine share.
    program_mib: f64,
}

/// All figures of a run.
#[derive(Serialize)]
struct Figures {
    roles: Vec<RoleFigures>,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("memory", Kind::Counted, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.sites, options.rest) = (vec![4, 20], 1.0);
    }
    ensure!(options.sites.iter().all(|sites| *sites > 0 && sites % ACCOUNTS == 0), "even numbers");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut roles = Vec::new();
    for sites in &options.sites {
        roles.extend(runtime.block_on(measure(&options, *sites))?);
    }
    let figures = Figures { roles };
    Report::new(figures.text(), &figures)
}

/// Measures the roles of a deployment that nobody uses.
async fn measure(options: &Options, sites: usize) -> anyhow::Result<Vec<RoleFigures>> {
    let of_account = sites / ACCOUNTS;
    let deployment = match &options.program {
        Some(program) => Deployment::start_product(program.canonicalize()?, of_account).await?,
        None => Deployment::start(of_account, Duration::ZERO).await?,
    };
    tokio::time::sleep(Duration::from_secs_f64(options.rest)).await;
    let roles = [
        ("gateway", &deployment.gateway),
        ("token", &deployment.token),
        ("notifier", &deployment.notifier),
    ];
    let figures = roles.map(|(role, process)| {
        let pid = process.program.pid().context("a role has ended")?;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let usage = process_usage(pid)?;
        Ok(RoleFigures {
            sites,
            role,
            resident_mib: mib(usage.resident),
            own_mib: mib(usage.own),
            program_mib: mib(usage.resident.saturating_sub(usage.own)),
        })
    });
    let figures = figures.into_iter().collect::<anyhow::Result<_>>();
    deployment.stop().await?;
    figures
}

impl Figures {
    /// Formats the whole report.
    fn text(&self) -> String {
        let mut text = String::from("Resident memory at rest in MiB\n");
        for one in &self.roles {
            let RoleFigures { sites, role, resident_mib, own_mib, program_mib } = one;
            writeln!(
                text,
                "  {sites:>5} sites  {role:<9} {resident_mib:>6.1}: {own_mib:.1} its own, {program_mib:.1} the program",
            )
            .expect("writing to memory");
        }
        text
    }
}
