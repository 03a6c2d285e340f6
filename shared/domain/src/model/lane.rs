//! Lane of a line: the waiting tickets of one priority class, in order.
//!
//! A lane is a persistent, weight-balanced tree. It counts the tickets before a position, and finds
//! the tickets of a stretch whose slip threshold may be exceeded. A copy shares everything with its
//! origin; a change copies only the path to what it changes.

use crate::estimate::slip_threshold_s;
use crate::model::ids::TicketId;
use crate::model::rank::Rank;
use crate::model::ticket::Ticket;
use crate::model::time::Timestamp;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Position in a lane, unique for each ticket.
pub(crate) type Position = (Rank, TicketId);

/// Threshold from which a waiting holder gets a notice that the wait has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlipThreshold {
    /// Expected turn, at or after which the notice is due.
    pub(crate) limit: Timestamp,
    /// Earliest time of the notice.
    pub(crate) from: Timestamp,
}

impl SlipThreshold {
    /// Threshold of a holder who never gets the notice.
    const NEVER: SlipThreshold =
        SlipThreshold { limit: Timestamp(i64::MAX), from: Timestamp(i64::MAX) };

    /// Threshold of a ticket; `None` if it has no WeChat holder, no quoted wait, or no template
    /// left in its budget.
    pub(crate) fn for_ticket(ticket: &Ticket) -> Option<SlipThreshold> {
        let expected = ticket.notifications.expected_turn_at?;
        let from = ticket.person.as_ref().and(ticket.notifications.slip_allowed_from())?;
        let quoted_ms = expected.since_ms(ticket.taken_at).max(0);
        let quoted_s = u32::try_from(quoted_ms / 1_000).unwrap_or(u32::MAX);
        let limit = ticket.taken_at.plus_ms(i64::from(slip_threshold_s(quoted_s)) * 1_000);
        Some(SlipThreshold { limit, from })
    }

    /// Returns `true` if the notice is due at `at` for a holder who still has `minutes` to wait.
    pub(crate) fn is_exceeded(&self, at: Timestamp, minutes: u32) -> bool {
        self.from <= at && self.limit <= at.plus_minutes(minutes)
    }

    /// Lower bound of two thresholds, field by field: neither is exceeded before it.
    fn min_of(self, other: SlipThreshold) -> SlipThreshold {
        SlipThreshold { limit: self.limit.min(other.limit), from: self.from.min(other.from) }
    }
}

/// Tickets of one priority class, in order.
#[derive(Clone, Default)]
pub(crate) struct Lane {
    root: Tree,
}

type Tree = Option<Arc<Node>>;

#[derive(Clone)]
struct Node {
    position: Position,
    threshold: SlipThreshold,
    /// Number of tickets in this tree.
    len: u32,
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
    len(tree) + 1
}

impl Node {
    fn leaf(position: Position, threshold: SlipThreshold) -> Node {
        Node { position, threshold, len: 1, min_threshold: threshold, left: None, right: None }
    }

