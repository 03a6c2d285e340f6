//! Test of the metric of readiness, in a process of its own: there is one recorder for each.

use futures::FutureExt;
use paihao_chassis::admin::{Admin, ReadinessCheck};
use paihao_chassis::{Tasks, metrics};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

fn failing_check() -> ReadinessCheck {
    Arc::new(|| std::future::ready(Err("it fails".to_owned())).boxed())
}

#[tokio::test(start_paused = true)]
async fn whether_a_process_is_ready_is_a_metric() {
    let tasks = Tasks::new();
    let recorder = metrics::install(&tasks).unwrap();
    let process = Tasks::new();
    let admin = Admin::new(process.stop());
    let watched = async |admin: &Admin| {
        let watching = admin.clone().watch(tasks.stop().clone());
        timeout(Duration::from_secs(1), watching).await.expect_err("it watches until the stop");
        recorder.render()
    };
    for (admin, expected) in [
        (admin.clone().check("lines", failing_check()), 0),
        (admin.clone().dependency("cache", failing_check()), 1),
        (admin.clone(), 1),
    ] {
        let text = watched(&admin).await;
        assert!(text.contains(&format!("\npaihao_ready {expected}\n")), "{text}");
    }
    process.stop().cancel();
    let text = watched(&admin).await;
    assert!(text.contains("\npaihao_ready 0\n"), "a stopping process: {text}");
    tasks.stop_and_wait().await;
}
