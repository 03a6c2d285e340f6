//! Another start of this process: it runs itself again, under its own id and with its arguments.

use paihao_chassis::{CancellationToken, Exit, Tasks};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Request of another start, once everything that runs has ended.
#[derive(Clone)]
pub struct Restart {
    requested: CancellationToken,
    stop: CancellationToken,
}

impl Restart {
    /// Restart of the process that these tasks belong to.
    pub fn of(tasks: &Tasks) -> Restart {
        Restart { requested: CancellationToken::new(), stop: tasks.stop().clone() }
    }

    /// Begins the soft stop, after which the process starts again.
    pub fn request(&self) {
        self.requested.cancel();
        self.stop.cancel();
    }

    /// Returns whether the process is to start again.
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }
}

/// Runs this program in the place of the process. Returns only if that fails.
pub fn replace_process() -> Exit {
    // The link leads to the program that runs, also if its file was replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1));
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    let error = command.exec();
    eprintln!("cannot start again: {error}");
    Exit::FailedToStart
}
