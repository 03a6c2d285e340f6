//! Files of the repository, as the gates and commands see them.

use std::path::{Path, PathBuf};

/// Folders that tools make or keep.
const TOOL_FOLDERS: [&str; 5] = ["target", ".git", ".cache", "paihao-data", "node_modules"];

/// The repository's top folder.
pub fn repository_root() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    top.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", top.display()))
}

/// Text of a file.
pub fn read_file(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files below a folder whose names end in one of `endings`, sorted; without folders
/// that tools make or keep.
pub fn list_files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
        for entry in entries {
            let path = entry.expect("a folder's entry").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            if path.is_dir() {
                if !TOOL_FOLDERS.contains(&&*name) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Folders of the repository's packages.
pub fn packages() -> Vec<PathBuf> {
    let manifests = list_files(&repository_root(), &["Cargo.toml"]);
    let folders = manifests.iter().filter_map(|manifest| manifest.parent());
    folders.filter(|folder| folder.join("src").is_dir()).map(Path::to_owned).collect()
}
