//! Measures the product beside what could be had without it: `bench callback`, `bench token`,
//! `bench estimate`, `bench history`, `bench qr`, `bench line`, `bench watchers`.

mod member;
mod process;

mod callback;
mod estimate;
mod history;
mod line;
mod qr;
mod token;
mod watchers;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Measures the product. Build it in release mode; figures of a debug build mean nothing.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(subcommand)]
    what: BenchCommand,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// From a callback to a durable number, beside a floor, a null handler and the tutorial's
    /// gateway.
    Callback(callback::Options),
    /// How far off the told waits are, in synthetic places, beside simpler estimators.
    Estimate(estimate::Options),
    /// How long a gateway takes to read the history at its start, and its memory.
    History(history::Options),
    /// What a decision costs, however many wait; a hot site, a replica's start, memory.
    Line(line::Options),
    /// Fetches and failed calls through everything that happens to access tokens.
    Token(token::Options),
    /// Callers of WeChat in a process of their own; started by the measuring process.
    #[command(hide = true)]
    Callers(token::CallerProcessOptions),
    /// From a browser's request to its code, with ready codes, without, and the tutorial's way.
    Qr(qr::Options),
    /// Thousands of screens on one gateway: from a call to the last of them, and what they cost.
    Watchers(watchers::Options),
    /// One of the servers that stand beside; started by the measuring process.
    #[command(hide = true)]
    Serve(callback::ServeOptions),
    /// A role of the product, as `paihao` would run it; started by the measuring process.
    #[command(hide = true)]
    Role {
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().what {
        BenchCommand::Callback(options) => callback::run(&options),
        BenchCommand::Estimate(options) => estimate::run(&options),
        BenchCommand::History(options) => history::run(&options),
        BenchCommand::Line(options) => line::run(&options),
        BenchCommand::Token(options) => token::run(&options),
        BenchCommand::Callers(options) => token::serve(&options),
        BenchCommand::Qr(options) => qr::run(&options),
        BenchCommand::Watchers(options) => watchers::run(&options),
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
            ExitCode::FAILURE
        }
    }
}
