//! Count of the system calls by which running programs sync files to the disk.

use crate::process::Process;
use crate::wait::wait_blocking;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Counts the calls of fsync and fdatasync by a process while `work` runs.
pub async fn count_syncs(pid: u32, work: impl AsyncFnOnce()) -> usize {
    synced_files(&[pid], work).await.len()
}

/// Lists the files that these processes sync while `work` runs, each as often as it was synced.
pub async fn synced_files(pids: &[u32], work: impl AsyncFnOnce()) -> Vec<String> {
    let folder = tempfile::Builder::new().prefix("syncs-").tempdir().expect("a directory");
    let (calls, log) = (folder.path().join("calls"), folder.path().join("log"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"]).arg(&calls);
    pids.iter().for_each(|pid| {
        strace.args(["-p", &pid.to_string()]);
    });
    let mut tracer = Process::start(strace, &log, folder.path());
    let are_attached = || read(&log).matches("attached").count() >= pids.len();
    let attached = wait_blocking(Duration::from_secs(20), are_attached);
    assert!(attached, "strace, which ./tests/run tools installs, does not attach: {}", read(&log));
    work().await;
    tracer.terminate();
    tracer.wait();
    read(&calls).lines().filter_map(synced_file).map(str::to_owned).collect()
}

/// File in a line such as `7 fsync(8</data/1.blk>) = 0`. A call that another thread interrupted
/// takes two lines, of which the second has no file.
fn synced_file(line: &str) -> Option<&str> {
    let (_, call) = line.split_once("sync(")?;
    let (_, file) = call.split_once('<')?;
    Some(file.split_once('>').map_or(file, |(file, _)| file))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_and_names_its_file() {
        let lines = [
            ("7 fsync(8</data/1.blk>) = 0", Some("/data/1.blk")),
            ("7 fdatasync(8</data/a b> <unfinished ...>", Some("/data/a b")),
            ("7 <... fsync resumed>)             = 0", None),
            ("7 +++ exited with 0 +++", None),
        ];
        for (line, file) in lines {
            assert_eq!(synced_file(line), file, "{line}");
        }
    }
}
