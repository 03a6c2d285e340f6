//! The repository as the gates see it: its files, and what cargo says of its packages.

use architecture::graph::Graph;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use architecture::files::repository_root;

/// A file's text, by its path from the root.
pub(crate) fn read_file(path: &str) -> String {
    std::fs::read_to_string(repository_root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All files below a folder that end in one of these, by their path from the root; nothing that is
/// built or kept by tools.
pub(crate) fn list_files(below: &str, endings: &[&str]) -> Vec<String> {
    let from_root =
        |path: &Path| path.strip_prefix(repository_root()).unwrap().to_string_lossy().into_owned();
    let found = architecture::files::list_files(&repository_root().join(below), endings);
    found.iter().map(|path| from_root(&path.components().collect::<PathBuf>())).collect()
}

/// The module graph of a package, by its path from the root; read once for all tests.
pub(crate) fn graph(package: &str) -> Arc<Graph> {
    static GRAPHS: Mutex<BTreeMap<String, Arc<Graph>>> = Mutex::new(BTreeMap::new());
    // A package that cannot be read fails its own test alone.
    let mut graphs = GRAPHS.lock().unwrap_or_else(PoisonError::into_inner);
    let read = || Arc::new(Graph::read(&repository_root().join(package)));
    graphs.entry(package.to_owned()).or_insert_with(read).clone()
}

/// The names of the packages that a package is built from, itself included: its tree without what
/// only its tests need.
pub(crate) fn dependency_tree(package: &str) -> Vec<String> {
    let shape = ["-e", "normal,build", "--target", "all", "--prefix", "none", "--format", "{p}"];
    let output = run_cargo(&["tree", "--locked", "--package", package], &shape);
    let names = output.lines().filter_map(|line| line.split(' ').next().map(str::to_owned));
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    assert!(names.iter().any(|name| name == package), "cargo tree of {package}: {output}");
    names
}

/// One package of the workspace.
pub(crate) struct WorkspacePackage {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Names of what it depends on, outside of its tests.
    pub(crate) dependencies: Vec<String>,
    /// Its manifest, by its path from the root.
    pub(crate) manifest: String,
}

/// The packages of the workspace.
pub(crate) fn workspace_packages() -> Vec<WorkspacePackage> {
    let output = run_cargo(&["metadata", "--locked", "--format-version", "1", "--no-deps"], &[]);
    let metadata: serde_json::Value = serde_json::from_str(&output).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|package| WorkspacePackage {
            name: text(&package["name"]),
            description: text(&package["description"]),
            dependencies: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect(),
            manifest: Path::new(&text(&package["manifest_path"]))
                .strip_prefix(repository_root())
                .unwrap()
                .to_string_lossy()
                .into_owned(),
        })
        .collect()
}

fn run_cargo(command: &[&str], more: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(repository_root())
        .args(command)
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
