//! The one program: every role, all of them in one process, the demo, and the operator's commands.

use paihao::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os(), std::env::vars()).into()
}
