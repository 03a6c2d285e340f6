//! Graph of a crate: arrows between top-level modules, and circles of files.

use crate::references::Kind;
use crate::resolve::{Found, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One mention of something that another file defines.
#[derive(Debug, Clone)]
pub struct Mention {
    /// Index of the file that mentions.
    pub from: usize,
    /// Index of the file that defines.
    pub to: usize,
    /// Line in the mentioning file.
    pub line: usize,
    /// The path as it is written.
    pub path: String,
}

/// Files of a crate and the mentions between them.
#[derive(Debug)]
pub struct Graph {
    /// Paths from the package's folder.
    pub files: Vec<PathBuf>,
    /// Top-level module of each file; `lib` and `main` for the roots.
    pub modules: Vec<String>,
    /// All mentions across files.
    pub mentions: Vec<Mention>,
    /// First names of all paths, among them those of other crates.
    pub first_names: BTreeSet<String>,
}

impl Graph {
    /// Reads the graph of the package in a folder.
    pub fn read(package: &Path) -> Graph {
        let tree = Tree::read(package);
        let mut mentions = Vec::new();
        for file in 0..tree.files.len() {
            for reference in &tree.references[file] {
                let module = tree.module_at(file, &reference.inside);
                let Some(found) = tree.resolve(module, &reference.segments) else { continue };
                let to = tree.modules[found.module()].file;
                // Handing on what a module below defines is no use of it.
                let public = match reference.kind {
                    Kind::Import { public, .. } | Kind::Glob { public } => public,
                    Kind::Path => false,
                };
                let handed_on = public && tree.is_within(found.module(), module);
                // A name alone that is a module is a variable, or the start of an import.
                let alone = reference.kind == Kind::Path
                    && reference.segments.len() == 1
                    && matches!(found, Found::Module(_));
                if to != file && !handed_on && !alone {
                    let path = reference.segments.join("::");
                    mentions.push(Mention { from: file, to, line: reference.line, path });
                }
            }
        }
        let top = |file: usize| {
            let stem = tree.files[file].file_stem().expect("a file has a name");
            let first = tree.modules[tree.module_of[file]].path.first().cloned();
            first.unwrap_or_else(|| stem.to_string_lossy().into_owned())
        };
        let references = tree.references.iter().flatten();
        let first_names = references.filter_map(|r| r.segments.first().cloned()).collect();
        let relative = |file: &PathBuf| file.strip_prefix(package).expect("below").to_owned();
        Graph {
            modules: (0..tree.files.len()).map(top).collect(),
            files: tree.files.iter().map(relative).collect(),
            mentions,
            first_names,
        }
    }

    /// All top-level modules, without the roots.
    pub fn top_level(&self) -> BTreeSet<&str> {
        let modules = self.modules.iter().map(String::as_str);
        modules.filter(|module| !is_root(module)).collect()
    }

    /// Mentions by the top-level modules that they join.
    pub fn arrows(&self) -> BTreeMap<(&str, &str), Vec<&Mention>> {
        let mut arrows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for mention in &self.mentions {
            let (from, to) = (&*self.modules[mention.from], &*self.modules[mention.to]);
            if from != to {
                arrows.entry((from, to)).or_default().push(mention);
            }
        }
        arrows
    }

    /// Circles: sets of files each of which reaches every other one, the largest first.
    pub fn circles(&self) -> Vec<Vec<usize>> {
        let mut next = vec![BTreeSet::new(); self.files.len()];
        for mention in &self.mentions {
            next[mention.from].insert(mention.to);
        }
        let mut circles = strongly_connected(&next);
        circles.retain(|circle| circle.len() > 1);
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }
}

/// Says if a name of [`Graph::modules`] is a root of a crate, which joins the others.
pub fn is_root(module: &str) -> bool {
    ["lib", "main"].contains(&module)
}

/// Tarjan's strongly connected components.
fn strongly_connected(next: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    struct Search<'a> {
        next: &'a [BTreeSet<usize>],
        order: Vec<Option<usize>>,
        lowest: Vec<usize>,
        open: Vec<usize>,
        visited: usize,
        found: Vec<Vec<usize>>,
    }
    impl Search<'_> {
        fn visit(&mut self, node: usize) -> usize {
            let order = self.visited;
            self.visited += 1;
            self.order[node] = Some(order);
            self.lowest[node] = order;
            self.open.push(node);
            let next = self.next;
            for &other in &next[node] {
                let reached = match self.order[other] {
                    None => self.visit(other),
                    Some(seen) if self.open.contains(&other) => seen,
                    Some(_) => continue,
                };
                self.lowest[node] = self.lowest[node].min(reached);
            }
            if self.lowest[node] == order {
                let start = self.open.iter().position(|open| *open == node).expect("open");
                self.found.push(self.open.split_off(start));
            }
            self.lowest[node]
        }
    }
    let count = next.len();
    let mut search = Search {
        next,
        order: vec![None; count],
        lowest: vec![0; count],
        open: Vec::new(),
        visited: 0,
        found: Vec::new(),
    };
    for node in 0..count {
        if search.order[node].is_none() {
            search.visit(node);
        }
    }
    search.found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_and_lone_files_are_none() {
        let next: Vec<BTreeSet<usize>> = [&[1][..], &[2], &[0, 3], &[4], &[3], &[0]]
            .map(|to| to.iter().copied().collect())
            .into();
        let mut found = strongly_connected(&next);
        found.iter_mut().for_each(|circle| circle.sort_unstable());
        found.sort();
        assert_eq!(found, [vec![0, 1, 2], vec![3, 4], vec![5]]);
    }
}
