//! Tests of stopping tasks, waiting for them, and the exit of a process after a failure.

use futures::stream::{self, StreamExt};
use paihao_chassis::{Exit, Lifecycle, Tasks};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A lifecycle that is stopped after each of these delays, in seconds.
fn stop_requested_after<const N: usize>(seconds: [u64; N]) -> Lifecycle {
    lame_duck_after(seconds, Duration::ZERO)
}

/// The same, with a time in which it is no longer ready and still serves.
fn lame_duck_after<const N: usize>(seconds: [u64; N], lame_duck: Duration) -> Lifecycle {
    let requests = stream::iter(seconds).then(|wait| async move {
        sleep(secs(wait)).await;
        "the test"
    });
    Lifecycle::with_stop_requests(requests.chain(stream::pending()), lame_duck)
}

/// Completes units of work of ten seconds each, until the stop.
async fn worker(tasks: Tasks, finished: Arc<AtomicU32>) {
    while !tasks.is_stopping() {
        sleep(secs(10)).await;
        finished.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_soft_stop_lets_the_current_work_finish() {
    let lifecycle = stop_requested_after([25]);
    let started = Instant::now();
    let finished = Arc::new(AtomicU32::new(0));
    let tasks = lifecycle.tasks().clone();
    lifecycle.tasks().spawn_essential("worker", worker(tasks, finished.clone()));
    assert_eq!(lifecycle.run(secs(60)).await, Exit::Clean);
    assert_eq!(started.elapsed(), secs(30));
    assert_eq!(finished.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn unfinished_tasks_are_dropped_after_the_limit() {
    let lifecycle = stop_requested_after([1]);
    let started = Instant::now();
    let (held, mut dropped) = mpsc::channel::<()>(1);
    lifecycle.tasks().spawn("deaf", async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    assert_eq!(lifecycle.run(secs(20)).await, Exit::NotDrained);
    assert_eq!(started.elapsed(), secs(21));
    assert_eq!(dropped.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_stops_at_once() {
    let lifecycle = stop_requested_after([1, 2]);
    let started = Instant::now();
    lifecycle.tasks().spawn("deaf", std::future::pending::<()>());
    assert_eq!(lifecycle.run(secs(600)).await, Exit::NotDrained);
    assert_eq!(started.elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_lame_duck_is_not_ready_and_serves_until_its_time_is_over() {
    let lifecycle = lame_duck_after([1], secs(5));
    let started = Instant::now();
    let (draining, tasks) = (lifecycle.draining().clone(), lifecycle.tasks().clone());
    let (drained_at, stopped_at) = tokio::join!(
        async {
            draining.cancelled().await;
            assert!(!tasks.is_stopping());
            started.elapsed()
        },
        async {
            assert_eq!(lifecycle.run(secs(60)).await, Exit::Clean);
            started.elapsed()
        },
    );
    assert_eq!((drained_at, stopped_at), (secs(1), secs(6)));
}

#[tokio::test(start_paused = true)]
async fn a_lame_duck_ends_at_the_second_request_and_drains_after_a_failure_at_once() {
    let lifecycle = lame_duck_after([1, 2], secs(600));
    let started = Instant::now();
    lifecycle.tasks().spawn("deaf", std::future::pending::<()>());
    assert_eq!(lifecycle.run(secs(600)).await, Exit::NotDrained);
    assert_eq!(started.elapsed(), secs(3));

    let lifecycle = Lifecycle::with_stop_requests(stream::pending(), secs(600));
    let draining = lifecycle.draining().clone();
    lifecycle.tasks().spawn_essential("fails", async { Err::<(), _>("the disk is full") });
    assert_eq!(lifecycle.run(secs(60)).await, Exit::TaskFailed);
    draining.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn an_essential_task_that_fails_panics_or_just_ends_stops_the_process_by_name() {
    for (how, expected) in [
        ("fails", "the disk is full"),
        ("panics", "panicked: out of luck"),
        ("ends", "ended without being asked to"),
    ] {
        let lifecycle = Lifecycle::with_stop_requests(stream::pending(), Duration::ZERO);
        let tasks = lifecycle.tasks().clone();
        let finished = Arc::new(AtomicU32::new(0));
        tasks.spawn("other", worker(tasks.clone(), finished.clone()));
        tasks.child("notifier").spawn_essential("planner", async move {
            sleep(secs(5)).await;
            match how {
                "fails" => Err("the disk is full"),
                "panics" => panic!("out of luck"),
                _ => Ok(()),
            }
        });
        let exit = timeout(secs(600), lifecycle.run(secs(60))).await.expect("it stops");
        assert_eq!(exit, Exit::TaskFailed, "{how}");
        let failure = tasks.failure().unwrap();
        assert_eq!(failure.to_string(), format!("notifier/planner: {expected}"));
        assert_eq!(finished.load(Ordering::SeqCst), 1, "the others drained");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vital_task_may_end_and_neither_fail_nor_panic() {
    let lifecycle = stop_requested_after([50]);
    lifecycle.tasks().spawn_vital("ends", async {});
    assert_eq!(lifecycle.run(secs(60)).await, Exit::Clean);

    let lifecycle = Lifecycle::with_stop_requests(stream::pending(), Duration::ZERO);
    let tasks = lifecycle.tasks().clone();
    tasks.spawn_vital("site", async {
        if true {
            panic!("a bug")
        }
    });
    let exit = timeout(secs(600), lifecycle.run(secs(60))).await.expect("it stops");
    assert_eq!(exit, Exit::TaskFailed);
    assert_eq!(tasks.failure().unwrap().to_string(), "site: panicked: a bug");
}

#[tokio::test(start_paused = true)]
async fn other_tasks_may_fail_and_end() {
    let lifecycle = stop_requested_after([50]);
    let started = Instant::now();
    lifecycle.tasks().spawn("fails", async { Err::<(), _>("no matter") });
    lifecycle.tasks().spawn("panics", async {
        if true {
            panic!("no matter")
        }
    });
    lifecycle.tasks().spawn("ends", async {});
    assert_eq!(lifecycle.run(secs(60)).await, Exit::Clean);
    assert_eq!(started.elapsed(), secs(50));
}

#[tokio::test(start_paused = true)]
async fn a_group_stops_by_itself_and_with_the_whole() {
    let whole = Tasks::new();
    let one = whole.child("one");
    let other = whole.child("other");
    for group in [&one, &other] {
        group.child("inner").spawn("worker", worker(group.clone(), Arc::default()));
    }
    assert_eq!((whole.running_count(), one.running_count()), (2, 1));
    one.stop_and_wait().await;
    assert_eq!((whole.running_count(), other.running_count()), (1, 1));
    assert!(!other.is_stopping());
    whole.stop_and_wait().await;
    assert_eq!((whole.running_count(), other.running_count()), (0, 0));
    assert_eq!(whole.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn a_start_fails_with_its_reason_and_can_be_stopped() {
    let lifecycle = stop_requested_after([10]);
    assert_eq!(lifecycle.start(async { Ok::<_, String>(7) }).await, Ok(7));
    assert_eq!(
        lifecycle.start(async { Err::<(), _>("the port is taken") }).await,
        Err(Exit::FailedToStart)
    );
    let lifecycle = stop_requested_after([10]);
    let started = Instant::now();
    let forever = std::future::pending::<Result<(), String>>();
    assert_eq!(lifecycle.start(forever).await, Err(Exit::Clean));
    assert_eq!(started.elapsed(), secs(10));
}

#[test]
fn the_exit_codes_are_what_the_manual_says() {
    let codes = [
        (Exit::Clean, 0),
        (Exit::FailedToStart, 1),
        (Exit::BadConfiguration, 2),
        (Exit::TaskFailed, 3),
        (Exit::NotDrained, 4),
    ];
    for (exit, code) in codes {
        assert_eq!(exit as u8, code);
    }
}
