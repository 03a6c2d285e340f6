//! Every dependency of a manifest is used by the sources of its package.

use crate::repository::{graph, list_files, read_file, repository_root};
use architecture::syntax::idents;
use std::collections::BTreeSet;

/// Dependencies that no path names, each with the reason why it is there.
const NOT_NAMED: [(&str, &str, &str); 1] =
    [("tests/footprint", "peak_alloc", "its second program names it, beside the tests")];

/// Shared dependencies that a package is about to take, each with its use.
const TO_BE_USED: [(&str, &str); 0] = [];

fn crate_names(manifest: &toml::Table, tables: &[&str]) -> BTreeSet<String> {
    let tables = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
    tables.flatten().map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for package in architecture::files::packages() {
        let folder = package.strip_prefix(repository_root()).unwrap().to_str().unwrap().to_owned();
        let manifest: toml::Table = read_file(&format!("{folder}/Cargo.toml")).parse().unwrap();
        let shipped = &graph(&folder).first_names;
        let everywhere: BTreeSet<_> = list_files(&folder, &[".rs"])
            .iter()
            .flat_map(|file| idents(&read_file(file)))
            .map(|ident| ident.to_string())
            .collect();
        for (tables, names, how) in [
            (&["dependencies"][..], shipped, "outside of its tests"),
            (&["dev-dependencies", "build-dependencies"], &everywhere, "at all"),
        ] {
            for dependency in crate_names(&manifest, tables) {
                let used = names.contains(&dependency.replace('-', "_"));
                let listed = NOT_NAMED.iter().any(|(p, d, _)| (*p, *d) == (&*folder, &*dependency));
                if !used && !listed {
                    unused.push(format!("{folder} does not use {dependency} {how}"));
                }
                if used && listed {
                    unused.push(format!("{folder} does name {dependency}: take it off the list"));
                }
            }
        }
    }
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

#[test]
fn every_shared_dependency_is_taken_by_a_package() {
    let manifest: toml::Table = read_file("Cargo.toml").parse().unwrap();
    let workspace = manifest["workspace"].as_table().unwrap();
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let taken: BTreeSet<_> = architecture::files::packages()
        .iter()
        .map(|package| architecture::files::read_file(&package.join("Cargo.toml")))
        .flat_map(|text| crate_names(&text.parse().unwrap(), &tables))
        .collect();
    let shared = crate_names(workspace, &["dependencies"]);
    let coming: BTreeSet<_> = TO_BE_USED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let unused: BTreeSet<_> = shared.difference(&taken).cloned().collect();
    assert_eq!(unused, coming, "taken by no package, and listed as coming");
}
