//! Processor time and memory of processes, as counted by the Linux kernel, and their open files.

use anyhow::{Context, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::time::Duration;

/// Ticks per second in which Linux reports processor time to programs (USER_HZ), whatever its own
/// tick is.
const TICKS_PER_SECOND: u64 = 100;

/// Resources used by one process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time in user and kernel mode.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    /// Part of the resident memory that the process itself has written, and no file holds.
    pub own: u64,
    /// Peak of the resident memory in bytes.
    pub peak: u64,
}

/// Reads the usage of a process.
pub fn process_usage(pid: u32) -> anyhow::Result<Usage> {
    let read = |file: &str| {
        let file = format!("/proc/{pid}/{file}");
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))
    };
    let stat = read("stat")?;
    let status = read("status")?;
    Ok(Usage {
        cpu: process_cpu_time(&stat).context("the process's stat reads differently here")?,
        resident: status_kib(&status, "VmRSS:").context("no VmRSS in the process's status")?,
        own: status_kib(&status, "RssAnon:").context("no RssAnon in the process's status")?,
        peak: status_kib(&status, "VmHWM:").context("no VmHWM in the process's status")?,
    })
}

/// Busy time of all processors together, for all processes of the machine.
pub fn machine_cpu_time() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    busy_cpu_time(&stat).context("/proc/stat reads differently here")
}

/// Processor time of this process, of the processes that it started, and of theirs: of those that
/// run, and of those that have ended and were waited for.
pub fn own_tree_cpu_time() -> anyhow::Result<Duration> {
    let mut times = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").context("cannot read /proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end meanwhile.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let times_of = parent_and_cpu_time(&stat);
        times.insert(pid, times_of.context("the process's stat reads differently here")?);
    }
    Ok(tree_cpu_time(std::process::id(), &times))
}

/// Number of processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Raises the limit of open files, which the processes that are started inherit. Every connection
/// is one, here and there.
pub fn raise_file_limit(wanted: u64) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let most = limit.maximum;
    ensure!(
        most.is_none_or(|most| most >= wanted),
        "{wanted} open files are needed and {most:?} allowed: raise it with `ulimit -Hn {wanted}`"
    );
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}

/// Sums the fields 14 and 15. The second field is the program's name, which may contain spaces.
fn process_cpu_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(ticks_to_duration(user + system))
}

/// Parent, and the sum of the fields 14 to 17: of the process and of its children that have ended.
fn parent_and_cpu_time(stat: &str) -> Option<(u32, Duration)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
    Some((fields.get(1)?.parse().ok()?, ticks_to_duration(ticks.sum::<Option<u64>>()?)))
}

/// Sum over a process and all below it.
fn tree_cpu_time(top: u32, times: &BTreeMap<u32, (u32, Duration)>) -> Duration {
    let mut sum = Duration::ZERO;
    let mut open = vec![top];
    while let Some(process) = open.pop() {
        sum += times.get(&process).map_or(Duration::ZERO, |(_, time)| *time);
        open.extend(times.iter().filter(|(_, (parent, _))| *parent == process).map(|(pid, _)| pid));
    }
    sum
}

/// Sums user, nice, system and steal, without idle and iowait. Interrupts belong to no process, and
/// those of a loopback network to whoever uses it.
fn busy_cpu_time(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let at = |field: usize| fields.get(field).copied();
    Some(ticks_to_duration(at(0)? + at(1)? + at(2)? + at(7)?))
}

fn ticks_to_duration(count: u64) -> Duration {
    Duration::from_millis(count * 1000 / TICKS_PER_SECOND)
}

fn status_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_a_name_with_spaces() {
        let stat = "7 (a) b c) S 1 1 1 0 -1 4194304 1 0 0 0 200 100 0 0 20 0 3 0 1 2 3";
        assert_eq!(process_cpu_time(stat), Some(ticks_to_duration(300)));
    }

    #[test]
    fn a_tree_has_its_own_and_no_others() {
        let time = Duration::from_secs;
        let all = [(1, (0, time(100))), (7, (1, time(1))), (8, (7, time(2))), (9, (8, time(4)))];
        assert_eq!(tree_cpu_time(7, &BTreeMap::from(all)), time(7));
        let stat = "7 (a) S 5 1 1 0 -1 4194304 1 0 0 0 200 100 30 1 20 0 3 0 1 2 3";
        assert_eq!(parent_and_cpu_time(stat), Some((5, ticks_to_duration(331))));
    }

    #[test]
    fn idle_time_is_not_work() {
        let stat = "cpu  10 1 20 5000 600 2 3 4 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n";
        assert_eq!(busy_cpu_time(stat), Some(ticks_to_duration(35)));
    }

    #[test]
    fn this_process_can_be_asked_about() {
        let usage = process_usage(std::process::id()).unwrap();
        assert!(usage.resident > 0 && usage.peak >= usage.resident);
        assert!(machine_cpu_time().unwrap() >= usage.cpu);
    }
}
