//! Lifecycle of a process: start, run until a stop or a failure, drain within a limit, and exit
//! with a code that tells the cause.

use crate::tasks::Tasks;
use futures::stream::{self, Stream, StreamExt};
use std::fmt::Display;
use std::future::Future;
use std::process::{ExitCode, Termination};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Result of a process; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It completed its work, or stopped on request.
    Clean = 0,
    /// It could not start: a port is taken, a store is unavailable, a file is unreadable.
    FailedToStart = 1,
    /// The configuration or the command line is wrong; a retry does not help.
    BadConfiguration = 2,
    /// An essential task failed while it ran.
    TaskFailed = 3,
    /// It was stopped and had not finished within the limit, or was stopped twice.
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

/// A process from start to exit.
#[derive(Debug)]
pub struct Lifecycle {
    tasks: Tasks,
    /// Cancelled by the first request to stop, before the soft stop.
    draining: CancellationToken,
    /// Cancelled by the second request to stop.
    hard_stop: CancellationToken,
}

impl Lifecycle {
    /// Installs handlers for SIGTERM and Ctrl-C: the first signal is the soft stop, the second the
    /// hard one. Must be called within a runtime; fails if the system refuses the handlers.
    pub fn with_signals() -> std::io::Result<Lifecycle> {
        Lifecycle::with_lame_duck(Duration::ZERO)
    }

    /// As [`Lifecycle::with_signals`], with a time between the first signal and the soft stop in
    /// which the process is no longer ready and still serves, so that balancers learn of it.
    pub fn with_lame_duck(lame_duck: Duration) -> std::io::Result<Lifecycle> {
        Ok(Lifecycle::with_stop_requests(signals()?, lame_duck))
    }

    /// Creates a lifecycle whose stops come from `requests`, each with the name of its origin: the
    /// first leads to the soft stop after `lame_duck`, the second is the hard one.
    #[expect(
        clippy::disallowed_methods,
        reason = "not a task to wait for: it listens as long as the process lives"
    )]
    pub fn with_stop_requests(
        requests: impl Stream<Item = &'static str> + Send + 'static,
        lame_duck: Duration,
    ) -> Lifecycle {
        let tasks = Tasks::new();
        let stops = Stops {
            draining: CancellationToken::new(),
            soft: tasks.stop().clone(),
            hard: CancellationToken::new(),
        };
        let lifecycle =
            Lifecycle { tasks, draining: stops.draining.clone(), hard_stop: stops.hard.clone() };
        tokio::spawn(stops.forward(requests, lame_duck));
        lifecycle
    }

    /// Cancelled when the process is no longer ready: by the first request to stop, or with the
    /// soft stop of whatever other cause.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Task group of the process.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Waits for the prerequisites of the process. A failure is logged and returned as
    /// [`Exit::FailedToStart`]; a stop meanwhile cancels the start and is [`Exit::Clean`].
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
                info!("stopped during the start");
                self.tasks.abort();
                Err(Exit::Clean)
            }
        }
    }

    /// Runs until a stop or the failure of an essential task, then gives the tasks `soft_limit` to
    /// finish their work, and drops the rest.
    pub async fn run(self, soft_limit: Duration) -> Exit {
        self.tasks.stop().cancelled().await;
        info!(running = self.tasks.running_count(), "stopping: waiting for running tasks");
        let drained = tokio::select! {
            () = self.tasks.wait() => true,
            () = tokio::time::sleep(soft_limit) => {
                warn!(running = self.tasks.running_count(), ?soft_limit, "tasks did not finish within the limit, dropping them");
                false
            }
            () = self.hard_stop.cancelled() => {
                warn!(running = self.tasks.running_count(), "second stop request, dropping all tasks");
                false
            }
        };
        self.tasks.abort();
        match self.tasks.failure() {
            Some(failure) => {
                error!(task = %failure.task, reason = %failure.reason, "stopped after the failure of an essential task");
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

/// Stops of a process, in their order.
struct Stops {
    draining: CancellationToken,
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stops {
    async fn forward(self, requests: impl Stream<Item = &'static str>, lame_duck: Duration) {
        let mut requests = std::pin::pin!(requests);
        let first = tokio::select! {
            biased;
            Some(origin) = requests.next() => Some(origin),
            () = self.soft.cancelled() => None,
        };
        self.draining.cancel();
        if let Some(origin) = first {
            info!(origin, ?lame_duck, "received a stop request");
            tokio::select! {
                biased;
                () = self.soft.cancelled() => {}
                () = tokio::time::sleep(lame_duck) => self.soft.cancel(),
                Some(origin) = requests.next() => {
                    info!(origin, "received a second stop request");
                    self.soft.cancel();
                    self.hard.cancel();
                }
            }
        }
        if let Some(origin) = requests.next().await {
            info!(origin, "received a further stop request");
            self.hard.cancel();
        }
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
