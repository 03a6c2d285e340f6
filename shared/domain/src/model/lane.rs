//! Those of one class who wait in a line, in order: a persistent balanced tree that knows how many
//! stand before a place, and who in a stretch of it loses patience first.
//!
//! A copy shares everything with its origin; a change copies the path to what it changes.

use crate::estimate::slip_threshold_s;
use crate::model::ids::TicketId;
use crate::model::rank::Rank;
use crate::model::ticket::Ticket;
use crate::model::time::Timestamp;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Somebody's place.
pub(crate) type Position = (Rank, TicketId);

/// When somebody who waits is to be told that it takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlipThreshold {
    /// If their turn would come then, or later.
    pub(crate) limit: Timestamp,
    /// Not before this.
    pub(crate) from: Timestamp,
}

impl SlipThreshold {
    /// That of somebody who is never told.
    const NEVER: SlipThreshold =
        SlipThreshold { limit: Timestamp(i64::MAX), from: Timestamp(i64::MAX) };

    /// That of a ticket's holder; `None` if there is nobody to tell, nothing that they expect, or no
    /// room for it.
    pub(crate) fn for_ticket(ticket: &Ticket) -> Option<SlipThreshold> {
        let expected = ticket.notifications.expected_turn_at?;
        let from = ticket.person.as_ref().and(ticket.notifications.slip_allowed_from())?;
        let told_ms = expected.since_ms(ticket.taken_at).max(0);
        let told_s = u32::try_from(told_ms / 1_000).unwrap_or(u32::MAX);
        let limit = ticket.taken_at.plus_ms(i64::from(slip_threshold_s(told_s)) * 1_000);
        Some(SlipThreshold { limit, from })
    }

    /// Whether they are to be told at a moment at which they still have so many minutes to wait.
    pub(crate) fn is_exceeded(&self, at: Timestamp, minutes: u32) -> bool {
        self.from <= at && self.limit <= at.plus_minutes(minutes)
    }

    /// The least of both, of either: nobody of the two is told before.
    fn min_of(self, other: SlipThreshold) -> SlipThreshold {
        SlipThreshold { limit: self.limit.min(other.limit), from: self.from.min(other.from) }
    }
}

/// One class of a line.
#[derive(Clone, Default)]
pub(crate) struct Lane {
    root: Tree,
}

type Tree = Option<Arc<Node>>;

#[derive(Clone)]
struct Node {
    position: Position,
    threshold: SlipThreshold,
    /// How many are in this tree.
    len: u32,
    /// The least patience in it.
    min_threshold: SlipThreshold,
    left: Tree,
    right: Tree,
}

/// Neither side of a node may weigh more than so many times the other.
const MAX_WEIGHT_RATIO: u32 = 3;

/// A side turns over in one step while its inner part weighs less than so many times the outer one.
const SINGLE_ROTATION_RATIO: u32 = 2;

fn len(tree: &Tree) -> u32 {
    tree.as_ref().map_or(0, |node| node.len)
}

fn weight(tree: &Tree) -> u32 {
    len(tree) + 1
}

impl Node {
    fn leaf(place: Position, patience: SlipThreshold) -> Node {
        Node {
            position: place,
            threshold: patience,
            len: 1,
            min_threshold: patience,
            left: None,
            right: None,
        }
    }

    /// Sums up what is below.
    fn update_totals(&mut self) {
        self.len = len(&self.left) + len(&self.right) + 1;
        let sides = [&self.left, &self.right].into_iter().flatten();
        self.min_threshold =
            sides.fold(self.threshold, |least, side| least.min_of(side.min_threshold));
    }
}

/// A node whose sides have changed, in balance again.
fn rebalance(mut shared: Arc<Node>) -> Arc<Node> {
    let node = Arc::make_mut(&mut shared);
    node.update_totals();
    let (left, right) = (weight(&node.left), weight(&node.right));
    if right > MAX_WEIGHT_RATIO * left {
        node.right = node.right.take().map(|side| {
            match weight(&side.left) < SINGLE_ROTATION_RATIO * weight(&side.right) {
                true => side,
                false => rotate_right(side),
            }
        });
        return rotate_left(shared);
    }
    if left > MAX_WEIGHT_RATIO * right {
        node.left = node.left.take().map(|side| {
            match weight(&side.right) < SINGLE_ROTATION_RATIO * weight(&side.left) {
                true => side,
                false => rotate_left(side),
            }
        });
        return rotate_right(shared);
    }
    shared
}

