//! Entry point of the `paihao` binary.

use paihao::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    // What it writes holds people and keys: the ledger, its folder, backups.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    cli::main(std::env::args_os(), std::env::vars()).into()
}
