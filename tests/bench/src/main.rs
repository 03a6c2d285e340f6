//! Benchmarks of the product and of simpler alternatives: `bench appends`, `bench callback`, `bench
//! estimate`, `bench history`, `bench line`, `bench memory`, `bench notify`, `bench partitions`,
//! `bench qr`, `bench siege`, `bench start`, `bench token`, `bench watchers`, `bench writes`.

mod member;
mod process;
mod staff;

mod run;

mod document;

mod appends;
mod callback;
mod estimate;
mod history;
mod line;
mod memory;
mod notify;
mod partitions;
mod qr;
mod siege;
mod start;
mod token;
mod watchers;
mod writes;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Exit code of a run that others on the machine made worthless.
const NOISY_MACHINE: u8 = 3;

/// Measures the product. Build it in release mode; figures of a debug build mean nothing.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(subcommand)]
    what: BenchCommand,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// What an append to the file costs until it is on the disk, compared with plain inserts.
    Appends(appends::Options),
    /// From a callback to a durable number, compared with a floor, a null handler and the
    /// tutorial's gateway.
    Callback(callback::Options),
    /// Error of the estimated waits at synthetic sites, compared with simpler estimators.
    Estimate(estimate::Options),
    /// Makes the tables of docs/reference/bench.md from the records of runs, or checks them.
    Document(document::Options),
    /// Time and memory that a gateway needs to read the visit log at its start.
    History(history::Options),
    /// Time of a decision by the length of the line; a hot site, a replica's start, memory.
    Line(line::Options),
    /// Resident memory of each role at rest, with few sites and with many.
    Memory(memory::Options),
    /// Notices that notifiers send a second, as a share of what their places allow.
    Notify(notify::Options),
    /// Appends and callbacks a second with a ledger in one, two and four partitions.
    Partitions(partitions::Options),
    /// Fetches and failed calls during every kind of trouble with access tokens.
    Token(token::Options),
    /// Callers of WeChat in a separate process; started by the measuring process.
    #[command(hide = true)]
    Callers(token::CallerProcessOptions),
    /// From a browser's request to its code: with ready codes, without, and the tutorial's way.
    Qr(qr::Options),
    /// Callbacks while strangers do what they can, beside the same in peace.
    Siege(siege::Options),
    /// From the start of a gateway until it is ready, over a million events; and a whole replay.
    Start(start::Options),
    /// Thousands of screens on one gateway: delay of a call, memory and processor time.
    Watchers(watchers::Options),
    /// What a scan and a call with its message write: entries, acknowledgements, syncs, requests.
    Writes(writes::Options),
    /// A baseline server; started by the measuring process.
    #[command(hide = true)]
    Serve(callback::ServeOptions),
    /// A role of the product, as `paihao` runs it; started by the measuring process.
    #[command(hide = true)]
    Role {
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().what {
        BenchCommand::Appends(options) => appends::run(&options),
        BenchCommand::Callback(options) => callback::run(&options),
        BenchCommand::Estimate(options) => estimate::run(&options),
        BenchCommand::Document(options) => document::run(&options),
        BenchCommand::History(options) => history::run(&options),
        BenchCommand::Line(options) => line::run(&options),
        BenchCommand::Memory(options) => memory::run(&options),
        BenchCommand::Notify(options) => notify::run(&options),
        BenchCommand::Partitions(options) => partitions::run(&options),
        BenchCommand::Token(options) => token::run(&options),
        BenchCommand::Callers(options) => token::serve(&options),
        BenchCommand::Qr(options) => qr::run(&options),
        BenchCommand::Siege(options) => siege::run(&options),
        BenchCommand::Start(options) => start::run(&options),
        BenchCommand::Watchers(options) => watchers::run(&options),
        BenchCommand::Writes(options) => writes::run(&options),
        BenchCommand::Serve(options) => callback::serve(&options),
        BenchCommand::Role { arguments } => {
            let typed = std::iter::once(OsString::from("paihao")).chain(arguments);
            return paihao::cli::main(typed, std::env::vars()).into();
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            if error.is::<run::NoisyMachine>() { NOISY_MACHINE.into() } else { ExitCode::FAILURE }
        }
    }
}
