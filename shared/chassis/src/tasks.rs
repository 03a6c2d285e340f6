//! Every task that runs beside others: started here by name, told here to stop, and waited for.
//!
//! There are two stops. The **soft** one, [`Tasks::stop`], is a question each task asks itself
//! between two pieces of work: it takes no new one and ends. It is never raced against a piece of
//! work, which would cut it in half. The **hard** one, [`Tasks::abort`], drops whatever has not
//! ended.

use futures::FutureExt;
use parking_lot::Mutex;
use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{Instrument, debug, error};

/// Why a process stops without having been asked to: the first essential task that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task}: {reason}")]
pub struct TaskFailure {
    /// The name of the task, with its groups: `gateway/http`.
    pub task: String,
    /// What became of it.
    pub reason: String,
}

/// What a task may end with: nothing, or a result whose error is the reason of a failure.
pub trait TaskOutput: Send + 'static {
    /// The reason, if it failed.
    fn failure(self) -> Option<String>;
}

impl TaskOutput for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display + Send + 'static> TaskOutput for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// A handle to start tasks with. Clones share everything.
#[derive(Debug, Clone)]
pub struct Tasks {
    group: Arc<str>,
    tracker: TaskTracker,
    /// The trackers of the groups around this one, which wait for its tasks too.
    ancestors: Vec<TaskTracker>,
    stop: CancellationToken,
    hard_stop: CancellationToken,
    process: Arc<ProcessState>,
}

/// What all groups of one process share.
#[derive(Debug)]
struct ProcessState {
    stop: CancellationToken,
    failure: Mutex<Option<TaskFailure>>,
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks::new()
    }
}

impl Tasks {
    /// An empty set of tasks.
    pub fn new() -> Tasks {
        let stop = CancellationToken::new();
        Tasks {
            group: "".into(),
            tracker: TaskTracker::new(),
            ancestors: Vec::new(),
            stop: stop.clone(),
            hard_stop: CancellationToken::new(),
            process: Arc::new(ProcessState { stop, failure: Mutex::new(None) }),
        }
    }

    /// A group within this one. It can be stopped and waited for by itself; it stops when this one
    /// does, and this one waits for its tasks.
    pub fn child(&self, name: &str) -> Tasks {
        let mut around = self.ancestors.clone();
        around.push(self.tracker.clone());
        Tasks {
            group: self.qualified_name(name).into(),
            tracker: TaskTracker::new(),
            ancestors: around,
            stop: self.stop.child_token(),
            hard_stop: self.hard_stop.child_token(),
            process: self.process.clone(),
        }
    }

    /// The soft stop of this group: ask it between two pieces of work; cancel it to stop the group.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether the soft stop has been given.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The hard stop: drops the tasks of this group that have not ended, and stops it softly too.
    pub fn abort(&self) {
        self.stop.cancel();
        self.hard_stop.cancel();
    }

    /// Starts a task that may end when it likes. If it fails or panics that is logged, and the rest
    /// goes on.
    pub fn spawn<F>(&self, name: &str, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.start(name, task, false);
    }

    /// Starts a task that the process cannot do without. If it panics, fails, or ends while nobody
    /// asked it to, the whole process is told to stop and [`Tasks::failure`] says why.
    pub fn spawn_essential<F>(&self, name: &str, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.start(name, task, true);
    }

    /// Why the process stops, if an essential task failed.
    pub fn failure(&self) -> Option<TaskFailure> {
        self.process.failure.lock().clone()
    }

    /// How many tasks of this group run, its groups' tasks included.
    pub fn running_count(&self) -> usize {
        self.tracker.len()
    }

    /// Returns when no task of this group runs any more. It does not stop them, and more may be
    /// started meanwhile.
    pub async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Stops the group softly and waits for its tasks.
    pub async fn stop_and_wait(&self) {
        self.stop.cancel();
        self.wait().await;
    }

    fn qualified_name(&self, name: &str) -> String {
        if self.group.is_empty() { name.to_owned() } else { format!("{}/{name}", self.group) }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
    fn start<F>(&self, name: &str, task: F, essential: bool)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        let name = self.qualified_name(name);
        let held: Vec<TaskTrackerToken> =
            self.ancestors.iter().chain([&self.tracker]).map(TaskTracker::token).collect();
        let (stop, hard, whole) = (self.stop.clone(), self.hard_stop.clone(), self.process.clone());
        let watched = async move {
            let ended = hard.run_until_cancelled(AssertUnwindSafe(task).catch_unwind()).await;
            let reason = match ended {
                None => None,
                Some(Err(panic)) => Some(format!("panicked: {}", panic_text(&*panic))),
                Some(Ok(outcome)) => match outcome.failure() {
                    Some(reason) => Some(reason),
                    None if essential && !stop.is_cancelled() => {
                        Some("ended without being asked to".to_owned())
                    }
                    None => None,
                },
            };
            match reason {
                None => debug!(task = %name, "task ended"),
                Some(reason) => {
                    error!(task = %name, %reason, essential, "task failed");
                    if essential {
                        whole.failure.lock().get_or_insert(TaskFailure { task: name, reason });
                        whole.stop.cancel();
                    }
                }
            }
            drop(held);
        };
        tokio::spawn(watched.in_current_span());
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "without a message",
    }
}
