//! Checks of the SQLite ledger's file and of its disk.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use crate::ports::limit_bytes;
use crate::storage::is_nearly_full;
use paihao_ledger_sqlite::inspect;
use std::path::{Path, PathBuf};

const LEDGER: &str = "ledger";
const LOW_DISK_BYTES: u64 = 1 << 30;
const FULL_DISK_BYTES: u64 = 100 << 20;

pub(super) async fn sqlite(path: &Path, max_file_mb: u64, context: &ProbeContext) -> Vec<Finding> {
    let path = path.to_owned();
    let times = (context.now_ms(), context.max_skew_ms);
    let checked = tokio::task::spawn_blocking(move || check_file(&path, max_file_mb, times)).await;
    checked.unwrap_or_else(|_| vec![Finding::new(LEDGER, findings::FILE_UNUSABLE)])
}

fn check_file(path: &Path, max_file_mb: u64, (now_ms, max_skew_ms): (i64, i64)) -> Vec<Finding> {
    let folder = nearest_folder(path);
    let mut findings = match inspect(path) {
        Err(error) => vec![finding(LEDGER, findings::FILE_UNUSABLE, error.to_string())],
        Ok(Some(facts)) => {
            let detail = format!("{}, {} KiB", path.display(), facts.bytes >> 10);
            let mut found = vec![finding(LEDGER, findings::FILE_OK, detail)];
            if is_nearly_full(facts.used_bytes, limit_bytes(max_file_mb)) {
                let detail = format!("{} of {max_file_mb} MiB", facts.used_bytes >> 20);
                found.push(finding(LEDGER, findings::STORE_NEARLY_FULL, detail));
            }
            let ahead_ms = facts.newest_ms.map_or(0, |newest| newest.saturating_sub(now_ms));
            if ahead_ms > max_skew_ms {
                let detail = format!("{:+.1} s", -(ahead_ms as f64) / 1000.0);
                found.push(finding(LEDGER, findings::CLOCK_WRONG, detail));
            }
            found
        }
        Ok(None) => vec![match try_write(&folder) {
            Ok(()) => finding(LEDGER, findings::FILE_NEW, path.display().to_string()),
            Err(error) => {
                let detail = format!("{}: {error}", folder.display());
                finding(LEDGER, findings::FILE_UNUSABLE, detail)
            }
        }],
    };
    if on_network(&folder) {
        findings.push(finding(LEDGER, findings::FILE_ON_NETWORK, folder.display().to_string()));
    }
    if let Ok(disk) = rustix::fs::statvfs(&folder) {
        findings.push(disk_finding(disk.f_bavail.saturating_mul(disk.f_frsize)));
    }
    findings
}

fn disk_finding(free_bytes: u64) -> Finding {
    let kind = match free_bytes {
        LOW_DISK_BYTES.. => findings::DISK_OK,
        FULL_DISK_BYTES.. => findings::DISK_LOW,
        _ => findings::DISK_FULL,
    };
    finding(LEDGER, kind, format!("{} MiB", free_bytes >> 20))
}

/// Returns the folder of a file, or its nearest ancestor that exists.
fn nearest_folder(path: &Path) -> PathBuf {
    let mut folder = path.parent().unwrap_or(path);
    while !folder.as_os_str().is_empty() && !folder.is_dir() {
        folder = folder.parent().unwrap_or(Path::new("/"));
    }
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

/// Creates and removes a file. Permissions alone do not tell, since a volume may be read-only.
fn try_write(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".paihao-doctor-{}", std::process::id()));
    std::fs::File::options().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}

/// Recognizes a network file system by its magic number in Linux: NFS, SMB (old and new), Ceph, 9P
/// or AFS.
#[cfg(target_os = "linux")]
fn on_network(folder: &Path) -> bool {
    const NETWORK: [u32; 7] =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x0102_1997, 0x5346_414f];
    rustix::fs::statfs(folder).is_ok_and(|fs| NETWORK.contains(&(fs.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn on_network(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_reported_before_it_is_full() {
        assert_eq!(disk_finding(FULL_DISK_BYTES - 1).kind, findings::DISK_FULL);
        assert_eq!(disk_finding(LOW_DISK_BYTES - 1).kind, findings::DISK_LOW);
        assert_eq!(disk_finding(LOW_DISK_BYTES).kind, findings::DISK_OK);
    }

    #[test]
    fn the_nearest_folder_above_is_found() {
        let folder = std::env::temp_dir();
        assert_eq!(nearest_folder(&folder.join("not/there/yet.sqlite")), folder);
        assert_eq!(nearest_folder(Path::new("not-there/yet.sqlite")), Path::new("."));
        assert_eq!(nearest_folder(Path::new("yet.sqlite")), Path::new("."));
    }
}
