//! Merged tree of TOML tables that records the layer of each leaf.

use std::collections::BTreeMap;
use toml::{Table, Value};

/// Path to a key, from the root.
pub(super) type Path = Vec<String>;

/// Tree of merged layers.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    root: Table,
    /// Layer by path, such as `in paihao.toml`.
    locations: BTreeMap<Path, String>,
}

impl Tree {
    /// The whole tree as one value.
    pub(super) fn value(&self) -> Value {
        Value::Table(self.root.clone())
    }

    /// Merges `over` into the tree: tables key by key; any other value replaces the former one.
    pub(super) fn merge(&mut self, over: Table, layer: &str) {
        let mut paths = Vec::new();
        merge(&mut self.root, over, &mut Vec::new(), &mut paths);
        self.locations.extend(paths.into_iter().map(|path| (path, layer.to_owned())));
    }

    /// Sets the value at a path, creating tables as needed. A key that differs from an existing one
    /// only in case, or in `-` for `_`, is taken for that one. Returns the path as it is spelled in
    /// the tree.
    pub(super) fn set(&mut self, path: &[String], value: Value, layer: &str) -> Path {
        let mut spelled = Path::new();
        let mut over = value;
        let mut table = Some(&self.root);
        for key in path {
            let alike = |known: &&String| known.to_lowercase().replace('-', "_") == *key;
            let without_key = table.filter(|table| !table.contains_key(key));
            let similar = without_key.and_then(|table| table.keys().find(alike));
            let key = similar.unwrap_or(key).clone();
            table = table.and_then(|table| table.get(&key)).and_then(Value::as_table);
            spelled.push(key);
        }
        for key in spelled[1..].iter().rev() {
            over = Value::Table(Table::from_iter([(key.clone(), over)]));
        }
        self.merge(Table::from_iter([(spelled[0].clone(), over)]), layer);
        spelled
    }

    /// Removes a value; `false` if there is none.
    pub(super) fn remove(&mut self, path: &[String]) -> bool {
        let Some((last, parents)) = path.split_last() else { return false };
        let mut parent = match parents.split_first() {
            None => return self.root.remove(last).is_some(),
            Some((first, _)) => self.root.get_mut(first),
        };
        for key in &parents[1..] {
            parent = parent.and_then(|value| match value {
                Value::Table(table) => table.get_mut(key),
                Value::Array(items) => key.parse().ok().and_then(|n: usize| items.get_mut(n)),
                _ => None,
            });
        }
        parent.and_then(Value::as_table_mut).is_some_and(|table| table.remove(last).is_some())
    }

    /// The layer of a key: its own, or that of the nearest key around or within it.
    pub(super) fn location(&self, path: &[String]) -> &str {
        let layer_of = |path: &[String]| {
            let inner = || self.locations.iter().rfind(|(leaf, _)| leaf.starts_with(path));
            self.locations.get(path).or_else(|| inner().map(|(_, layer)| layer))
        };
        (1..=path.len()).rev().find_map(|n| layer_of(&path[..n])).map_or("", String::as_str)
    }
}

fn merge(under: &mut Table, over: Table, path: &mut Path, paths: &mut Vec<Path>) {
    for (key, value) in over {
        path.push(key.clone());
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above, path, paths),
            (_, value) => {
                leaves(&value, path, paths);
                under.insert(key, value);
            }
        }
        path.pop();
    }
}

fn leaves(value: &Value, path: &mut Path, found: &mut Vec<Path>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                path.push(key.clone());
                leaves(value, path, found);
                path.pop();
            }
        }
        _ => found.push(path.clone()),
    }
}
