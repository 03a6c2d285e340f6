//! Files that only this program's user may read, which survive a power cut whole or not at all.

use anyhow::Context;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes a file that is not there yet.
pub(crate) fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    write(path, text)?;
    sync_folder(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file, in the place of the one that may be there.
pub(crate) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut partial = path.to_owned().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let _ = std::fs::remove_file(&partial);
    write(&partial, text)?;
    let replaced = std::fs::rename(&partial, path).and_then(|()| sync_folder(path));
    replaced.with_context(|| format!("cannot write {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Makes the name of a new file durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_there_is_replaced_only_when_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        create(&path, "one").unwrap();
        assert!(create(&path, "two").is_err());
        std::fs::write(folder.path().join("x.partial"), "of a start that died").unwrap();
        replace(&path, "three").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("x.partial").exists());
    }
}