    /// Recomputes the totals from the two sides.
    fn update_totals(&mut self) {
        self.len = len(&self.left) + len(&self.right) + 1;
        let sides = [&self.left, &self.right].into_iter().flatten();
        self.min_threshold =
            sides.fold(self.threshold, |least, side| least.min_of(side.min_threshold));
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

fn tree_with(tree: Tree, position: Position, threshold: SlipThreshold) -> Arc<Node> {
    let Some(mut shared) = tree else { return Arc::new(Node::leaf(position, threshold)) };
    let node = Arc::make_mut(&mut shared);
    match position.cmp(&node.position) {
        Ordering::Less => node.left = Some(tree_with(node.left.take(), position, threshold)),
        Ordering::Greater => node.right = Some(tree_with(node.right.take(), position, threshold)),
        Ordering::Equal => node.threshold = threshold,
    }
    rebalance(shared)
}

fn tree_without(tree: Tree, position: &Position) -> Tree {
    let mut shared = tree?;
    let node = Arc::make_mut(&mut shared);
    match position.cmp(&node.position) {
        Ordering::Less => node.left = tree_without(node.left.take(), position),
        Ordering::Greater => node.right = tree_without(node.right.take(), position),
        Ordering::Equal => match (node.left.take(), node.right.take()) {
            (None, side) | (side, None) => return side,
            (left, Some(right)) => {
                let (first, rest) = split_first(right);
                (node.position, node.threshold) = first;
                (node.left, node.right) = (left, rest);
            }
        },
    }
    Some(rebalance(shared))
}

/// Splits a tree into its first entry and the rest.
fn split_first(mut shared: Arc<Node>) -> ((Position, SlipThreshold), Tree) {
    let node = Arc::make_mut(&mut shared);
    match node.left.take() {
        None => ((node.position, node.threshold), node.right.take()),
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
        let threshold = threshold.unwrap_or(SlipThreshold::NEVER);
        self.root = Some(tree_with(self.root.take(), position, threshold));
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
            tree = match before.cmp(&left) {
                Ordering::Less => &node.left,
                Ordering::Equal => return Some(node.position),
                Ordering::Greater => {
                    before -= left + 1;
                    &node.right
                }
            };
        }
        None
    }

    /// Number of positions before this one, which need not be in the lane.
    pub(crate) fn count_before(&self, position: &Position) -> usize {
        let mut tree = &self.root;
        let mut before = 0;
        while let Some(node) = tree {
            tree = if position <= &node.position {
                &node.left
            } else {
                before += len(&node.left) as usize + 1;
                &node.right
            };
        }
        before
    }

    /// All positions, in order.
    pub(crate) fn iter(&self) -> Iter<'_> {
        let mut iter = Iter { stack: Vec::new() };
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
    let index = before + len(&node.left);
    if node.threshold != SlipThreshold::NEVER && may(&node.threshold, index, index) {
        found(node.position.1, index);
    }
    find_slip_candidates(&node.right, index + 1, may, found);
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
        let node = self.stack.pop()?;
        self.descend_left(&node.right);
        Some(node.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn position(n: u32) -> Position {
        let rank = Rank { class: 5, arrival: Timestamp(i64::from(n / 3)), sequence: n, offset: 0 };
        (rank, TicketId(n))
    }

    /// Checks the totals and the balance of every node.
    fn assert_invariants(tree: &Tree) {
        let Some(node) = tree else { return };
        let mut again = (**node).clone();
        again.update_totals();
        assert_eq!((again.len, again.min_threshold), (node.len, node.min_threshold));
        let left = weight(&node.left);
        let right = weight(&node.right);
        assert!(
            left <= MAX_WEIGHT_RATIO * right && right <= MAX_WEIGHT_RATIO * left,
            "{left} and {right}"
        );
        assert_invariants(&node.left);
        assert_invariants(&node.right);
    }

    proptest! {
        #[test]
        fn a_lane_is_a_sorted_list(
            steps in prop::collection::vec((0..60u32, prop::option::of(0..40i64), any::<bool>()), 1..400),
        ) {
            let mut lane = Lane::default();
            let mut list = BTreeMap::new();
            for (n, limit, comes) in steps {
                let earlier = (lane.clone(), list.clone());
                let threshold = limit.map(|n| SlipThreshold { limit: Timestamp(n), from: Timestamp(40 - n) });
                if comes {
                    lane.insert(position(n), threshold);
                    list.insert(position(n), threshold);
                } else {
                    lane.remove(&position(n));
                    list.remove(&position(n));
                }
                assert_invariants(&lane.root);
                prop_assert!(earlier.0.iter().eq(earlier.1.keys().copied()), "a copy stays as it was");
                prop_assert!(lane.iter().eq(list.keys().copied()));
                prop_assert_eq!(lane.len(), list.len());
                prop_assert_eq!(lane.first(), list.keys().next().copied());
                prop_assert_eq!(lane.last(), list.keys().next_back().copied());
                let before = list.keys().filter(|other| **other < position(n)).count();
                prop_assert_eq!(lane.count_before(&position(n)), before);
                prop_assert_eq!(lane.nth(before), list.range(position(n)..).next().map(|(p, _)| *p));
                let mut found = Vec::new();
                let now = |least: &SlipThreshold| least.limit <= Timestamp(20) && least.from <= Timestamp(25);
                lane.slip_candidates(&mut |least, _, _| now(least), &mut |id, at| found.push((id, at)));
                let all = list.iter().enumerate().filter(|(_, (_, threshold))| threshold.as_ref().is_some_and(now));
                let all: Vec<_> = all.map(|(at, (position, _))| (position.1, at as u32)).collect();
                prop_assert_eq!(found, all);
            }
        }
    }
}
