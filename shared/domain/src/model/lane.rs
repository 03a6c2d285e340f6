//! Lane of a line: the waiting tickets of one priority class, in order.
//!
//! A lane is a persistent, weight-balanced tree, whose nodes hold some neighbours each. It counts
//! the tickets before a position, and finds the tickets of a stretch whose slip threshold may be
//! exceeded. A copy shares everything with its origin; a change copies only the path to what it
//! changes.

mod run;
mod slip_threshold;

pub(crate) use slip_threshold::{Position, SlipThreshold};

use crate::model::ids::TicketId;
use run::{Entry, Run, find_in_run};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Tickets of one priority class, in order.
#[derive(Clone, Default)]
pub(crate) struct Lane {
    root: Tree,
}

type Tree = Option<Arc<Node>>;

#[derive(Clone)]
struct Node {
    /// Tickets between those of the two sides; never none.
    run: Run,
    /// Number of tickets in this tree.
    len: u32,
    /// Number of nodes in this tree.
    nodes: u32,
    /// Lower bound of all thresholds in this tree.
    min_threshold: SlipThreshold,
    left: Tree,
    right: Tree,
}

/// Largest ratio of the weights of a node's two sides.
const MAX_WEIGHT_RATIO: u32 = 3;

/// Bound for a single rotation: the inner part of a side weighs less than this many times the outer
/// one.
const SINGLE_ROTATION_RATIO: u32 = 2;

fn len(tree: &Tree) -> u32 {
    tree.as_ref().map_or(0, |node| node.len)
}

fn weight(tree: &Tree) -> u32 {
    tree.as_ref().map_or(0, |node| node.nodes) + 1
}

impl Node {
    fn leaf(run: Run) -> Arc<Node> {
        let (len, min_threshold) = (run.entries.len() as u32, run.min_threshold);
        Arc::new(Node { run, len, nodes: 1, min_threshold, left: None, right: None })
    }

    /// Recomputes the totals from the two sides.
    fn update_totals(&mut self) {
        self.len = len(&self.left) + len(&self.right) + self.run.entries.len() as u32;
        let sides = [&self.left, &self.right].into_iter().flatten();
        (self.nodes, self.min_threshold) = sides
            .fold((1, self.run.min_threshold), |(nodes, least), side| {
                (nodes + side.nodes, least.min_of(side.min_threshold))
            });
    }
}

/// Restores the balance of a node whose sides have changed.
fn rebalance(mut shared: Arc<Node>) -> Arc<Node> {
    let node = Arc::make_mut(&mut shared);
    node.update_totals();
    let left = weight(&node.left);
    let right = weight(&node.right);
    if right > MAX_WEIGHT_RATIO * left {
        node.right = node.right.take().map(|side| {
            if weight(&side.left) < SINGLE_ROTATION_RATIO * weight(&side.right) {
                side
            } else {
                rotate_right(side)
            }
        });
        return rotate_left(shared);
    }
    if left > MAX_WEIGHT_RATIO * right {
        node.left = node.left.take().map(|side| {
            if weight(&side.right) < SINGLE_ROTATION_RATIO * weight(&side.left) {
                side
            } else {
                rotate_left(side)
            }
        });
        return rotate_right(shared);
    }
    shared
}

/// Makes the right side the root.
fn rotate_left(mut shared: Arc<Node>) -> Arc<Node> {
    let node = Arc::make_mut(&mut shared);
    let Some(mut up) = node.right.take() else { return shared };
    let above = Arc::make_mut(&mut up);
    node.right = above.left.take();
    node.update_totals();
    above.left = Some(shared);
    above.update_totals();
    up
}

/// Makes the left side the root.
fn rotate_right(mut shared: Arc<Node>) -> Arc<Node> {
    let node = Arc::make_mut(&mut shared);
    let Some(mut up) = node.left.take() else { return shared };
    let above = Arc::make_mut(&mut up);
    node.left = above.right.take();
    node.update_totals();
    above.right = Some(shared);
    above.update_totals();
    up
}

fn tree_with(tree: Tree, entry: Entry) -> Arc<Node> {
    let Some(mut shared) = tree else { return Node::leaf(Run::new(&[entry])) };
    let node = Arc::make_mut(&mut shared);
    match node.run.side_of(&entry.position()) {
        Ordering::Less if node.left.is_some() || node.run.is_full() => {
            node.left = Some(tree_with(node.left.take(), entry));
        }
        Ordering::Greater if node.right.is_some() || node.run.is_full() => {
            node.right = Some(tree_with(node.right.take(), entry));
        }
        Ordering::Less | Ordering::Greater | Ordering::Equal => {
            if let Some(upper) = node.run.insert(entry) {
                node.right = Some(tree_with_first(node.right.take(), upper));
            }
        }
    }
    rebalance(shared)
}

/// Adds a run before all others.
fn tree_with_first(tree: Tree, run: Run) -> Arc<Node> {
    let Some(mut shared) = tree else { return Node::leaf(run) };
    let node = Arc::make_mut(&mut shared);
    node.left = Some(tree_with_first(node.left.take(), run));
    rebalance(shared)
}

