//! Entry point of the `paihao` binary.

use paihao::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os(), std::env::vars()).into()
}
