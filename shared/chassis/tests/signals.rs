//! Test of stop signals of the operating system. It is alone in its file, because a signal reaches
//! the whole process.
#![cfg(unix)]

use paihao_chassis::{Exit, Lifecycle};
use std::process::Command;
use std::time::Duration;

#[tokio::test]
async fn sigterm_is_a_soft_stop_and_ctrl_c_after_it_a_hard_one() {
    for (signals, with_a_deaf_task, expected) in
        [(&["TERM"][..], false, Exit::Clean), (&["TERM", "INT"][..], true, Exit::NotDrained)]
    {
        let lifecycle = Lifecycle::with_signals().unwrap();
        let tasks = lifecycle.tasks().clone();
        if with_a_deaf_task {
            tasks.spawn("deaf", std::future::pending::<()>());
        }
        let me = std::process::id().to_string();
        tasks.child("sender").spawn("sender", async move {
            for signal in signals {
                assert!(Command::new("kill").args(["-s", signal, &me]).status().unwrap().success());
            }
        });
        assert_eq!(lifecycle.run(Duration::from_secs(300)).await, expected);
    }
}
