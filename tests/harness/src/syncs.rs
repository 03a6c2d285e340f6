//! Count of the system calls by which a running program syncs files to the disk.

use crate::process::Process;
use crate::wait::wait_blocking;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Counts the calls of fsync and fdatasync by a process while `work` runs.
pub async fn count_syncs(pid: u32, work: impl AsyncFnOnce()) -> usize {
    let folder = tempfile::Builder::new().prefix("syncs-").tempdir().expect("a directory");
    let (calls, log) = (folder.path().join("calls"), folder.path().join("log"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=fsync,fdatasync", "-o"]).arg(&calls);
    strace.args(["-p", &pid.to_string()]);
    let mut tracer = Process::start(strace, &log, folder.path());
    let is_attached = || read(&log).contains("attached");
    let attached = wait_blocking(Duration::from_secs(20), is_attached);
    assert!(attached, "strace, which ./tests/run tools installs, does not attach: {}", read(&log));
    work().await;
    tracer.terminate();
    tracer.wait();
    // A call that another thread interrupted takes two lines, of which one says so.
    read(&calls).lines().filter(|line| line.contains("sync(")).count()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
