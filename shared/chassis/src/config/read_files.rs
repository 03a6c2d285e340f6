//! Files that a configuration was read from, to tell later whether one has changed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

thread_local! {
    /// Files of the reading that this thread records. A secret is read deep within serde, which
    /// takes no argument there.
    static RECORDED: RefCell<Option<ReadFiles>> = RefCell::default();
}

/// Files that were read, each with a hash of its content; `None` for one that could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadFiles(BTreeMap<PathBuf, Option<u64>>);

impl ReadFiles {
    /// Runs a reading on this thread, and returns its result with the files that it read through
    /// [`read_file`].
    pub fn record<T>(reading: impl FnOnce() -> T) -> (T, ReadFiles) {
        let around = RECORDED.replace(Some(ReadFiles::default()));
        let result = reading();
        let recorded = RECORDED.replace(around).unwrap_or_default();
        (result, recorded)
    }

    /// Returns whether each file has the content that was read, or still cannot be read.
    pub fn are_unchanged(&self) -> bool {
        self.0.iter().all(|(path, hash)| content_hash(&std::fs::read(path)) == *hash)
    }
}

/// Reads a file that belongs to a configuration.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let content = std::fs::read(path);
    RECORDED.with_borrow_mut(|recorded| {
        if let Some(ReadFiles(files)) = recorded {
            files.insert(path.to_owned(), content_hash(&content));
        }
    });
    content
}

/// Reads a text that belongs to a configuration.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_file(path)?).map_err(io::Error::other)
}

fn content_hash(content: &io::Result<Vec<u8>>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    content.as_ref().ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_that_was_read_counts_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let [read, missing, other] =
            ["read", "missing", "other"].map(|name| folder.path().join(name));
        std::fs::write(&read, "a").unwrap();
        let ((), files) = ReadFiles::record(|| {
            read_file(&read).unwrap();
            read_file(&missing).unwrap_err();
        });
        std::fs::write(&other, "a").unwrap();
        read_file(&other).unwrap();
        assert!(files.are_unchanged());
        for (path, content) in [(&read, "b"), (&missing, "")] {
            std::fs::write(path, content).unwrap();
            assert!(!files.are_unchanged());
            let ((), files) = ReadFiles::record(|| drop(read_file(path).unwrap()));
            assert!(files.are_unchanged());
            std::fs::remove_file(path).unwrap();
            assert!(!files.are_unchanged(), "one that has gone has changed");
        }
    }

    #[test]
    fn a_record_within_another_is_its_own() {
        let ((inner, _), outer) = ReadFiles::record(|| {
            let inner = ReadFiles::record(|| drop(read_file(Path::new("/nowhere/inner")))).1;
            drop(read_file(Path::new("/nowhere/outer")));
            (inner, ())
        });
        let paths = |files: &ReadFiles| files.0.keys().cloned().collect::<Vec<_>>();
        assert_eq!(paths(&inner), [Path::new("/nowhere/inner")]);
        assert_eq!(paths(&outer), [Path::new("/nowhere/outer")]);
    }
}