fn tree_without(tree: Tree, position: &Position) -> Tree {
    let mut shared = tree?;
    let node = Arc::make_mut(&mut shared);
    match node.run.side_of(position) {
        Ordering::Less => node.left = tree_without(node.left.take(), position),
        Ordering::Greater => node.right = tree_without(node.right.take(), position),
        Ordering::Equal => node.run.remove(position),
    }
    if node.run.entries.is_empty() {
        match (node.left.take(), node.right.take()) {
            (None, side) | (side, None) => return side,
            (left, Some(right)) => {
                (node.run, node.left, node.right) = {
                    let (first, rest) = split_first(right);
                    (first, left, rest)
                }
            }
        }
    }
    Some(rebalance(shared))
}

/// Splits a tree into its first run and the rest.
fn split_first(mut shared: Arc<Node>) -> (Run, Tree) {
    let node = Arc::make_mut(&mut shared);
    match node.left.take() {
        None => (node.run.clone(), node.right.take()),
        Some(left) => {
            let (first, rest) = split_first(left);
            node.left = rest;
            (first, Some(rebalance(shared)))
        }
    }
}

impl Lane {
    pub(crate) fn len(&self) -> usize {
        len(&self.root) as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Inserts a position with its threshold; replaces the threshold of a position that is present.
    pub(crate) fn insert(&mut self, position: Position, threshold: Option<SlipThreshold>) {
        let entry = Entry::new(position, threshold.unwrap_or(SlipThreshold::NEVER));
        self.root = Some(tree_with(self.root.take(), entry));
    }

    pub(crate) fn remove(&mut self, position: &Position) {
        self.root = tree_without(self.root.take(), position);
    }

    /// First position of the lane.
    pub(crate) fn first(&self) -> Option<Position> {
        self.nth(0)
    }

    /// Last position of the lane.
    pub(crate) fn last(&self) -> Option<Position> {
        self.nth(self.len().checked_sub(1)?)
    }

    /// Position with `before` others before it.
    pub(crate) fn nth(&self, mut before: usize) -> Option<Position> {
        let mut tree = &self.root;
        while let Some(node) = tree {
            let left = len(&node.left) as usize;
            let Some(behind_left) = before.checked_sub(left) else {
                tree = &node.left;
                continue;
            };
            if let Some(entry) = node.run.entries.get(behind_left) {
                return Some(entry.position());
            }
            before = behind_left - node.run.entries.len();
            tree = &node.right;
        }
        None
    }

    /// Number of positions before this one, which need not be in the lane.
    pub(crate) fn count_before(&self, position: &Position) -> usize {
        let mut tree = &self.root;
        let mut before = 0;
        while let Some(node) = tree {
            let side = node.run.side_of(position);
            if side == Ordering::Less {
                tree = &node.left;
                continue;
            }
            before += len(&node.left) as usize;
            if side == Ordering::Equal {
                return before + node.run.find(position).unwrap_or_else(|index| index);
            }
            before += node.run.entries.len();
            tree = &node.right;
        }
        before
    }

    /// All positions, in order.
    pub(crate) fn iter(&self) -> Iter<'_> {
        let mut iter = Iter { stack: Vec::new(), run: [].iter() };
        iter.descend_left(&self.root);
        iter
    }

    /// Returns `true` if any ticket here can ever get a notice of a longer wait.
    pub(crate) fn has_slip_candidates(&self) -> bool {
        self.root.as_ref().is_some_and(|node| node.min_threshold != SlipThreshold::NEVER)
    }

    /// Reports the tickets whose slip threshold may be exceeded, in order, with the number before
    /// each in this lane. `may` judges a stretch of the lane by its lowest threshold and by the
    /// number of tickets before its first and before its last; a stretch that it rejects is
    /// skipped.
    pub(crate) fn slip_candidates(
        &self,
        may: &mut impl FnMut(&SlipThreshold, u32, u32) -> bool,
        found: &mut impl FnMut(TicketId, u32),
    ) {
        find_slip_candidates(&self.root, 0, may, found);
    }
}

fn find_slip_candidates(
    tree: &Tree,
    before: u32,
    may: &mut impl FnMut(&SlipThreshold, u32, u32) -> bool,
    found: &mut impl FnMut(TicketId, u32),
) {
    let Some(node) = tree else { return };
    if node.min_threshold == SlipThreshold::NEVER
        || !may(&node.min_threshold, before, before + node.len - 1)
    {
        return;
    }
    find_slip_candidates(&node.left, before, may, found);
    let first = before + len(&node.left);
    find_in_run(&node.run.entries, first, may, found);
    find_slip_candidates(&node.right, first + node.run.entries.len() as u32, may, found);
}

/// Lanes are equal if they hold the same positions; the shape of the tree does not matter.
impl PartialEq for Lane {
    fn eq(&self, other: &Lane) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Lane {}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterator over a lane, in order.
pub(crate) struct Iter<'a> {
    stack: Vec<&'a Node>,
    run: std::slice::Iter<'a, Entry>,
}

impl<'a> Iter<'a> {
    fn descend_left(&mut self, mut tree: &'a Tree) {
        while let Some(node) = tree {
            self.stack.push(node);
            tree = &node.left;
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        loop {
            if let Some(entry) = self.run.next() {
                return Some(entry.position());
            }
            let node = self.stack.pop()?;
            self.run = node.run.entries.iter();
            self.descend_left(&node.right);
        }
    }
}

#[cfg(test)]
mod tests;
