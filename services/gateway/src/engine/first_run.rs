//! First run of a site's worker, within the request whose command began it.
//!
//! The usual command finds nobody before it. Its request decides and appends it without a task of
//! its own, which would be woken for the command, and wake the request for the answer. A request
//! that goes away leaves the run to a task: the entry may be on its way, and commands of others
//! wait behind it.

use super::command_queue::Answer;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Run of a worker; it ends when the command that began it has its answer.
pub(super) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Owner of the runs of a site, which can go on as tasks.
pub(super) trait StartsTasks: Send + Sync {
    /// Starts a task for a run.
    fn start_task(&self, run: Run);
}

/// Answer to a command, and the run that makes it unless another one does.
pub(super) struct FirstRun {
    run: Option<Run>,
    answer: oneshot::Receiver<Answer>,
    worker: Arc<dyn StartsTasks>,
}

impl FirstRun {
    pub(super) fn new(
        run: Option<Run>,
        answer: oneshot::Receiver<Answer>,
        worker: Arc<dyn StartsTasks>,
    ) -> Self {
        FirstRun { run, answer, worker }
    }

    fn poll_run(&mut self, context: &mut Context<'_>) {
        let Some(run) = &mut self.run else { return };
        match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => self.run = None,
            Err(panic) => {
                self.run = None;
                // It ends the process, as in a task: the site would decide no more.
                self.worker.start_task(Box::pin(panic_again(panic)));
            }
        }
    }
}

async fn panic_again(panic: Box<dyn Any + Send>) {
    resume_unwind(panic)
}

impl Future for FirstRun {
    /// `None` if the worker gave the command up.
    type Output = Option<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Answer>> {
        self.poll_run(context);
        Pin::new(&mut self.answer).poll(context).map(Result::ok)
    }
}

impl Drop for FirstRun {
    fn drop(&mut self) {
        // Without a runtime the process has ended.
        if let Some(run) = self.run.take()
            && Handle::try_current().is_ok()
        {
            self.worker.start_task(run);
        }
    }
}
