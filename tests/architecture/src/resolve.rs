//! Module tree of a crate, and the file in which a path's name is defined.

use crate::references::{Kind, Reference};
use crate::syntax::{attributes, name, only_in_tests, parse};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::Item;

/// Re-exports followed until a name is given up.
const MAX_HOPS: usize = 16;

/// One module: a file, or a part of one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Names from the crate's root down, without `crate`.
    pub(crate) path: Vec<String>,
    /// Index into [`Tree::files`].
    pub(crate) file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

/// Modules of one crate, or of a library and a program in one package.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
    pub(crate) files: Vec<PathBuf>,
    /// References of each file.
    pub(crate) references: Vec<Vec<Reference>>,
    /// The module that each file is.
    pub(crate) module_of: Vec<usize>,
}

/// Target of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Module(usize),
    /// A name defined in a module.
    Item(usize),
}

impl Found {
    pub(crate) fn module(self) -> usize {
        match self {
            Found::Module(module) | Found::Item(module) => module,
        }
    }
}

impl Tree {
    /// Reads a package's modules, from `src/lib.rs` and `src/main.rs` down.
    pub(crate) fn read(package: &Path) -> Tree {
        let mut tree = Tree::default();
        for root in ["src/lib.rs", "src/main.rs"] {
            let file = package.join(root);
            if file.exists() {
                tree.add_file(&file, None, Vec::new());
            }
        }
        assert!(!tree.files.is_empty(), "{}: neither library nor program", package.display());
        for file in 0..tree.files.len() {
            tree.add_imports(file);
        }
        tree
    }

    fn add_file(&mut self, path: &Path, parent: Option<usize>, names: Vec<String>) -> usize {
        let syntax = parse(path);
        let file = self.files.len();
        self.files.push(path.to_owned());
        self.references.push(crate::references::of(&syntax));
        let module = self.add_module(file, parent, names);
        self.module_of.push(module);
        self.add_items(module, &syntax.items, &folder_of_children(path));
        module
    }

    fn add_module(&mut self, file: usize, parent: Option<usize>, path: Vec<String>) -> usize {
        self.modules.push(Module { path, file, parent, ..Module::default() });
        self.modules.len() - 1
    }

    fn add_items(&mut self, module: usize, items: &[Item], folder: &Path) {
        for item in items.iter().filter(|item| !only_in_tests(attributes(item))) {
            if let Some(name) = name(item) {
                self.modules[module].items.insert(name.to_string());
            }
            let Item::Mod(child) = item else { continue };
            let name = child.ident.to_string();
            let mut path = self.modules[module].path.clone();
            path.push(name.clone());
            let added = match &child.content {
                Some((_, items)) => {
                    let added = self.add_module(self.modules[module].file, Some(module), path);
                    self.add_items(added, items, &folder.join(&name));
                    added
                }
                None => {
                    let flat = folder.join(format!("{name}.rs"));
                    let file = if flat.exists() { flat } else { folder.join(&name).join("mod.rs") };
                    self.add_file(&file, Some(module), path)
                }
            };
            self.modules[module].children.insert(name, added);
        }
    }

    fn add_imports(&mut self, file: usize) {
        for reference in self.references[file].clone() {
            let module = self.module_at(file, &reference.inside);
            let module = &mut self.modules[module];
            match reference.kind {
                Kind::Import { alias, .. } => {
                    module.imports.insert(alias, reference.segments);
                }
                Kind::Glob { .. } => module.globs.push(reference.segments),
                Kind::Path => {}
            }
        }
    }

    /// The module that a reference stands in.
    pub(crate) fn module_at(&self, file: usize, inside: &[String]) -> usize {
        inside.iter().fold(self.module_of[file], |module, name| {
            self.modules[module].children.get(name).copied().unwrap_or(module)
        })
    }

    /// Resolves a path as it is written in a module; `None` for a path of another crate.
    pub(crate) fn resolve(&self, from: usize, segments: &[String]) -> Option<Found> {
        self.hop(from, segments, MAX_HOPS)
    }

    fn hop(&self, from: usize, segments: &[String], hops: usize) -> Option<Found> {
        let (first, mut rest) = segments.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::Module(self.root_of(from)),
            "self" => Found::Module(from),
            "super" => Found::Module(self.modules[from].parent?),
            name => self.lookup(from, name, hops)?,
        };
        while let (Found::Module(module), Some((next, after))) = (found, rest.split_first()) {
            rest = after;
            found = match next.as_str() {
                "super" => Found::Module(self.modules[module].parent?),
                // A name that a macro makes is not seen: it is the module's.
                name => self.lookup(module, name, hops).unwrap_or(Found::Item(module)),
            };
        }
        Some(found)
    }

    fn lookup(&self, within: usize, name: &str, hops: usize) -> Option<Found> {
        let hops = hops.checked_sub(1)?;
        let module = &self.modules[within];
        if let Some(child) = module.children.get(name) {
            return Some(Found::Module(*child));
        }
        if module.items.contains(name) {
            return Some(Found::Item(within));
        }
        if let Some(import) = module.imports.get(name)
            && import.first().is_some_and(|first| first != name || import.len() > 1)
        {
            return self.hop(within, import, hops);
        }
        module.globs.iter().find_map(|glob| match self.hop(within, glob, hops)? {
            Found::Module(other) if other != within => self.lookup(other, name, hops),
            _ => None,
        })
    }

    fn root_of(&self, module: usize) -> usize {
        let mut module = module;
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }

    /// Says if a module stands below another one, or is it.
    pub(crate) fn is_within(&self, module: usize, above: usize) -> bool {
        let mut at = Some(module);
        while let Some(module) = at {
            if module == above {
                return true;
            }
            at = self.modules[module].parent;
        }
        false
    }
}

/// The folder in which a file's `mod x;` are looked for.
fn folder_of_children(file: &Path) -> PathBuf {
    let folder = file.parent().expect("a file is in a folder");
    let stem = file.file_stem().expect("a file has a name").to_string_lossy();
    match &*stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        name => folder.join(name),
    }
}
