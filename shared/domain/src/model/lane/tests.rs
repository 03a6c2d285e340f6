//! Tests of the lane against a sorted map.

use super::run::MAX_RUN;
use super::*;
use crate::model::rank::Rank;
use crate::model::time::Timestamp;
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
    again.run.update_threshold();
    again.update_totals();
    assert_eq!(again.run.min_threshold, node.run.min_threshold);
    assert_eq!(
        (again.len, again.nodes, again.min_threshold),
        (node.len, node.nodes, node.min_threshold)
    );
    assert!((1..=MAX_RUN).contains(&node.run.entries.len()));
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
        steps in prop::collection::vec((0..200u32, prop::option::of(0..40i64), any::<bool>()), 1..600),
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
