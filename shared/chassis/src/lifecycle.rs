//! The life of a process: it starts, runs until it is told to stop or cannot go on, drains within a
//! limit, and leaves with an exit code that says which.

use crate::tasks::Tasks;
use futures::stream::{self, Stream, StreamExt};
use std::fmt::Display;
use std::future::Future;
use std::process::{ExitCode, Termination};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How a process ended; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked to, or stopped because it was asked to.
    Clean = 0,
    /// It could not start: a port taken, a store not there, a file not readable.
    FailedToStart = 1,
    /// The configuration or the command line is wrong; trying again will not help.
    BadConfiguration = 2,
    /// A task it cannot do without failed while it ran.
    TaskFailed = 3,
    /// It was told to stop and had not finished within the limit, or was told twice.
    NotDrained = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

/// One process from start to exit.
#[derive(Debug)]
pub struct Lifecycle {
    tasks: Tasks,
    /// Cancelled by the second request to stop.
    hard_stop: CancellationToken,
}

impl Lifecycle {
    /// Begins to listen for SIGTERM and Ctrl-C: the first is the soft stop, the second the hard
    /// one. Must be called within a runtime; fails if the system does not let it listen.
    pub fn with_signals() -> std::io::Result<Lifecycle> {
        Ok(Lifecycle::with_stop_requests(signals()?))
    }

    /// A lifecycle that is told to stop by what `requests` yields, each with the name of who asks:
    /// the first softly, the second hard.
    #[expect(
        clippy::disallowed_methods,
        reason = "not a task to wait for: it listens as long as the process lives"
    )]
    pub fn with_stop_requests(
        requests: impl Stream<Item = &'static str> + Send + 'static,
    ) -> Lifecycle {
        let (tasks, at_once) = (Tasks::new(), CancellationToken::new());
        tokio::spawn(forward_stop_requests(requests, tasks.stop().clone(), at_once.clone()));
        Lifecycle { tasks, hard_stop: at_once }
    }

    /// Where to start the process's tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Waits for what has to be there before the process can run. A failure is logged and is
    /// [`Exit::FailedToStart`]; a stop meanwhile drops the start and is [`Exit::Clean`].
    pub async fn start<T, E: Display>(
        &self,
        starting: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Exit> {
        match self.tasks.stop().run_until_cancelled(starting).await {
            Some(Ok(started)) => Ok(started),
            Some(Err(problem)) => {
                error!("could not start: {problem:#}");
                self.tasks.abort();
                Err(Exit::FailedToStart)
            }
            None => {
                info!("stopped before it had started");
                self.tasks.abort();
                Err(Exit::Clean)
            }
        }
    }

    /// Runs until it is told to stop or an essential task fails, then gives the tasks `soft_limit`
    /// to finish what they hold, and drops what is left after that.
    pub async fn run(self, soft_limit: Duration) -> Exit {
        self.tasks.stop().cancelled().await;
        info!(running = self.tasks.running_count(), "stopping: finishing what is in hand");
        let drained = tokio::select! {
            () = self.tasks.wait() => true,
            () = tokio::time::sleep(soft_limit) => {
                warn!(running = self.tasks.running_count(), ?soft_limit, "not drained in time");
                false
            }
            () = self.hard_stop.cancelled() => {
                warn!(running = self.tasks.running_count(), "told to stop at once");
                false
            }
        };
        self.tasks.abort();
        match self.tasks.failure() {
            Some(failure) => {
                error!(task = %failure.task, reason = %failure.reason, "stopped by a failure");
                Exit::TaskFailed
            }
            None if drained => {
                info!("stopped");
                Exit::Clean
            }
            None => Exit::NotDrained,
        }
    }
}

async fn forward_stop_requests(
    requests: impl Stream<Item = &'static str>,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let mut requests = std::pin::pin!(requests);
    for stop in [soft, hard] {
        let Some(who) = requests.next().await else { return };
        info!(who, "told to stop");
        stop.cancel();
    }
}

#[cfg(unix)]
fn signals() -> std::io::Result<impl Stream<Item = &'static str> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(stream::select(
        stream::poll_fn(move |cx| terminate.poll_recv(cx)).map(|()| "SIGTERM"),
        stream::poll_fn(move |cx| interrupt.poll_recv(cx)).map(|()| "Ctrl-C"),
    ))
}

#[cfg(not(unix))]
fn signals() -> std::io::Result<impl Stream<Item = &'static str> + Send + 'static> {
    Ok(stream::unfold((), |()| async {
        tokio::signal::ctrl_c().await.ok().map(|()| ("Ctrl-C", ()))
    }))
}
