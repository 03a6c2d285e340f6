//! Computations that would hold up the other tasks of a thread.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs a computation beside the tasks, on a thread of its own, and returns its result. A runtime
/// of one thread does it in place, so that all that happens on it has one order.
///
/// # Panics
/// If the computation does.
pub async fn run<T: Send + 'static>(computation: impl FnOnce() -> T + Send + 'static) -> T {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return computation();
    }
    let running = tokio::task::spawn_blocking(computation);
    running.await.expect("the computation does not panic, and nobody aborts it")
}

#[cfg(test)]
mod tests {
    use super::run;
    use std::thread;

    #[tokio::test]
    async fn a_runtime_of_one_thread_computes_in_place() {
        let here = thread::current().id();
        assert_eq!(run(|| thread::current().id()).await, here);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn any_other_takes_a_further_thread() {
        let here = thread::current().id();
        assert_ne!(run(|| thread::current().id()).await, here);
    }
}
