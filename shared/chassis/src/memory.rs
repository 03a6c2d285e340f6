//! Memory of this process.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time from the start of a role to the first return of memory: its configuration is free then.
const FIRST_RETURN: Duration = Duration::from_secs(5);

/// Interval at which memory is returned.
const RETURN_INTERVAL: Duration = Duration::from_secs(60);

/// Keeps the kernel from backing memory by pages of two megabytes. A role at rest touches a little
/// of each, and would take three times as much. A kernel that has no such pages refuses, which is
/// as good.
pub fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Returns free memory to the kernel now and then, until the stop.
///
/// The allocator does so when a thread ends, and for what has been free for a second. Threads for
/// blocking work end some seconds after it. A role at rest has none.
pub async fn return_regularly(stop: CancellationToken) {
    let mut delay = FIRST_RETURN;
    while stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_some() {
        // A thread without memory of its own has nothing to do with the allocator.
        let _ = tokio::task::spawn_blocking(|| drop(std::hint::black_box(Box::new(0_u8)))).await;
        delay = RETURN_INTERVAL;
    }
}