/// The right side comes up.
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

/// The left side comes up.
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

fn tree_with(tree: Tree, place: Position, patience: SlipThreshold) -> Arc<Node> {
    let Some(mut shared) = tree else { return Arc::new(Node::leaf(place, patience)) };
    let node = Arc::make_mut(&mut shared);
    match place.cmp(&node.position) {
        Ordering::Less => node.left = Some(tree_with(node.left.take(), place, patience)),
        Ordering::Greater => node.right = Some(tree_with(node.right.take(), place, patience)),
        Ordering::Equal => node.threshold = patience,
    }
    rebalance(shared)
}

fn tree_without(tree: Tree, place: &Position) -> Tree {
    let mut shared = tree?;
    let node = Arc::make_mut(&mut shared);
    match place.cmp(&node.position) {
        Ordering::Less => node.left = tree_without(node.left.take(), place),
        Ordering::Greater => node.right = tree_without(node.right.take(), place),
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

/// The first of a tree, and the tree without it.
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

    /// Lets somebody in; somebody who is at this place already has this patience from now on.
    pub(crate) fn insert(&mut self, place: Position, patience: Option<SlipThreshold>) {
        let patience = patience.unwrap_or(SlipThreshold::NEVER);
        self.root = Some(tree_with(self.root.take(), place, patience));
    }

    pub(crate) fn remove(&mut self, place: &Position) {
        self.root = tree_without(self.root.take(), place);
    }

    /// Who is at the front.
    pub(crate) fn first(&self) -> Option<Position> {
        self.nth(0)
    }

    /// Who is at the end.
    pub(crate) fn last(&self) -> Option<Position> {
        self.nth(self.len().checked_sub(1)?)
    }

    /// Who has so many before them.
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

    /// How many stand before a place, whether somebody is there or not.
    pub(crate) fn count_before(&self, place: &Position) -> usize {
        let (mut tree, mut before) = (&self.root, 0);
        while let Some(node) = tree {
            tree = match place <= &node.position {
                true => &node.left,
                false => {
                    before += len(&node.left) as usize + 1;
                    &node.right
                }
            };
        }
        before
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> Iter<'_> {
        let mut iter = Iter { stack: Vec::new() };
        iter.descend_left(&self.root);
        iter
    }

    /// Whether anybody could ever be told that it takes longer.
    pub(crate) fn has_slip_candidates(&self) -> bool {
        self.root.as_ref().is_some_and(|node| node.min_threshold != SlipThreshold::NEVER)
    }

    /// Those who may have lost their patience, in order, with how many stand before them in this
    /// lane. `authorize` is asked of stretches of the lane: the least patience in it, and how many stand
    /// before its first and its last; where it says no, nobody is looked at.
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
    let own = before + len(&node.left);
    if node.threshold != SlipThreshold::NEVER && may(&node.threshold, own, own) {
        found(node.position.1, own);
    }
    find_slip_candidates(&node.right, own + 1, may, found);
}

/// Two lanes in which the same stand in the same order are the same, however their trees grew.
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

/// A walk through a lane.
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

    /// Each node sums up what is below it, and leans no further than it may.
    fn assert_invariants(tree: &Tree) {
        let Some(node) = tree else { return };
        let mut again = (**node).clone();
        again.update_totals();
        assert_eq!((again.len, again.min_threshold), (node.len, node.min_threshold));
        let (left, right) = (weight(&node.left), weight(&node.right));
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
            let (mut lane, mut list) = (Lane::default(), BTreeMap::new());
            for (n, limit, comes) in steps {
                let earlier = (lane.clone(), list.clone());
                let patience = limit.map(|n| SlipThreshold { limit: Timestamp(n), from: Timestamp(40 - n) });
                if comes {
                    lane.insert(position(n), patience);
                    list.insert(position(n), patience);
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
                let all = list.iter().enumerate().filter(|(_, (_, patience))| patience.as_ref().is_some_and(now));
                let all: Vec<_> = all.map(|(at, (place, _))| (place.1, at as u32)).collect();
                prop_assert_eq!(found, all);
            }
        }
    }
}
