//! Names of the tests of a package, as its sources declare them.

use crate::files::list_files;
use crate::syntax::parse;
use std::path::Path;
use syn::visit::{self, Visit};

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Test binary under `tests/`; `None` for the unit tests.
    pub target: Option<String>,
    /// Path of the test, as `cargo test` filters it.
    pub path: String,
}

/// Tests of the package in a folder. Those that macros make are not seen.
pub fn of(package: &Path) -> Vec<Test> {
    let mut found = Vec::new();
    for top in ["src", "tests"].map(|top| package.join(top)).iter().filter(|top| top.is_dir()) {
        for file in list_files(top, &[".rs"]) {
            let inner = file.strip_prefix(top).expect("below").with_extension("");
            let mut names: Vec<_> =
                inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let target = top.ends_with("tests").then(|| names.remove(0));
            names.retain(|name| !["lib", "main", "mod"].contains(&name.as_str()));
            let mut collector = Collector { names, found: Vec::new() };
            collector.visit_file(&parse(&file));
            let tests = collector.found.into_iter();
            found.extend(tests.map(|path| Test { target: target.clone(), path }));
        }
    }
    found
}

struct Collector {
    names: Vec<String>,
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.names.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.names.pop();
    }

    /// `#[test]`, `#[tokio::test]` and their like.
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let last = |a: &syn::Attribute| a.path().segments.last().map(|s| s.ident.to_string());
        if function.attrs.iter().any(|a| last(a).is_some_and(|name| name == "test")) {
            let mut names = self.names.clone();
            names.push(function.sig.ident.to_string());
            self.found.push(names.join("::"));
        }
    }
}
