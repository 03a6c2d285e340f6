//! Named task groups with a soft and a hard stop.
//!
//! The **soft** stop, [`Tasks::stop`], is polled by each task between two units of work: the task
//! takes no new one and ends. It never interrupts a unit of work. The **hard** stop,
//! [`Tasks::abort`], drops the tasks that have not ended.

use crate::trace;
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
use tracing::{debug, error};

/// The failure of an essential task, which stops the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task}: {reason}")]
pub struct TaskFailure {
    /// Name of the task, with its groups: `gateway/http`.
    pub task: String,
    /// Reason of the failure.
    pub reason: String,
}

/// Result of a task: nothing, or a result whose error is the reason of a failure.
pub trait TaskOutput: Send + 'static {
    /// The reason, if the task failed.
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

/// Effect of a task's end on the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Importance {
    /// None.
    Ordinary,
    /// A failure or panic stops it.
    Vital,
    /// Any end before the stop stops it.
    Essential,
}

/// Handle to a task group. Clones share the group.
#[derive(Debug, Clone)]
pub struct Tasks {
    group: Arc<str>,
    tracker: TaskTracker,
    /// Trackers of the enclosing groups, which wait for these tasks too.
    ancestors: Vec<TaskTracker>,
    stop: CancellationToken,
    hard_stop: CancellationToken,
    process: Arc<ProcessState>,
}

/// State shared by all groups of one process.
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
    /// Creates an empty group.
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

    /// Creates a group within this one. It can be stopped and awaited by itself; it stops with this
    /// one, and this one waits for its tasks.
    pub fn child(&self, name: &str) -> Tasks {
        let mut ancestors = self.ancestors.clone();
        ancestors.push(self.tracker.clone());
        Tasks {
            group: self.qualified_name(name).into(),
            tracker: TaskTracker::new(),
            ancestors,
            stop: self.stop.child_token(),
            hard_stop: self.hard_stop.child_token(),
            process: self.process.clone(),
        }
    }

    /// Soft stop of this group: poll it between two units of work; cancel it to stop the group.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// True after the soft stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Hard stop: drops the unfinished tasks of this group, and triggers the soft stop too.
    pub fn abort(&self) {
        self.stop.cancel();
        self.hard_stop.cancel();
    }

    /// Spawns a task that may end at any time. A failure or panic is logged, and the process
    /// continues.
    pub fn spawn<F>(&self, name: &str, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.start(name, task, Importance::Ordinary);
    }

    /// Spawns a vital task, which may end at any time. If it panics or fails, the whole process
    /// stops and [`Tasks::failure`] returns the reason.
    pub fn spawn_vital<F>(&self, name: &str, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.start(name, task, Importance::Vital);
    }

    /// Spawns an essential task. If it panics, fails, or ends before the stop, the whole process
    /// stops and [`Tasks::failure`] returns the reason.
    pub fn spawn_essential<F>(&self, name: &str, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.start(name, task, Importance::Essential);
    }

    /// The failure of an essential task, if there was one.
    pub fn failure(&self) -> Option<TaskFailure> {
        self.process.failure.lock().clone()
    }

    /// Number of running tasks in this group and in groups within it.
    pub fn running_count(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until no task of this group runs. It does not stop them, and more may be started
    /// meanwhile.
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
    fn start<F>(&self, name: &str, task: F, importance: Importance)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        let name = self.qualified_name(name);
        let tokens: Vec<TaskTrackerToken> =
            self.ancestors.iter().chain([&self.tracker]).map(TaskTracker::token).collect();
        let stop = self.stop.clone();
        let hard_stop = self.hard_stop.clone();
        let process = self.process.clone();
        let watched = async move {
            let ended = hard_stop.run_until_cancelled(AssertUnwindSafe(task).catch_unwind()).await;
            let reason = match ended {
                None => None,
                Some(Err(panic)) => Some(format!("panicked: {}", panic_text(&*panic))),
                Some(Ok(outcome)) => match outcome.failure() {
                    Some(reason) => Some(reason),
                    None if importance == Importance::Essential && !stop.is_cancelled() => {
                        Some("ended without being asked to".to_owned())
                    }
                    None => None,
                },
            };
            match reason {
                None => debug!(task = %name, "task ended"),
                Some(reason) => {
                    error!(task = %name, %reason, ?importance, "task failed");
                    if importance != Importance::Ordinary {
                        process.failure.lock().get_or_insert(TaskFailure { task: name, reason });
                        process.stop.cancel();
                    }
                }
            }
            drop(tokens);
        };
        tokio::spawn(trace::logged_here(watched));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "without a message",
    }
}
