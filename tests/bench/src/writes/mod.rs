//! `bench writes`: what the stores write for a scan, for a call with its message and its receipt,
//! and for a message of a backlog.
//!
//! Nothing is timed. [`deployment`] starts the product and acts in it, [`counts`] reads the
//! counters of the stores and the syncs of their processes, [`figures`] holds the differences.

mod counts;
mod deployment;
pub mod figures;

use crate::run::{self, Kind, Report, RunOptions};
use clap::Args;
use deployment::{Shape, WrittenDeployment};
use figures::{Figures, StepFigures};
use std::path::PathBuf;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// People who scan and are called, one after the other.
    #[arg(long, default_value_t = 40)]
    people: u32,
    /// Messages of a backlog.
    #[arg(long, default_value_t = 400)]
    backlog: u32,
    /// Shapes of the deployment.
    #[arg(long, value_delimiter = ',', default_values_t = [Shape::File, Shape::Nats, Shape::ThreeNats])]
    shapes: Vec<Shape>,
    /// Program whose roles are counted: the bench of another build, to compare with. This one
    /// without it.
    #[arg(long)]
    program: Option<PathBuf>,
    #[command(flatten)]
    run: RunOptions,
}

/// Counts and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("writes", Kind::Counted, &options.run, || count_all(options))
}

fn count_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.people, options.backlog) = (10, 50);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut steps = Vec::new();
    for shape in &options.shapes {
        steps.extend(runtime.block_on(count(*shape, &options))?);
    }
    let figures = Figures { steps };
    Report::new(figures.text(), &figures)
}

/// Counts every step in one shape.
async fn count(shape: Shape, options: &Options) -> anyhow::Result<Vec<StepFigures>> {
    let mut deployment = WrittenDeployment::start(shape, options.program.as_deref()).await?;
    // What is made once is not counted.
    deployment.scan(1).await?;
    deployment.call(1).await?;
    let people = options.people;
    let mut steps = vec![
        counts::count(shape, "scan", people, &mut deployment, async |all| all.scan(people).await)
            .await?,
        counts::count(shape, "call", people, &mut deployment, async |all| all.call(people).await)
            .await?,
    ];
    if shape != Shape::File {
        let backlog = options.backlog;
        deployment.enqueue(backlog).await?;
        let drain = async |all: &mut WrittenDeployment| all.drain(backlog).await;
        steps.push(counts::count(shape, "backlog", backlog, &mut deployment, drain).await?);
    }
    deployment.stop().await?;
    Ok(steps)
}
