//! Power cut of a machine: what a killed program had not synced is lost, in whole or in part.

use crate::preload::compile;
use std::ffi::OsString;
use std::path::Path;
use tempfile::TempDir;

/// Smallest unit that a disk writes as a whole, in bytes.
const SECTOR: usize = 512;

/// Loss of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerCut {
    /// Everything that was not synced is lost.
    LosesAll,
    /// Each sector that was not synced is lost or kept, at random by this seed.
    LosesSome(u64),
}

/// Copies of a program's files as of their last sync.
pub struct SyncedFiles {
    folder: TempDir,
}

impl SyncedFiles {
    /// Prepares an empty set of copies.
    pub fn new() -> SyncedFiles {
        let folder = tempfile::Builder::new().prefix("synced-").tempdir().expect("a directory");
        compile(folder.path(), "synced_files", include_str!("preloaded/synced_files.c"));
        SyncedFiles { folder }
    }

    /// Environment of the program.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("LD_PRELOAD".into(), self.folder.path().join("synced_files.so").into_os_string()),
            ("HARNESS_SYNCED_FILES".into(), self.folder.path().as_os_str().to_owned()),
        ]
    }

    /// Number of syncs so far.
    pub fn sync_count(&self) -> usize {
        std::fs::metadata(self.folder.path().join("calls")).map_or(0, |calls| calls.len() as usize)
    }

    /// Changes the files in this folder to what a power cut leaves of them, which is on the disk
    /// from then on. The program has been killed.
    pub fn cut_power(&self, files: &Path, cut: PowerCut) {
        for entry in std::fs::read_dir(files).expect("a directory") {
            let file = entry.expect("an entry").path();
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let written = std::fs::read(&file).expect("a file can be read");
            let copy = self.folder.path().join(format!("file-{name}"));
            let synced = std::fs::read(&copy).ok();
            if let Some(survived) = surviving(synced, written, cut) {
                std::fs::write(&file, &survived).expect("a file can be written");
                std::fs::write(&copy, &survived).expect("a file can be written");
            } else {
                std::fs::remove_file(&file).expect("a file can be removed");
            }
        }
    }
}

impl Default for SyncedFiles {
    fn default() -> Self {
        SyncedFiles::new()
    }
}

/// Content of a file after a power cut; `None` if it is not there.
fn surviving(synced: Option<Vec<u8>>, written: Vec<u8>, cut: PowerCut) -> Option<Vec<u8>> {
    let PowerCut::LosesSome(seed) = cut else { return synced };
    let mut random = seed;
    let mut keeps = || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 63 == 1
    };
    let synced = match synced {
        Some(synced) => synced,
        None if keeps() => Vec::new(),
        None => return None,
    };
    let length = if keeps() { written.len() } else { synced.len() };
    let mut survived = vec![0; length];
    for (i, sector) in survived.chunks_mut(SECTOR).enumerate() {
        let source = if keeps() { &written } else { &synced };
        let part = source.get(i * SECTOR..).unwrap_or_default();
        let part = &part[..part.len().min(sector.len())];
        sector[..part.len()].copy_from_slice(part);
    }
    Some(survived)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_was_not_synced_is_lost() {
        let synced = SyncedFiles::new();
        let files = tempfile::tempdir().unwrap();
        let script = "
import os
def put(name, data, sync):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(fd, data)
    if sync: sync(fd)
put('both', b'a', os.fsync)
put('both', b'b', os.fdatasync)
put('both', b'c', None)
put('never', b'd', None)
";
        let mut program = Command::new("python3");
        program.args(["-c", script]).current_dir(files.path()).envs(synced.environment());
        assert!(program.status().unwrap().success());
        assert_eq!(synced.sync_count(), 2);
        let read = |name: &str| std::fs::read_to_string(files.path().join(name)).ok();
        assert_eq!(read("both").as_deref(), Some("abc"));
        synced.cut_power(files.path(), PowerCut::LosesAll);
        assert_eq!((read("both").as_deref(), read("never")), (Some("ab"), None));
    }

    #[test]
    fn a_cut_keeps_each_synced_byte_that_was_not_written_again() {
        let synced: Vec<u8> = vec![1; 10 * SECTOR];
        let written = [vec![1; 5 * SECTOR], vec![2; 9 * SECTOR]].concat();
        let mut mixed = 0;
        for seed in 0..100 {
            let cut = PowerCut::LosesSome(seed * 7919);
            let survived = surviving(Some(synced.clone()), written.clone(), cut).unwrap();
            assert_eq!(survived[..5 * SECTOR], synced[..5 * SECTOR]);
            let rest = &survived[5 * SECTOR..10 * SECTOR];
            mixed += usize::from(rest.contains(&1) && rest.contains(&2));
        }
        assert!(mixed > 50, "{mixed}");
    }
}
