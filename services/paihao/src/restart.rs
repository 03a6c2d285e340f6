//! Another start of this process: it runs itself again, under its own id and with its arguments.
//! Its sockets stay open, so that whoever connects meanwhile is served afterwards.

use crate::sockets::ListeningSockets;
use paihao_chassis::{CancellationToken, Exit, Tasks};
use paihao_ledger::Ledger;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

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

/// Restarts the process when a division of its ledger sends it away.
pub async fn before_a_division(restart: Restart, ledger: Arc<dyn Ledger>) {
    if restart.stop.run_until_cancelled(ledger.until_sent_away()).await.is_some() {
        tracing::info!("the ledger is being divided: starting again, to wait for its end");
        restart.request();
    }
}

/// Runs this program in the place of the process. Returns only if that fails.
pub fn replace_process(sockets: &ListeningSockets) -> Exit {
    // The link leads to the program that runs, also if its file was replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1));
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    let error = match sockets.hand_over(&mut command) {
        Ok(()) => command.exec().into(),
        Err(error) => error,
    };
    eprintln!("cannot start again: {error:#}");
    Exit::FailedToStart
}
